// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A folder of the host as a tree, read only: kernel kits and the host's own kernel. openat2 holds
 * every access below the folder and refuses links, so the kernel enforces what tree.h promises.
 */
#include "tree/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"

struct folder {
	struct kmln_tree tree;
	int root;
};

static int open_inside(struct kmln_tree *tree, const char *path, int flags, struct kmln_error *err)
{
	const struct folder *folder = (const struct folder *)tree;
	struct open_how how = {
		.flags = (uint64_t)flags | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	const char *relative = path[1] ? path + 1 : ".";
	int fd;

	/* the last component may be a link when it is only looked at (O_PATH) */
	fd = (int)syscall(SYS_openat2, folder->root, relative, &how, sizeof(how));
	return fd < 0 ? kmln_fail_sys(err, errno, "open") : fd;
}

static int folder_stat(
	struct kmln_tree *tree, const char *path, struct kmln_stat *st, struct kmln_error *err)
{
	KMLN_FD int fd = open_inside(tree, path, O_PATH, err);
	struct stat s;

	if (fd < 0)
		return fd;
	if (fstat(fd, &s) < 0)
		return kmln_fail_sys(err, errno, "stat");
	*st = (struct kmln_stat){
		.mode = s.st_mode,
		.uid = s.st_uid,
		.gid = s.st_gid,
		.links = (uint32_t)s.st_nlink,
		.size = (uint64_t)s.st_size,
		.inode = s.st_ino,
		.mtime = s.st_mtim.tv_sec,
		.mtime_ns = (uint32_t)s.st_mtim.tv_nsec,
	};
	return 0;
}

static int folder_readlink(
	struct kmln_tree *tree, const char *path, struct kmln_buf *target, struct kmln_error *err)
{
	KMLN_FD int fd = open_inside(tree, path, O_PATH, err);
	char text[4096];
	ssize_t n;

	if (fd < 0)
		return fd;
	n = readlinkat(fd, "", text, sizeof(text));
	if (n < 0)
		return kmln_fail_sys(err, errno, "readlink");
	kmln_buf_add(target, text, (size_t)n);
	return 0;
}

static int folder_list(struct kmln_tree *tree, const char *path, kmln_name_fn fn, void *data,
	struct kmln_error *err)
{
	int fd = open_inside(tree, path, O_RDONLY | O_DIRECTORY, err);
	int r = 0;
	DIR *dir;

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return kmln_fail_sys(err, errno, "list");
	}
	for (const struct dirent *e; r == 0 && (e = readdir(dir));)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = fn(data, e->d_name, err);
	closedir(dir);
	return r < 0 ? r : 0;
}

static int folder_read(struct kmln_tree *tree, const char *path, kmln_chunk_fn fn, void *data,
	struct kmln_error *err)
{
	/* a fifo must not make us wait */
	KMLN_FD int fd = open_inside(tree, path, O_RDONLY | O_NONBLOCK, err);
	KMLN_FREE char *piece = kmln_malloc(1 << 20);

	if (fd < 0)
		return fd;
	for (;;) {
		ssize_t n = read(fd, piece, 1 << 20);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return kmln_fail_sys(err, errno, "read");
		if (n == 0)
			return 0;
		r = fn(data, piece, (size_t)n, err);
		if (r)
			return r < 0 ? r : 0;
	}
}

static int folder_close(struct kmln_tree *tree, struct kmln_error *err)
{
	struct folder *folder = (struct folder *)tree;

	(void)err;
	close(folder->root);
	free(folder);
	return 0;
}

static const struct kmln_tree_ops folder_ops = {
	.name = "folder",
	.stat = folder_stat,
	.readlink = folder_readlink,
	.list = folder_list,
	.read = folder_read,
	.close = folder_close,
};

int kmln_tree_folder(const char *root, struct kmln_tree **tree, struct kmln_error *err)
{
	int fd = kmln_open(root, O_PATH | O_DIRECTORY, 0, err);
	struct folder *folder;

	if (fd < 0)
		return fd;
	folder = kmln_malloc(sizeof(*folder));
	*folder = (struct folder){{&folder_ops}, fd};
	*tree = &folder->tree;
	return 0;
}
