// SPDX-License-Identifier: GPL-2.0-or-later
/* Facts for people: a line for each thing, lists below it, nothing that is not there. */
#include "cli/show-facts.h"

#include <stdarg.h>
#include <stdio.h>

#include "guest/step.h"
#include "plan/print.h"

/* "name:" in a column, then the text, in which a guest's control bytes are escaped. */
KMLN_PRINTF(2, 3)
static void line(const char *name, const char *fmt, ...)
{
	KMLN_BUF struct kmln_buf text = {0}, clean = {0};
	va_list args;

	va_start(args, fmt);
	kmln_buf_vprintf(&text, fmt, args);
	va_end(args);
	kmln_plan_escape(&clean, text.data ? text.data : "");
	printf("%-12s %s\n", name, clean.data ? clean.data : "");
}

static const char * or (const char *text, const char *other)
{
	return text && *text ? text : other;
}

static void show_disk(const struct kmln_facts *f, struct kmln_pool *pool)
{
	if (kmln_eq(f->format, KMLN_FORMAT_FOLDER)) {
		line("image", "none: a folder");
		return;
	}
	line("image", "%s, %s (%s on the host)", f->format, kmln_plan_bytes(pool, f->size),
		kmln_plan_bytes(pool, f->allocated));
	if (f->table)
		line("partitions", "%s %s, boot code: %s", f->table, or (f->disk_id, ""),
			or (f->boot, "none"));
	else
		line("partitions", "none: a bare filesystem");
	for (size_t i = 0; i < f->partition_count; i++) {
		const struct kmln_partition *p = &f->partitions[i];

		line("", "%u: %s at %llu, %s%s%s%s", p->number,
			kmln_plan_bytes(pool, p->range.size), (unsigned long long)p->range.offset,
			or (p->type_name, or (p->type, "?")), p->active ? ", active" : "",
			p->name ? ", " : "", or (p->name, ""));
	}
	for (size_t i = 0; i < f->filesystem_count; i++) {
		const struct kmln_filesystem *fs = &f->filesystems[i];

		if (fs->is_ext)
			line(i ? "" : "filesystem", "%s %s%s%s, %s, %s free, %s%s%s", fs->type,
				or (fs->uuid, ""), fs->label && *fs->label ? " " : "",
				or (fs->label, ""), kmln_plan_bytes(pool, fs->bytes),
				kmln_plan_bytes(pool, fs->free_bytes), fs->state,
				fs->mount ? ", on " : "", or (fs->mount, ""));
		else
			line(i ? "" : "filesystem", "%s %s%s%s", fs->type, or (fs->uuid, ""),
				fs->mount ? ", on " : "", or (fs->mount, ""));
	}
}

static void show_guest(const struct kmln_facts *f, struct kmln_pool *pool)
{
	line("system", "%s, %s", or (f->os_name, or (f->os_id, "unknown")),
		or (f->arch, "unknown"));
	line("hostname", "%s", or (f->hostname, "none"));
	line("init", "%s%s%s", kmln_init_name(f->init), f->init_path ? " " : "",
		or (f->init_path, ""));
	if (f->package_manager)
		line("packages", "%zu (%s)", f->package_count, f->package_manager);
	for (size_t i = 0; i < f->kernel_count; i++) {
		const struct kmln_kernel *k = &f->kernels[i];

		line(i ? "" : "kernel", "%s%s, %s, %s", k->release,
			k->uml	   ? " (User-Mode Linux's modules)"
			: k->image ? ""
				   : " (modules only)",
			k->initramfs_ours ? "initramfs by kmln"
			: k->initramfs	  ? "an initramfs"
					  : "no initramfs",
			kmln_plan_bytes(pool, k->bytes));
	}
	if (f->loader)
		line("boot loader", "%s, %s", f->loader, f->loader_config);
	for (size_t i = 0; i < f->fstab_count; i++)
		line(i ? "" : "fstab", "%s on %s (%s)", f->fstab[i].device, f->fstab[i].mount,
			f->fstab[i].type);
	for (size_t i = 0; i < f->login_count; i++)
		line(i ? "" : "logins", "%s: %s", f->logins[i].tty, f->logins[i].source);
	for (size_t i = 0; i < f->interface_count; i++)
		line(i ? "" : "network", "%s by %s%s%s%s%s", f->interfaces[i].name,
			f->interfaces[i].system, f->interfaces[i].method ? ", " : "",
			or (f->interfaces[i].method, ""), f->interfaces[i].address ? " " : "",
			or (f->interfaces[i].address, ""));
}

static void show_platforms(const struct kmln_facts *f)
{
	printf("\n");
	for (const struct kmln_platform *const *p = kmln_platforms; *p; p++) {
		KMLN_STRV struct kmln_strv missing = {0};
		struct kmln_planning planning = {.facts = f, .platform = *p, .missing = &missing};
		struct kmln_error ignored;

		kmln_plan_guest(&planning, &ignored);
		if (!missing.count)
			line((*p)->name, "ready");
		for (size_t i = 0; i < missing.count; i++)
			line(i ? "" : (*p)->name, "%s%s",
				i ? "         " : "missing: ", missing.items[i]);
	}
}

void kmln_show_facts_text(const struct kmln_facts *f)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();

	show_disk(f, pool);
	if (f->root)
		show_guest(f, pool);
	else
		line("root", "not found: %s", f->root_problem);
	show_platforms(f);
}
