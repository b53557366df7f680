// SPDX-License-Identifier: GPL-2.0-or-later
/* A comparison for people, as a table, and as JSON. */
#include "cli/compare.h"

#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/show-entry.h"
#include "cli/show-facts.h"
#include "cli/table.h"
#include "plan/print.h"
#include "text/json.h"

#define LISTED 10 /* packages of a kind, unless -v */

static const char * or (const char *text, const char *other)
{
	return text && *text ? text : other;
}

/* ---- cells: each adds the lines that stand for one side ---- */

typedef void (*cell_fn)(
	struct kmln_strv *cell, const struct kmln_compared *side, struct kmln_pool *pool);

static void cell_name(
	struct kmln_strv *cell, const struct kmln_compared *side, struct kmln_pool *pool)
{
	(void)pool;
	kmln_strv_add(cell, side->path);
}

static void cell_image(
	struct kmln_strv *cell, const struct kmln_compared *side, struct kmln_pool *pool)
{
	const struct kmln_facts *f = side->facts;

	if (kmln_source_is_folder(&side->source))
		kmln_strv_add(cell, "none: a folder");
	else
		kmln_strv_printf(cell, "%s, %s (%s on the host)", f->format,
			kmln_plan_bytes(pool, f->size), kmln_plan_bytes(pool, f->allocated));
}

static void cell_table(
	struct kmln_strv *cell, const struct kmln_compared *side, struct kmln_pool *pool)
{
	const struct kmln_facts *f = side->facts;

	kmln_strv_add(cell, or (f->table, "none"));
	for (size_t i = 0; i < f->partition_count; i++)
		kmln_strv_printf(cell, "%u: %s at %llu, %s%s", f->partitions[i].number,
			kmln_plan_bytes(pool, f->partitions[i].range.size),
			(unsigned long long)f->partitions[i].range.offset,
			or (f->partitions[i].type_name, "?"),
			f->partitions[i].active ? ", active" : "");
}

static void cell_sector(
	struct kmln_strv *cell, const struct kmln_compared *side, struct kmln_pool *pool)
{
	(void)pool;
	kmln_strv_add(cell, or (side->facts->boot, "no code"));
}

static void cell_loader(
	struct kmln_strv *cell, const struct kmln_compared *side, struct kmln_pool *pool)
{
	(void)pool;
	if (side->facts->loader)
		kmln_strv_printf(
			cell, "%s, %s", side->facts->loader, or (side->facts->loader_config, "?"));
	else
		kmln_strv_add(cell, "none");
}

static void cell_kernels(
	struct kmln_strv *cell, const struct kmln_compared *side, struct kmln_pool *pool)
{
	const struct kmln_facts *f = side->facts;

	if (!f->kernel_count)
		kmln_strv_add(cell, "none");
	for (size_t i = 0; i < f->kernel_count; i++)
		kmln_strv_printf(cell, "%s%s, %s", f->kernels[i].release,
			f->kernels[i].uml     ? " (of UML)"
			: f->kernels[i].image ? ""
					      : " (modules only)",
			kmln_plan_bytes(pool, f->kernels[i].bytes));
}

static void cell_initramfs(
	struct kmln_strv *cell, const struct kmln_compared *side, struct kmln_pool *pool)
{
	const struct kmln_facts *f = side->facts;

	for (size_t i = 0; i < f->kernel_count; i++)
		if (f->kernels[i].initramfs)
			kmln_strv_printf(cell, "%s, %s%s", f->kernels[i].initramfs,
				kmln_plan_bytes(pool, f->kernels[i].initramfs_size),
				f->kernels[i].initramfs_ours ? ", by kmln" : "");
	if (!cell->count)
		kmln_strv_add(cell, "none");
}

static void cell_filesystems(
	struct kmln_strv *cell, const struct kmln_compared *side, struct kmln_pool *pool)
{
	const struct kmln_facts *f = side->facts;

	for (size_t i = 0; i < f->filesystem_count; i++) {
		const struct kmln_filesystem *fs = &f->filesystems[i];

		if (fs->is_ext)
			kmln_strv_printf(cell, "%s, %s, %s free, %s%s%s", fs->type,
				kmln_plan_bytes(pool, fs->bytes),
				kmln_plan_bytes(pool, fs->free_bytes), fs->state,
				fs->mount ? ", on " : "", or (fs->mount, ""));
		else
			kmln_strv_printf(cell, "%s%s%s", fs->type, fs->mount ? ", on " : "",
				or (fs->mount, ""));
	}
	if (!cell->count)
		kmln_strv_add(cell, "none");
}

