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

/* Names of a list in one line: the first of them, and how many more there are. */
struct names {
	struct kmln_buf text;
	size_t shown, more;
};
#define NAMES_SHOWN 8

static void add_name(struct names *names, const char *fmt, ...) KMLN_PRINTF(2, 3);
static void add_name(struct names *names, const char *fmt, ...)
{
	va_list args;

	if (names->shown == NAMES_SHOWN) {
		names->more++;
		return;
	}
	if (names->shown++)
		kmln_buf_str(&names->text, ", ");
	va_start(args, fmt);
	kmln_buf_vprintf(&names->text, fmt, args);
	va_end(args);
}

static void show_names(const char *what, const char *before, struct names *names)
{
	if (names->more)
		kmln_buf_printf(&names->text, " and %zu more", names->more);
	if (names->shown)
		line(what, "%s%s", before, names->text.data);
	kmln_buf_fini(&names->text);
}

static void show_volumes(const struct kmln_facts *f)
{
	for (size_t i = 0; i < f->volume_count; i++) {
		const struct kmln_volume *v = &f->volumes[i];
		KMLN_BUF struct kmln_buf text = {0};
		struct names names = {{0}, 0, 0};

		kmln_buf_printf(&text, "%s%s%s%s%s", v->type, v->version ? " " : "",
			or (v->version, ""), v->level ? " " : "", or (v->level, ""));
		if (v->partition)
			kmln_buf_printf(&text, " in partition %u", v->partition);
		if (v->name)
			kmln_buf_printf(&text, ", %s", v->name);
		kmln_buf_printf(&text, "%s%s", v->uuid ? ", " : "", or (v->uuid, ""));
		if (v->problem)
			kmln_buf_printf(&text, "; %s", v->problem);
		line(i ? "" : "volumes", "%s", text.data);
		for (size_t m = 0; m < v->member_count; m++)
			add_name(&names, "%s", v->members[m]);
		show_names("", kmln_eq(v->type, "btrfs") ? "subvolumes " : "volumes ", &names);
	}
}

