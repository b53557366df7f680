// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A folder of the host as a tree, read only: kernel kits, the host's own kernel, root filesystems
 * laid out. openat2 holds every access below the folder and refuses links, so the kernel enforces
 * what tree.h promises. The folder that was used last stays open: names come in runs of one folder.
 */
#include "tree/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.h"

#ifndef STATX_BASIC_STATS /* musl, as kmln-guest has it, knows the call by its number only */
#include <linux/stat.h>

static int statx(int dir, const char *name, int flags, unsigned mask, struct statx *to)
{
	return (int)syscall(SYS_statx, dir, name, flags, mask, to);
}
#endif

#define PIECE (256u << 10)

struct folder {
	struct kmln_tree tree;
	int root;
	char *dir; /* the folder that is open, as "/etc"; "" is the root */
	int dir_fd; /* -1: none */
};

static int open_inside(struct folder *folder, const char *path, int flags, struct kmln_error *err)
{
	struct open_how how = {
		.flags = (uint64_t)flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	const char *relative = path[0] && path[1] ? path + 1 : ".";
	int fd;

	fd = (int)syscall(SYS_openat2, folder->root, relative, &how, sizeof(how));
	return fd < 0 ? kmln_fail_sys(err, errno, "open") : fd;
}

/* The descriptor of the folder that holds `path`, kept until another one is asked for, and the last
 * component ("." for the root itself). */
static int find_parent(
	struct folder *folder, const char *path, const char **name, struct kmln_error *err)
{
	const char *slash = strrchr(path, '/');
	size_t length = (size_t)(slash - path);
	KMLN_FREE char *dir = NULL;
	int fd;

	*name = slash[1] ? slash + 1 : ".";
	if (folder->dir_fd >= 0 && strlen(folder->dir) == length &&
		memcmp(folder->dir, path, length) == 0)
		return folder->dir_fd;
	dir = kmln_malloc(length + 1);
	memcpy(dir, path, length);
	dir[length] = '\0';
	fd = open_inside(folder, dir, O_PATH | O_DIRECTORY, err);
	if (fd < 0)
		return fd;
	kmln_close_cleanup(&folder->dir_fd);
	free(folder->dir);
	folder->dir_fd = fd;
	folder->dir = dir;
	dir = NULL;
	return fd;
}

static int folder_stat(
	struct kmln_tree *tree, const char *path, struct kmln_stat *st, struct kmln_error *err)
{
	const char *name;
	int dir = find_parent((struct folder *)tree, path, &name, err);
	struct statx s;

	if (dir < 0)
		return dir;
	if (statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &s) < 0)
		return kmln_fail_sys(err, errno, "stat");
	*st = (struct kmln_stat){
		.mode = s.stx_mode,
		.uid = s.stx_uid,
		.gid = s.stx_gid,
		.links = s.stx_nlink,
		.size = s.stx_size,
		.inode = s.stx_ino,
		.stored = s.stx_blocks * 512,
		.mtime = s.stx_mtime.tv_sec,
		.mtime_ns = s.stx_mtime.tv_nsec,
		.flags = (s.stx_attributes & STATX_ATTR_IMMUTABLE ? KMLN_FLAG_IMMUTABLE : 0) |
			 (s.stx_attributes & STATX_ATTR_APPEND ? KMLN_FLAG_APPEND : 0),
	};
	if (S_ISCHR(st->mode) || S_ISBLK(st->mode)) {
		st->major = s.stx_rdev_major;
		st->minor = s.stx_rdev_minor;
	}
	return 0;
}

static int folder_readlink(
	struct kmln_tree *tree, const char *path, struct kmln_buf *target, struct kmln_error *err)
{
	const char *name;
	int dir = find_parent((struct folder *)tree, path, &name, err);
	char text[4096];
	ssize_t n;

	if (dir < 0)
		return dir;
	n = readlinkat(dir, name, text, sizeof(text));
	if (n < 0)
		return kmln_fail_sys(err, errno, "readlink");
	kmln_buf_add(target, text, (size_t)n);
	return 0;
}

static int folder_list(struct kmln_tree *tree, const char *path, struct kmln_listing *listing,
	struct kmln_error *err)
{
	int fd = open_inside((struct folder *)tree, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, err);
	int r = 0;
	DIR *dir;

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return kmln_fail_sys(err, errno, "list");
	}
	while (r == 0) {
		const struct dirent *e;

		errno = 0;
		e = readdir(dir);
		if (!e) {
			r = errno ? kmln_fail_sys(err, errno, "list") : 0;
			break;
		}
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = kmln_listing_add(listing, e->d_name, 0, err);
	}
	closedir(dir);
	return r;
}

/* An open file. Holes are looked for only where it has some. */
struct folder_file {
	struct kmln_file file;
	int fd;
	bool sparse;
	uint64_t at;
	uint64_t data_end; /* the bytes from `at` to here are data, where sparse */
	size_t room;
	char bytes[];
};

