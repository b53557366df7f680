// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of steps, and what they share. */
#include "guest/step.h"

#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "guest/steps.h"

const struct kmln_step *const kmln_steps[] = {
	&kmln_step_wrap,
	&kmln_step_unwrap,
	&kmln_step_resize,
	&kmln_step_merge,
	&kmln_step_kernel,
	&kmln_step_initramfs,
	&kmln_step_packages,
	&kmln_step_fstab,
	&kmln_step_crypttab,
	&kmln_step_resume,
	&kmln_step_xen_modules,
	&kmln_step_login,
	&kmln_step_uml_units,
	&kmln_step_uml_modules,
	&kmln_step_grub,
	&kmln_step_loader,
	&kmln_step_record,
	NULL,
};

const char *const kmln_boot_forms[] = {
	[KMLN_BOOT_BIOS] = "bios",
	[KMLN_BOOT_UEFI] = "uefi",
	[KMLN_BOOT_DISK] = "disk",
	[KMLN_BOOT_DIRECT] = "direct",
	[KMLN_BOOT_FORMS] = NULL,
};

bool kmln_wants_loader(const struct kmln_planning *planning)
{
	enum kmln_boot_form form = planning->goal ? planning->goal->form : KMLN_BOOT_BIOS;

	return planning->platform->needs_loader &&
	       (form == KMLN_BOOT_BIOS || form == KMLN_BOOT_UEFI);
}

bool kmln_wants_menu(const struct kmln_planning *planning)
{
	return kmln_wants_loader(planning) || planning->platform->domains;
}

bool kmln_keeps_loader(const struct kmln_planning *planning)
{
	return kmln_wants_loader(planning) && kmln_has_own_loader(planning->facts);
}

void kmln_missing(struct kmln_planning *planning, const char *fmt, ...)
{
	KMLN_BUF struct kmln_buf text = {0};
	va_list args;

	va_start(args, fmt);
	kmln_buf_vprintf(&text, fmt, args);
	va_end(args);
	if (planning->missing && !kmln_strv_has(planning->missing, text.data))
		kmln_strv_add(planning->missing, text.data);
}

int kmln_check_guest(const struct kmln_facts *facts, struct kmln_error *err)
{
	if (!facts->root)
		return kmln_fail(err, KMLN_EINVALID, "no root filesystem: %s", facts->root_problem);
	for (size_t i = 0; i < facts->fstab_count; i++)
		if (facts->init == KMLN_INIT_NONE && kmln_eq(facts->fstab[i].mount, "/usr"))
			return kmln_fail(err, KMLN_EINVALID,
				"the guest keeps /usr, and so its init program, on a filesystem of its own "
				"(%s, /etc/fstab:%u): where that is on this disk, --merge puts it into the root",
				facts->fstab[i].device, facts->fstab[i].line);
	if (!kmln_arch_runs(facts->arch, "x86-64"))
		return kmln_fail(err, KMLN_EINVALID,
			"the guest's programs are for %s, and kmln has machines for x86-64 only",
			facts->arch);
	if (facts->init == KMLN_INIT_NONE)
		return kmln_fail(err, KMLN_EINVALID,
			"the guest has no init program, as /sbin/init: nothing can start it");
	return 0;
}