static void cell_system(
	struct kmln_strv *cell, const struct kmln_compared *side, struct kmln_pool *pool)
{
	const struct kmln_facts *f = side->facts;

	(void)pool;
	if (f->root)
		kmln_strv_printf(cell, "%s, %s", or (f->os_name, or (f->os_id, "unknown")),
			or (f->arch, "unknown"));
	else
		kmln_strv_printf(cell, "no root filesystem: %s", f->root_problem);
}

static void cell_hostname(
	struct kmln_strv *cell, const struct kmln_compared *side, struct kmln_pool *pool)
{
	(void)pool;
	kmln_strv_add(cell, or (side->facts->hostname, "none"));
}

static void cell_init(
	struct kmln_strv *cell, const struct kmln_compared *side, struct kmln_pool *pool)
{
	(void)pool;
	kmln_strv_printf(
		cell, "%s %s", kmln_init_name(side->facts->init), or (side->facts->init_path, ""));
}

static void cell_fstab(
	struct kmln_strv *cell, const struct kmln_compared *side, struct kmln_pool *pool)
{
	const struct kmln_facts *f = side->facts;

	(void)pool;
	for (size_t i = 0; i < f->fstab_count; i++)
		kmln_strv_printf(cell, "%s on %s (%s)", f->fstab[i].device, f->fstab[i].mount,
			f->fstab[i].type);
	if (!f->fstab_count)
		kmln_strv_add(cell, "none");
}

static void cell_consoles(
	struct kmln_strv *cell, const struct kmln_compared *side, struct kmln_pool *pool)
{
	const struct kmln_facts *f = side->facts;

	(void)pool;
	for (size_t i = 0; i < f->login_count; i++)
		kmln_strv_add(cell, f->logins[i].tty);
	if (!f->login_count)
		kmln_strv_add(cell, "none");
}

static void cell_network(
	struct kmln_strv *cell, const struct kmln_compared *side, struct kmln_pool *pool)
{
	const struct kmln_facts *f = side->facts;

	(void)pool;
	for (size_t i = 0; i < f->interface_count; i++)
		kmln_strv_printf(cell, "%s by %s%s%s%s%s", f->interfaces[i].name,
			f->interfaces[i].system, f->interfaces[i].method ? ", " : "",
			or (f->interfaces[i].method, ""), f->interfaces[i].address ? " " : "",
			or (f->interfaces[i].address, ""));
	if (!f->interface_count)
		kmln_strv_add(cell, "none");
}

static void cell_ready(
	struct kmln_strv *cell, const struct kmln_compared *side, struct kmln_pool *pool)
{
	KMLN_BUF struct kmln_buf names = {0};

	(void)pool;
	for (const struct kmln_platform *const *p = kmln_platforms; *p; p++)
		if (kmln_is_ready(side->facts, *p))
			kmln_buf_printf(&names, "%s%s", names.size ? ", " : "", (*p)->name);
	kmln_strv_add(cell, names.size ? names.data : "no platform");
}

static void cell_packages(
	struct kmln_strv *cell, const struct kmln_compared *side, struct kmln_pool *pool)
{
	(void)pool;
	if (side->facts->package_manager)
		kmln_strv_printf(
			cell, "%zu (%s)", side->facts->package_count, side->facts->package_manager);
	else
		kmln_strv_add(cell, "none");
}

static void cell_total(
	struct kmln_strv *cell, const struct kmln_compared *side, struct kmln_pool *pool)
{
	kmln_strv_printf(cell, "%llu files and folders, %s",
		(unsigned long long)side->layout.objects,
		kmln_plan_bytes(pool, side->layout.bytes));
}

/* ---- the table ---- */

struct line {
	const char *name;
	cell_fn cell;
};