/* Where the data that holds, or follows, the present place begins; sets data_end. */
static uint64_t find_data(struct folder_file *f, uint64_t size)
{
	off_t data = lseek(f->fd, (off_t)f->at, SEEK_DATA), hole;

	if (data < 0)
		data = errno == ENXIO ? (off_t)size : (off_t)f->at;
	hole = (uint64_t)data < size ? lseek(f->fd, data, SEEK_HOLE) : -1;
	f->data_end = hole > data ? (uint64_t)hole : UINT64_MAX;
	return (uint64_t)data;
}

static int folder_next(
	struct kmln_file *file, const char **data, uint64_t *size, struct kmln_error *err)
{
	struct folder_file *f = (struct folder_file *)file;
	size_t want = f->room;
	ssize_t n;

	if (f->sparse && f->at >= f->data_end) {
		struct stat st;
		uint64_t start;

		if (fstat(f->fd, &st) < 0)
			return kmln_fail_sys(err, errno, "stat");
		start = find_data(f, (uint64_t)st.st_size);
		if (start > f->at) {
			*data = NULL;
			*size = start - f->at;
			f->at = start;
			return 0;
		}
	}
	if (f->sparse && f->data_end - f->at < want)
		want = (size_t)(f->data_end - f->at);
	do
		n = pread(f->fd, f->bytes, want, (off_t)f->at);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return kmln_fail_sys(err, errno, "read");
	f->at += (uint64_t)n;
	*data = f->bytes;
	*size = (uint64_t)n;
	return 0;
}

static void folder_file_close(struct kmln_file *file)
{
	close(((struct folder_file *)file)->fd);
	free(file);
}

static const struct kmln_file_ops file_ops = {.next = folder_next, .close = folder_file_close};

static int folder_open(
	struct kmln_tree *tree, const char *path, struct kmln_file **file, struct kmln_error *err)
{
	const char *name;
	int dir = find_parent((struct folder *)tree, path, &name, err);
	struct folder_file *f;
	struct stat st;
	size_t room;
	KMLN_FD int fd = -1;

	if (dir < 0)
		return dir;
	/* a fifo must not make us wait, and a device is not even opened */
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return kmln_fail_sys(err, errno, "open");
	if (!S_ISREG(st.st_mode))
		return kmln_fail(err, EINVAL, "not a regular file");
	fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return kmln_fail_sys(err, errno, "open");
	if (!S_ISREG(st.st_mode))
		return kmln_fail(err, EINVAL, "not a regular file");
	/* files of /proc say that they are empty, and are not */
	room = st.st_size > 0 && st.st_size < PIECE ? (size_t)st.st_size + 1 : PIECE;
	f = kmln_malloc(sizeof(*f) + room);
	*f = (struct folder_file){
		.file = {&file_ops},
		.fd = fd,
		.sparse = (uint64_t)st.st_blocks * 512 < (uint64_t)st.st_size,
		.room = room,
	};
	fd = -1;
	*file = &f->file;
	return 0;
}

/* No call lists attributes of an O_PATH descriptor, or relative to one; /proc helps. */
static int folder_xattrs(struct kmln_tree *tree, const char *path, struct kmln_xattrs *xattrs,
	struct kmln_error *err)
{
	const char *name;
	int dir = find_parent((struct folder *)tree, path, &name, err), r = 0;
	char way[64 + NAME_MAX], names[XATTR_LIST_MAX];
	KMLN_FREE char *value = NULL;
	ssize_t n;

	if (dir < 0)
		return dir;
	if (snprintf(way, sizeof(way), "/proc/self/fd/%d/%s", dir, name) >= (int)sizeof(way))
		return kmln_fail_sys(err, ENAMETOOLONG, "list attributes");
	n = llistxattr(way, names, sizeof(names));
	if (n < 0)
		return errno == ENOTSUP ? 0 : kmln_fail_sys(err, errno, "list attributes");
	if (n > 0)
		value = kmln_malloc(XATTR_SIZE_MAX);
	for (const char *x = names; r == 0 && x < names + n; x += strlen(x) + 1) {
		ssize_t size = lgetxattr(way, x, value, XATTR_SIZE_MAX);

		/* ENODATA: it went away between the two calls, or is shown to others only */
		if (size >= 0)
			r = kmln_xattrs_add(xattrs, x, value, (size_t)size, err);
		else if (errno != ENODATA)
			r = kmln_fail_sys(err, errno, "attribute %s", x);
	}
	return r;
}

static int folder_close(struct kmln_tree *tree, struct kmln_error *err)
{
	struct folder *folder = (struct folder *)tree;

	(void)err;
	close(folder->root);
	kmln_close_cleanup(&folder->dir_fd);
	free(folder->dir);
	free(folder);
	return 0;
}

static const struct kmln_tree_ops folder_ops = {
	.name = "folder",
	.stat = folder_stat,
	.readlink = folder_readlink,
	.list = folder_list,
	.open = folder_open,
	.xattrs = folder_xattrs,
	.close = folder_close,
};

int kmln_tree_folder(const char *root, struct kmln_tree **tree, struct kmln_error *err)
{
	int fd = kmln_open(root, O_PATH | O_DIRECTORY, 0, err);
	struct folder *folder;

	if (fd < 0)
		return fd;
	folder = kmln_malloc(sizeof(*folder));
	*folder = (struct folder){.tree = {.ops = &folder_ops}, .root = fd, .dir_fd = -1};
	*tree = &folder->tree;
	return 0;
}