static void show_disk(const struct kmln_facts *f, struct kmln_pool *pool)
{
	if (kmln_eq(f->format, KMLN_FORMAT_FOLDER)) {
		line("image", "none: a folder");
		return;
	}
	if (kmln_eq(f->format, "raw"))
		line("image", "raw, %s (%s on the host)", kmln_plan_bytes(pool, f->size),
			kmln_plan_bytes(pool, f->allocated));
	else
		line("image", "%s, %s in a file of %s (%s on the host)", f->format,
			kmln_plan_bytes(pool, f->size), kmln_plan_bytes(pool, f->file_size),
			kmln_plan_bytes(pool, f->allocated));
	if (f->backing)
		line("backing", "%s", f->backing);
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
	if (f->esp)
		line("efi", "partition %u, %s", f->esp->partition->number,
			f->esp->loader_sum   ? "GRUB by kmln"
			: f->esp->has_loader ? "a boot loader"
			: f->esp->problem    ? f->esp->problem
					     : "no boot loader");
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

static void show_loaders(const struct kmln_facts *f)
{
	for (size_t i = 0; i < f->loader_count; i++)
		line(i ? "" : "boot loader", "%s, %s", f->loaders[i].type, f->loaders[i].config);
	for (size_t i = 0; i < f->boot_entry_count && i < NAMES_SHOWN; i++) {
		const struct kmln_boot_entry *e = &f->boot_entries[i];

		line(i ? "" : "boot entry", "%s %s%s%s%s%s", e->type, e->file, e->title ? ", " : "",
			or (e->title, ""), e->version ? ", " : "", or (e->version, ""));
	}
	if (f->boot_entry_count > NAMES_SHOWN)
		line("", "and %zu more", f->boot_entry_count - NAMES_SHOWN);
}

static void show_services(const struct kmln_facts *f)
{
	struct names started = {{0}, 0, 0}, masked = {{0}, 0, 0};
	KMLN_BUF struct kmln_buf before = {0};
	size_t count = 0;

	for (size_t i = 0; i < f->service_count; i++) {
		bool again = false;

		/* several targets may want one unit */
		for (size_t k = 0; k < i && !again; k++)
			again = kmln_eq(f->services[k].name, f->services[i].name) &&
				f->services[k].masked == f->services[i].masked;
		if (again)
			continue;
		add_name(f->services[i].masked ? &masked : &started, "%s", f->services[i].name);
		count += !f->services[i].masked;
	}
	kmln_buf_printf(&before, "%zu (%s%s%s): ", count, or (f->service_manager, "?"),
		f->default_target ? ", default " : "", or (f->default_target, ""));
	show_names("services", before.data, &started);
	show_names("masked", "", &masked);
}

/* Facts that matter when a guest moves, where there is something to say. */
static void show_settings(const struct kmln_facts *f)
{
	struct names ttys = {{0}, 0, 0};

	for (size_t i = 0; i < f->mac_name_count && i < NAMES_SHOWN; i++)
		line(i ? "" : "by address", "%s is %s: %s", f->mac_names[i].mac,
			or (f->mac_names[i].name, "matched"), f->mac_names[i].file);
	if (f->mac_name_count > NAMES_SHOWN)
		line("", "and %zu more", f->mac_name_count - NAMES_SHOWN);
	for (size_t i = 0; i < f->swap_count; i++)
		line(i ? "" : "swap", "%s: %s%s", f->swaps[i].device,
			f->swaps[i].resume ? "resumed from, by " : "", f->swaps[i].source);
	for (size_t i = 0; i < f->crypttab_count; i++)
		line(i ? "" : "crypttab", "%s from %s", f->crypttab[i].name, f->crypttab[i].device);
	show_services(f);
	for (size_t i = 0; i < f->securetty_count; i++)
		add_name(&ttys, "%s", f->securetty[i]);
	show_names("securetty", "", &ttys);
	if (f->machine_id && !kmln_eq(f->machine_id, "missing"))
		line("machine-id", "%s", f->machine_id);
	if (f->selinux)
		line("SELinux", "%s%s%s", f->selinux, f->selinux_policy ? ", " : "",
			or (f->selinux_policy, ""));
	for (size_t i = 0; i < f->container_mark_count; i++)
		line(i ? "" : "container", "%s", f->container_marks[i]);
}

/* The ways in which Xen can start the kernel; "" where there is none. */
static const char *xen_types(const struct kmln_kernel *k)
{
	const bool pv = kmln_kernel_starts(k, KMLN_ENTRY_XEN_PV);
	const bool pvh = kmln_kernel_starts(k, KMLN_ENTRY_XEN_PVH);

	return pv && pvh ? "PV and PVH" : pv ? "PV" : pvh ? "PVH" : "";
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

		const char *xen = xen_types(k);

		line(i ? "" : "kernel", "%s%s, %s, %s%s%s", k->release,
			k->uml	   ? " (User-Mode Linux's modules)"
			: k->image ? ""
				   : " (modules only)",
			k->initramfs_ours ? "initramfs by kmln"
			: k->initramfs	  ? "an initramfs"
					  : "no initramfs",
			kmln_plan_bytes(pool, k->bytes), *xen ? ", for Xen as " : "", xen);
	}
	show_loaders(f);
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
	show_settings(f);
}

static void show_notes(const struct kmln_facts *f)
{
	for (size_t i = 0; i < f->note_count; i++)
		line(i ? "" : "notes", "%s", f->notes[i]);
}

static void show_platforms(const struct kmln_facts *f)
{
	printf("\n");
	for (const struct kmln_platform *const *p = kmln_platforms; *p; p++) {
		KMLN_STRV struct kmln_strv missing = {0};
		struct kmln_planning planning = {.facts = f, .platform = *p, .missing = &missing};
		struct kmln_error ignored;

		kmln_plan_guest(&planning, &ignored);
		if (!missing.count && (*p)->domains)
			line((*p)->name, "ready, as %s", xen_types(kmln_guest_kernel(f, *p)));
		else if (!missing.count)
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
	show_volumes(f);
	if (f->root)
		show_guest(f, pool);
	else
		line("root", "not found: %s", f->root_problem);
	show_notes(f);
	show_platforms(f);
}