static const struct line lines[] = {
	{"", cell_name},
	{"image", cell_image},
	{"partitions", cell_table},
	{"first sector", cell_sector},
	{"boot loader", cell_loader},
	{"kernels", cell_kernels},
	{"initramfs", cell_initramfs},
	{"filesystems", cell_filesystems},
	{"system", cell_system},
	{"hostname", cell_hostname},
	{"init", cell_init},
	{"fstab", cell_fstab},
	{"consoles", cell_consoles},
	{"network", cell_network},
	{"ready for", cell_ready},
	{"files", cell_total},
};

static void show_line(const struct kmln_comparison *c, const char *name, cell_fn cell)
{
	KMLN_ROW struct kmln_row row = {0};

	cell(&row.a, &c->a, c->pool);
	cell(&row.b, &c->b, c->pool);
	kmln_row_print(&row, name);
}

static void add_item(
	struct kmln_strv *cell, const struct kmln_layout_item *item, struct kmln_pool *pool)
{
	if (!item)
		kmln_strv_add(cell, "-");
	else if (S_ISDIR(item->mode))
		kmln_strv_printf(cell, "%llu files, %s", (unsigned long long)item->others,
			kmln_plan_bytes(pool, item->bytes));
	else
		kmln_strv_printf(cell, "%s%s%s", kmln_type_name(item->mode),
			item->target ? " to " : "", or (item->target, ""));
}

static void show_layout(const struct kmln_comparison *c)
{
	const struct kmln_layout *a = &c->a.layout, *b = &c->b.layout;

	for (size_t i = 0, j = 0; i < a->count || j < b->count;) {
		const struct kmln_layout_item *x = i < a->count ? &a->items[i] : NULL;
		const struct kmln_layout_item *y = j < b->count ? &b->items[j] : NULL;
		int order = !x ? 1 : !y ? -1 : strcmp(x->path, y->path);
		KMLN_BUF struct kmln_buf name = {0};
		KMLN_ROW struct kmln_row row = {0};

		kmln_plan_escape(&name, order <= 0 ? x->path : y->path);
		add_item(&row.a, order <= 0 ? x : NULL, c->pool);
		add_item(&row.b, order >= 0 ? y : NULL, c->pool);
		kmln_row_print(&row, name.data);
		i += order <= 0;
		j += order >= 0;
	}
}

enum where { ONLY_A, ONLY_B, OTHER_VERSION, OTHER_STATUS };

static enum where where(const struct kmln_package_change *change)
{
	if (!change->b)
		return ONLY_A;
	if (!change->a)
		return ONLY_B;
	return kmln_eq(change->a->version, change->b->version) ? OTHER_STATUS : OTHER_VERSION;
}

static size_t count_packages(const struct kmln_comparison *c, enum where wanted)
{
	size_t count = 0;

	for (size_t i = 0; i < c->package_count; i++)
		count += where(&c->packages[i]) == wanted;
	return count;
}

static void show_packages(const struct kmln_comparison *c)
{
	static const char *const names[] = {"  only here", "  only here", "  version", "  status"};

	show_line(c, "packages", cell_packages);
	for (enum where w = ONLY_A; w <= OTHER_STATUS; w++) {
		size_t count = count_packages(c, w), shown = 0;
		KMLN_ROW struct kmln_row row = {0};

		for (size_t i = 0; i < c->package_count; i++) {
			const struct kmln_package *a = c->packages[i].a, *b = c->packages[i].b;
			bool status = w == OTHER_STATUS;

			if (where(&c->packages[i]) != w)
				continue;
			if (shown++ == LISTED && kmln_verbosity <= 0) {
				struct kmln_strv *cell = w == ONLY_B ? &row.b : &row.a;

				kmln_strv_printf(cell, "and %zu more (-v)", count - LISTED);
				break;
			}
			if (a)
				kmln_strv_printf(
					&row.a, "%s %s", a->name, status ? a->status : a->version);
			if (b)
				kmln_strv_printf(
					&row.b, "%s %s", b->name, status ? b->status : b->version);
		}
		if (count)
			kmln_row_print(&row, names[w]);
	}
}

static void show_list(const char *name, const struct kmln_strv *list)
{
	for (size_t i = 0; i < list->count; i++) {
		KMLN_BUF struct kmln_buf text = {0};

		kmln_plan_escape(&text, list->items[i]);
		printf("%-14s %s\n", i ? "" : name, text.data);
	}
}