int kmln_plan_guest(struct kmln_planning *planning, struct kmln_error *err)
{
	const struct kmln_facts *facts = planning->facts;
	/* a guest that is put together may have its init in another part */
	const bool parts = facts->table && planning->goal && planning->goal->merged_count;
	int r = planning->edits && !parts ? kmln_check_guest(facts, err) : 0;

	if (r < 0)
		return r;
	if (!facts->root) {
		kmln_missing(planning, "a root filesystem: %s", facts->root_problem);
		return 0;
	}
	if (facts->init == KMLN_INIT_NONE)
		kmln_missing(planning, "an init program");
	if (!kmln_arch_runs(facts->arch, "x86-64"))
		kmln_missing(planning, "programs for x86-64 (they are for %s)", facts->arch);
	for (const struct kmln_step *const *step = kmln_steps; *step; step++) {
		r = (*step)->plan(planning, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The parent folder of a real path was resolved with it, so it is there; unless the guest lacks it.
 */
int kmln_want_file(struct kmln_planning *planning, const char *step, const char *why,
	const char *path, const char *data, size_t size, uint32_t mode, bool shared,
	struct kmln_error *err)
{
	const struct kmln_known_file *file = kmln_facts_file(planning->facts, path);
	struct kmln_edit edit = {
		.kind = KMLN_EDIT_PUT,
		.by = step,
		.why = why,
		.path = file->real,
		.mode = mode,
		.mtime = KMLN_MTIME_NOW,
		.data = data,
		.size = size,
		.replaces = file->data,
		.replaces_size = file->size,
		.replaces_mode = file->mode,
		.replaces_uid = file->uid,
		.replaces_gid = file->gid,
		.replaces_mtime = file->mtime,
		.replaces_mtime_ns = file->mtime_ns,
		.shared = shared,
	};

	if (!file->real)
		return kmln_fail(err, KMLN_EINVALID,
			"in the guest, %s leads nowhere: %s; mend that link first", path,
			file->problem);
	if (file->mode && !S_ISREG(file->mode))
		return kmln_fail(
			err, KMLN_EINVALID, "in the guest, %s is not a regular file", path);
	if (file->mode && !file->data)
		return kmln_fail(err, KMLN_EINVALID, "in the guest, %s cannot be read: %s", path,
			file->problem ? file->problem : "it is too long");
	if (file->data && file->size == size && memcmp(file->data, data, size) == 0)
		return 0;
	return kmln_edits_add(planning->edits, &edit, err);
}

int kmln_want_folder(struct kmln_planning *planning, const char *step, const char *path,
	const char **real, struct kmln_error *err)
{
	const struct kmln_known_file *file = kmln_facts_file(planning->facts, path);
	struct kmln_edit edit = {
		.kind = KMLN_EDIT_MKDIR,
		.by = step,
		.path = file->real,
		.mode = 0755,
		.mtime = KMLN_MTIME_NOW,
	};

	if (!file->real) {
		/* a folder below one that this plan makes: /boot/grub where /boot is new */
		const char *slash = strrchr(path, '/'), *parent_real;
		const char *parent =
			kmln_pool_memdup(planning->edits->pool, path, (size_t)(slash - path));
		int r;

		if (slash == path || kmln_facts_file(planning->facts, parent)->mode)
			return kmln_fail(err, KMLN_EINVALID,
				"in the guest, %s leads nowhere: %s; mend that link first", path,
				file->problem);
		r = kmln_want_folder(planning, step, parent, &parent_real, err);
		if (r < 0)
			return r;
		edit.path = kmln_pool_printf(planning->edits->pool, "%s%s", parent_real, slash);
	} else if (file->mode && !S_ISDIR(file->mode)) {
		return kmln_fail(err, KMLN_EINVALID, "in the guest, %s is not a folder", path);
	}
	*real = edit.path;
	if (file->mode || kmln_edits_has(planning->edits, edit.path))
		return 0;
	return kmln_edits_add(planning->edits, &edit, err);
}

bool kmln_kernel_suits(const struct kmln_kernel *kernel, const struct kmln_facts *facts,
	const struct kmln_platform *platform)
{
	if (kernel->uml || !kernel->image || !kernel->indexed ||
		!kmln_arch_runs(facts->arch, kernel->arch))
		return false;
	for (const char *const *e = platform->entries; e && *e; e++)
		if (!kmln_kernel_starts(kernel, *e))
			return false;
	for (const char *const *d = platform->drivers; d && *d; d++)
		if (!kmln_kernel_has(kernel, *d))
			return false;
	return !facts->root || !facts->root->is_ext || kmln_kernel_has(kernel, "ext4");
}

void kmln_kernel_misfit(const struct kmln_kernel *kernel, const struct kmln_facts *facts,
	const struct kmln_platform *platform, struct kmln_buf *why)
{
	/* a program of User-Mode Linux is an ELF like others */
	if (kernel->uml || (kernel->image && (!kernel->entries || !*kernel->entries))) {
		kmln_buf_str(why, "it is no kernel for a machine; one of User-Mode Linux, perhaps");
		return;
	}
	for (const char *const *e = platform->entries; e && *e; e++) {
		if (kmln_kernel_starts(kernel, *e))
			continue;
		if (kmln_eq(*e, KMLN_ENTRY_PC))
			kmln_buf_str(why, "only Xen can start it");
		else
			kmln_buf_printf(why, "it has no notes that let Xen start it%s",
				kmln_eq(*e, KMLN_ENTRY_XEN_PV)	  ? " as PV"
				: kmln_eq(*e, KMLN_ENTRY_XEN_PVH) ? " as PVH"
								  : "");
		return;
	}
	for (const char *const *d = platform->drivers; d && *d; d++)
		if (!kmln_kernel_has(kernel, *d)) {
			kmln_buf_printf(why, "it has no driver %s", *d);
			return;
		}
	kmln_buf_printf(why, "it is not for this guest (%s programs, %s)",
		facts->arch ? facts->arch : "unknown", facts->root ? facts->root->type : "no root");
}

const struct kmln_kernel *kmln_guest_kernel(
	const struct kmln_facts *facts, const struct kmln_platform *platform)
{
	for (size_t i = 0; i < facts->kernel_count; i++)
		if (kmln_kernel_suits(&facts->kernels[i], facts, platform))
			return &facts->kernels[i];
	return NULL;
}
