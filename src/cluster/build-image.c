// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Portable copies of images, in the cache, where all projects find them. One is converted in a
 * folder of its own and gets its names when it is complete, the disk last: where that is, all is.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "cluster/build-parts.h"
#include "convert/direct.h"
#include "guest/settings.h"
#include "image/check.h"
#include "image/ext.h"
#include "image/inspect.h"
#include "run/apply.h"

/* One at a time makes what is at `path`; the lock is a file beside it, and stays. */
static int lock_place(const char *path, int *fd, struct kmln_error *err)
{
	KMLN_FREE char *folder = kmln_strdup(path), *name = kmln_printf("%s.lock", path);
	int r;

	*strrchr(folder, '/') = '\0';
	r = kmln_make_folders(folder, err);
	if (r == 0)
		r = kmln_open(name, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, err);
	if (r < 0)
		return r;
	*fd = r;
	while (flock(*fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return kmln_fail_sys(err, errno, "%s", name);
	return 0;
}

/* An empty folder; what a killed process left there goes. */
static int make_folder(const char *path, struct kmln_error *err)
{
	int r = kmln_remove_folder(path, err);

	return r < 0 ? r : kmln_make_folders(path, err);
}

/* A file gets its name for good: after a power cut it is whole, or not there. */
static int give_name(const char *old, const char *new, struct kmln_error *err)
{
	KMLN_FD int fd = kmln_open(old, O_RDONLY, 0, err);

	if (fd < 0)
		return fd;
	if (fsync(fd) < 0 || rename(old, new) < 0)
		return kmln_fail_sys(err, errno, "%s", new);
	return kmln_sync_parent(new, err);
}

static int move(const char *folder, const char *base, const char *suffix, const char *to,
	struct kmln_error *err)
{
	KMLN_FREE char *old = kmln_printf("%s/%s%s", folder, base, suffix);
	KMLN_FREE char *new = kmln_printf("%s%s", to, suffix);

	return give_name(old, new, err);
}

/* What is put into the copy besides; it has no name yet, and nobody sees it half done. */
static int add_settings(const char *path, struct kmln_error *err)
{
	const struct kmln_goal goal = {0};
	KMLN_DISK struct kmln_disk disk = {.fd = -1};
	KMLN_FACTS struct kmln_facts *facts = NULL;
	KMLN_EDITS struct kmln_edits edits = {0};
	KMLN_TREE struct kmln_tree *tree = NULL;
	struct kmln_planning planning = {
		.platform = kmln_platform_find("qemu"), .goal = &goal, .edits = &edits};
	int r = kmln_disk_open(path, KMLN_DISK_WRITE, &disk, err);

	if (r == 0)
		r = kmln_inspect(&disk, &facts, err);
	if (r == 0)
		r = kmln_tree_ext(disk.device, &facts->root->range, true, &tree, err);
	if (r < 0)
		return r;
	kmln_settings_inspect(tree, facts, &kmln_base_settings);
	kmln_edits_init(&edits, facts->pool);
	planning.facts = facts;
	r = kmln_plan_settings(&planning, &kmln_base_settings, err);
	if (r == 0)
		r = kmln_apply_tree(&edits, tree, NULL, err);
	if (r == 0)
		r = kmln_tree_close(&tree, err);
	if (r == 0)
		r = kmln_check_clean(disk.device, &facts->root->range, err);
	return r == 0 ? kmln_device_flush(disk.device, err) : r;
}

static int convert(const struct kmln_base *base, const char *folder, struct kmln_error *err)
{
	static const char *const suffixes[] = {".kernel", ".initramfs", ""};
	const char *name = strrchr(base->prepared, '/') + 1;
	KMLN_FREE char *out = kmln_printf("%s/%s", folder, name);
	const struct kmln_convert job = {
		.image = base->path,
		.to = kmln_platform_find("qemu"),
		.out = out,
		.format = "raw",
		.kernel = base->kernel,
		.form = KMLN_BOOT_DIRECT,
		.grow = true,
	};
	int r = kmln_convert(&job, err);

	if (r == 0)
		r = add_settings(out, err);
	if (r == 0 && chmod(out, 0400) < 0)
		r = kmln_fail_sys(err, errno, "%s", out);
	for (size_t i = 0; r == 0 && i < KMLN_COUNT(suffixes); i++)
		r = move(folder, name, suffixes[i], base->prepared, err);
	return r;
}

static int prepare(const struct kmln_base *base, bool *made, struct kmln_error *err)
{
	KMLN_FREE char *folder = kmln_printf("%s.making", base->prepared);
	struct kmln_error ignored;
	KMLN_FD int lock = -1;
	int r = lock_place(base->prepared, &lock, err);

	if (r < 0 || access(base->prepared, R_OK) == 0) {
		*made = *made || r == 0;
		return r;
	}
	kmln_note("%s: making the copy that all its hosts share", base->path);
	r = make_folder(folder, err);
	if (r == 0)
		r = convert(base, folder, err);
	kmln_remove_folder(folder, &ignored);
	*made = *made || r == 0;
	return r < 0 ? kmln_wrap(err, "%s", base->path) : 0;
}

/* The initramfs for all machines of one kernel of User-Mode Linux's. */
static int make_initramfs(const struct kmln_cluster *cluster, struct kmln_error *err)
{
	KMLN_FREE char *folder = kmln_printf("%s.making", cluster->uml_initramfs);
	struct kmln_direct direct;
	struct kmln_error ignored;
	KMLN_FD int lock = -1;
	int r;

	if (access(cluster->uml_initramfs, R_OK) == 0)
		return 0;
	r = lock_place(cluster->uml_initramfs, &lock, err);
	if (r < 0 || access(cluster->uml_initramfs, R_OK) == 0)
		return r;
	r = make_folder(folder, err);
	if (r == 0)
		r = kmln_direct_uml(cluster->bases[0]->facts, cluster->programs.uml, "vda", folder,
			cluster->pool, &direct, err);
	if (r == 0)
		r = give_name(direct.initramfs, cluster->uml_initramfs, err);
	kmln_remove_folder(folder, &ignored);
	return r;
}

int kmln_build_prepare(const struct kmln_cluster *cluster, bool *made, struct kmln_error *err)
{
	bool uml = false;
	int r = 0;

	*made = false;
	for (size_t i = 0; r == 0 && i < cluster->base_count; i++)
		if (cluster->bases[i]->missing)
			r = prepare(cluster->bases[i], made, err);
	for (size_t i = 0; i < cluster->model->host_count; i++)
		uml = uml || kmln_eq(cluster->hosts[i].platform->name, "uml");
	return r == 0 && uml ? make_initramfs(cluster, err) : r;
}