static void show_prospect(const struct kmln_comparison *c)
{
	const struct kmln_prospect *p = &c->prospect;
	KMLN_BUF struct kmln_buf text = {0};

	if (!p->to) {
		printf("\nB is ready for no platform; --to names one to look at\n");
		return;
	}
	printf("\nA on %s%s:\n", p->to->name, p->named ? "" : ", for which B is ready");
	if (!p->missing.count) {
		printf("%-14s %s\n", "  ready", "nothing is missing");
		return;
	}
	show_list("  missing", &p->missing);
	show_list("  add", &p->add);
	show_list("  change", &p->change);
	show_list("  leave", &p->leave);
	if (p->unknown) {
		kmln_plan_escape(&text, p->unknown);
		printf("%-14s %s\n", "  no plan", text.data);
	}
}

void kmln_comparison_text(const struct kmln_comparison *c)
{
	for (size_t i = 0; i < KMLN_COUNT(lines); i++)
		show_line(c, lines[i].name, lines[i].cell);
	show_layout(c);
	show_packages(c);
	show_prospect(c);
}

/* ---- JSON ---- */

static struct kmln_json *side_json(const struct kmln_compared *side, struct kmln_error *err)
{
	struct kmln_json *o = kmln_json_object(), *list;

	kmln_json_set(o, "path", kmln_json_text(side->path));
	kmln_json_set(o, "facts", kmln_facts_json(side->facts, err));
	kmln_json_set(o, "objects", kmln_json_number(side->layout.objects));
	kmln_json_set(o, "bytes", kmln_json_number(side->layout.bytes));
	list = kmln_json_set(o, "layout", kmln_json_array());
	for (size_t i = 0; i < side->layout.count; i++) {
		const struct kmln_layout_item *item = &side->layout.items[i];
		struct kmln_json *at = kmln_json_add(list, kmln_json_object());

		kmln_json_set(at, "path", kmln_json_text(item->path));
		kmln_json_set(at, "type", kmln_json_text(kmln_type_name(item->mode)));
		kmln_json_set(at, "target", kmln_json_text(item->target));
		kmln_json_set(at, "folders", kmln_json_number(item->folders));
		kmln_json_set(at, "others", kmln_json_number(item->others));
		kmln_json_set(at, "bytes", kmln_json_number(item->bytes));
	}
	return o;
}

static void put_list(struct kmln_json *o, const char *key, const struct kmln_strv *texts)
{
	struct kmln_json *list = kmln_json_set(o, key, kmln_json_array());

	for (size_t i = 0; i < texts->count; i++)
		kmln_json_add(list, kmln_json_text(texts->items[i]));
}

static void put_packages(struct kmln_json *root, const struct kmln_comparison *c)
{
	struct kmln_json *list = kmln_json_set(root, "packages", kmln_json_array());

	for (size_t i = 0; i < c->package_count; i++) {
		const struct kmln_package *a = c->packages[i].a, *b = c->packages[i].b;
		struct kmln_json *o = kmln_json_add(list, kmln_json_object());

		kmln_json_set(o, "name", kmln_json_text(a ? a->name : b->name));
		kmln_json_set(o, "a", kmln_json_text(a ? a->version : NULL));
		kmln_json_set(o, "b", kmln_json_text(b ? b->version : NULL));
	}
}

int kmln_comparison_json(const struct kmln_comparison *c, struct kmln_error *err)
{
	const struct kmln_prospect *p = &c->prospect;
	struct kmln_json *root = kmln_json_object(), *o;

	kmln_json_set(root, "a", side_json(&c->a, err));
	kmln_json_set(root, "b", side_json(&c->b, err));
	put_packages(root, c);
	if (!p->to) {
		kmln_json_set(root, "conversion", kmln_json_text(NULL));
		return kmln_json_print_free(root, stdout, err);
	}
	o = kmln_json_set(root, "conversion", kmln_json_object());
	kmln_json_set(o, "to", kmln_json_text(p->to->name));
	kmln_json_set(o, "ready", kmln_json_bool(!p->missing.count));
	put_list(o, "missing", &p->missing);
	put_list(o, "add", &p->add);
	put_list(o, "change", &p->change);
	put_list(o, "leave", &p->leave);
	kmln_json_set(o, "no_plan", kmln_json_text(p->unknown));
	return kmln_json_print_free(root, stdout, err);
}
