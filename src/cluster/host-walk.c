// SPDX-License-Identifier: GPL-2.0-or-later
/* Walking a tree of the host's, for copying it into a guest; see landing.h. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cluster/landing.h"

#define DEPTH_MAX 200

struct walk {
	const char *root;
	struct kmln_buf path;
	int (*each)(void *data, const struct kmln_host_entry *entry, struct kmln_error *err);
	void *data;
};

static int visit(
	struct walk *walk, int parent, const char *name, unsigned depth, struct kmln_error *err);

static int fail(struct walk *walk, struct kmln_error *err)
{
	return kmln_fail_sys(
		err, errno, "%s%s%s", walk->root, walk->path.size ? "/" : "", walk->path.data);
}

static void close_folder(DIR **folder)
{
	if (*folder)
		closedir(*folder);
}

static int visit_folder(
	struct walk *walk, int parent, const char *name, unsigned depth, struct kmln_error *err)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	KMLN_CLEANUP(close_folder) DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	size_t length = walk->path.size;
	const struct dirent *entry;

	if (!folder)
		return fail(walk, err);
	if (depth == DEPTH_MAX)
		return kmln_fail(err, ELOOP, "%s: more than %d folders in each other",
			walk->path.data, DEPTH_MAX);
	while (r == 0 && (entry = readdir(folder))) {
		if (kmln_eq(entry->d_name, ".") || kmln_eq(entry->d_name, ".."))
			continue;
		kmln_buf_printf(&walk->path, "%s%s", length ? "/" : "", entry->d_name);
		r = visit(walk, dirfd(folder), entry->d_name, depth + 1, err);
		walk->path.size = length;
		walk->path.data[length] = '\0';
	}
	return r;
}

static int visit(
	struct walk *walk, int parent, const char *name, unsigned depth, struct kmln_error *err)
{
	struct kmln_host_entry entry = {.path = walk->path.data, .fd = -1};
	char target[PATH_MAX];
	KMLN_FD int fd = -1;
	struct stat st;
	int r;

	if (fstatat(parent, name, &st, depth ? AT_SYMLINK_NOFOLLOW : 0) < 0)
		return fail(walk, err);
	entry.st = &st;
	if (S_ISLNK(st.st_mode)) {
		ssize_t n = readlinkat(parent, name, target, sizeof(target) - 1);

		if (n < 0)
			return fail(walk, err);
		target[n] = '\0';
		entry.target = target;
	} else if (S_ISREG(st.st_mode)) {
		/* it may be something else by now */
		fd = openat(
			parent, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (depth ? O_NOFOLLOW : 0));
		if (fd < 0 || fstat(fd, &st) < 0)
			return fail(walk, err);
		entry.fd = fd;
	}
	r = walk->each(walk->data, &entry, err);
	if (r == 0 && S_ISDIR(st.st_mode))
		r = visit_folder(walk, parent, name, depth, err);
	return r;
}

int kmln_host_walk(const char *path,
	int (*each)(void *data, const struct kmln_host_entry *entry, struct kmln_error *err),
	void *data, struct kmln_error *err)
{
	struct walk walk = {.root = path, .each = each, .data = data};
	int r;

	kmln_buf_add(&walk.path, "", 0);
	r = visit(&walk, AT_FDCWD, path, 0, err);
	kmln_buf_fini(&walk.path);
	return r;
}
