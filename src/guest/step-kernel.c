// SPDX-License-Identifier: GPL-2.0-or-later
/* A kernel with the platform's drivers, its modules and their indexes. */
#include "guest/steps.h"
#include "guest/vouch.h"

#include <string.h>
#include <sys/stat.h>

/*
 * The same file is there already: by size and time, as kernels are put in with their times. Old
 * filesystems, with inodes of 128 bytes, keep whole seconds.
 */
static bool has_file(
	const struct kmln_kernel *there, const struct kmln_kernel_file *file, const char *path)
{
	for (size_t i = 0; there && i < there->file_count; i++) {
		const struct kmln_kernel_file *f = &there->files[i];

		if (strcmp(f->path, path) != 0)
			continue;
		if (S_ISDIR(file->mode) || S_ISLNK(file->mode))
			return (f->mode & S_IFMT) == (file->mode & S_IFMT);
		return f->size == file->size && f->mtime == file->mtime &&
		       (f->mtime_ns == file->mtime_ns || !f->mtime_ns);
	}
	return false;
}

static int add_file(struct kmln_planning *planning, const struct kmln_kernel_file *file,
	const char *path, const char *why, bool replaces, struct kmln_error *err)
{
	struct kmln_edit edit = {
		.kind = S_ISDIR(file->mode)   ? KMLN_EDIT_MKDIR
			: S_ISLNK(file->mode) ? KMLN_EDIT_SYMLINK
					      : KMLN_EDIT_PUT,
		.by = "kernel",
		.why = why,
		.path = path,
		.mode = S_ISDIR(file->mode) ? 0755 : 0644,
		.mtime = file->mtime,
		.mtime_ns = file->mtime_ns,
		.size = file->size,
	};

	if (!S_ISREG(file->mode) && !S_ISDIR(file->mode) && !S_ISLNK(file->mode))
		return 0;
	if (S_ISREG(file->mode)) {
		edit.from = file->path;
		edit.replaces = replaces ? "" : NULL;
	} else if (S_ISLNK(file->mode)) {
		edit.data = file->target;
	}
	return kmln_edits_add(planning->edits, &edit, err);
}

static const struct kmln_kernel *same_release(const struct kmln_facts *facts, const char *release)
{
	for (size_t i = 0; i < facts->kernel_count; i++)
		if (kmln_eq(facts->kernels[i].release, release))
			return &facts->kernels[i];
	return NULL;
}

static bool there_by_name(const struct kmln_kernel *there, const char *path)
{
	for (size_t i = 0; there && i < there->file_count; i++)
		if (strcmp(there->files[i].path, path) == 0)
			return true;
	return false;
}

static int put_kit(struct kmln_planning *planning, struct kmln_error *err)
{
	const struct kmln_kernel *kit = planning->goal->kernel;
	const struct kmln_kernel *there = same_release(planning->facts, kit->release);
	size_t modules = kit->modules ? strlen(kit->modules) : 0;
	const char *boot, *folder;
	int r = kmln_want_folder(planning, "kernel", "/boot", &boot, err);

	if (r == 0)
		r = kmln_want_folder(planning, "kernel", "/lib", &folder, err);
	if (r == 0)
		r = kmln_want_folder(planning, "kernel", "/lib/modules", &folder, err);
	for (size_t i = 0; r == 0 && i < kit->file_count; i++) {
		const struct kmln_kernel_file *f = &kit->files[i];
		bool module = modules && strncmp(f->path, kit->modules, modules) == 0;
		const char *path = module ? kmln_pool_printf(planning->edits->pool, "%s/%s%s",
						    folder, kit->release, f->path + modules)
					  : kmln_pool_printf(planning->edits->pool, "%s%s", boot,
						    strrchr(f->path, '/'));

		if (!has_file(there, f, path))
			r = add_file(planning, f, path,
				module ? "its modules" : "the kernel itself",
				there_by_name(there, path), err);
	}
	return r;
}

static int plan(struct kmln_planning *planning, struct kmln_error *err)
{
	if (!planning->platform->needs_kernel)
		return 0;
	if (!kmln_guest_kernel(planning->facts, planning->platform)) {
		KMLN_BUF struct kmln_buf drivers = {0};

		for (const char *const *d = planning->platform->drivers; d && *d; d++)
			kmln_buf_printf(&drivers, "%s%s", drivers.size ? ", " : "", *d);
		kmln_missing(planning, "a kernel%s%s%s",
			planning->platform->domains ? " that Xen can start" : "",
			drivers.size ? " with " : "", drivers.size ? drivers.data : "");
	}
	if (!planning->edits || !planning->goal->from_kit)
		return 0;
	if (kmln_keeps_loader(planning))
		return kmln_fail(err, KMLN_EINVALID,
			"the guest boots by a %s of its own, which would not start a kernel that kmln "
			"puts in: install one in the guest",
			planning->facts->loader ? planning->facts->loader : "boot loader");
	return put_kit(planning, err);
}

/* "vmlinuz-RELEASE" and what lies beside it. */
static bool is_boot_name(const char *name)
{
	static const char *const names[] = {
		"vmlinuz-", "vmlinux-", "bzImage-", "config-", "System.map-"};

	for (size_t i = 0; i < KMLN_COUNT(names); i++)
		if (kmln_starts(name, names[i]))
			return kmln_release_valid(name + strlen(names[i]));
	return false;
}

static bool could_write(const struct kmln_facts *facts, const struct kmln_record_item *item)
{
	static const char *const folders[] = {"/boot", "/lib", "/lib/modules"};
	const char *below;

	if (item->kind != KMLN_RECORD_MKDIR && item->kind != KMLN_RECORD_SYMLINK &&
		!(item->kind == KMLN_RECORD_PUT && item->timed))
		return false;
	if (item->was == KMLN_WAS_KEPT)
		return false;
	for (size_t i = 0; i < KMLN_COUNT(folders); i++)
		if (kmln_is_place(facts, folders[i], item->path))
			return item->kind == KMLN_RECORD_MKDIR && item->mode == 0755;
	below = kmln_below_place(facts, "/lib/modules", item->path);
	if (below) {
		KMLN_FREE char *release = kmln_printf("%.*s", (int)strcspn(below, "/"), below);

		return kmln_release_valid(release) &&
		       (below[strlen(release)] || item->kind == KMLN_RECORD_MKDIR);
	}
	below = kmln_below_place(facts, "/boot", item->path);
	return below && item->kind == KMLN_RECORD_PUT && is_boot_name(below);
}

const struct kmln_step kmln_step_kernel = {
	.name = "kernel",
	.summary = "put in a kernel with the platform's drivers",
	.plan = plan,
	.could_write = could_write,
};
