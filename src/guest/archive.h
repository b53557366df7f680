/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Archives, read by libarchive: Debian packages, tar streams. A compressed file that is no archive
 * is image/unpack.h's.
 *
 * Archives are as hostile as guests: nothing is ever written outside the folder that the caller
 * names, and every length has a limit.
 */
#ifndef KMLN_GUEST_ARCHIVE_H
#define KMLN_GUEST_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/mem.h"
#include "image/unpack.h"

/* ---- Debian packages ---- */

/* What the control file of a package says; text from the pool, never NULL. */
struct kmln_deb {
	const char *package; /* [a-z0-9][a-z0-9+.-]*, so fit for a file name */
	const char *version; /* [A-Za-z0-9.+:~-]+ */
	const char *architecture; /* [a-z0-9-]+ */
};

/* Reads the control file of the package `path`. KMLN_EINVALID: not a Debian package. */
int kmln_deb_read(
	const char *path, struct kmln_pool *pool, struct kmln_deb *deb, struct kmln_error *err);

/* A file of a package: of its control part (only name, mode, data), or of its data. */
struct kmln_deb_file {
	const char *path; /* control: "postinst"; data: as tree/tree.h wants it; "/" is the root */
	uint32_t mode; /* type and permissions: a regular file, a folder or a symbolic link */
	uint32_t uid, gid;
	int64_t mtime;
	uint64_t size; /* bytes of content; 0 unless a regular file */
	const char
		*data; /* of a regular file, NUL behind it; NULL where only control was asked for */
	const char *target; /* of a link */
};

struct kmln_deb_content {
	struct kmln_deb_file *control, *files; /* in the package's order */
	size_t control_count, file_count;
};

/*
 * Reads a whole small package into the pool: its control files, and its data unless `control_only`.
 * EFBIG where that is more than `limit` bytes; KMLN_EINVALID for kinds of files that it cannot hold
 * (hard links, devices).
 */
int kmln_deb_load(const char *path, bool control_only, size_t limit, struct kmln_pool *pool,
	struct kmln_deb_content *content, struct kmln_error *err);

/*
 * Unpacks the data of the package `path` into the existing folder `folder` of the host. Only
 * regular files and folders are made, with their modes (no set-id bits) and mtimes and the caller's
 * owner; symbolic links are left out, anything else in the package is KMLN_EINVALID. A file
 * that exists is replaced. On an error what was unpacked so far stays: use a folder of your own.
 * `list` (may be NULL) gets the path of each entry, a line each, as dpkg writes them down ("/."
 * first); *whole (NULL with it) is false where a link was left out, or where something does not
 * belong to root: then the folder is not all that the package is.
 */
int kmln_deb_unpack(const char *path, const char *folder, struct kmln_buf *list, bool *whole,
	struct kmln_error *err);

/* ---- tar streams ---- */

struct kmln_tar; /* the stream, at the content of one entry */

struct kmln_tar_xattr {
	const char *name; /* as getxattr(2): "security.capability", "system.posix_acl_access" ... */
	const char *value; /* `size` bytes, as getxattr(2) gives them */
	size_t size;
};

/* One entry; all pointers last until the callback returns. */
struct kmln_tar_entry {
	const char *path; /* as tree/tree.h wants it: absolute, clean; "/" is the root itself */
	uint32_t mode; /* type and permissions; a hard link has type 0 */
	uint32_t uid, gid;
	int64_t mtime;
	uint32_t mtime_ns;
	uint64_t size; /* bytes of content; 0 unless a regular file */
	uint32_t dev_major, dev_minor; /* device nodes only */
	const char *hardlink; /* a path like `path`, of an earlier entry; NULL: no hard link */
	const char *symlink; /* the target as it stands; NULL: no symbolic link */
	const struct kmln_tar_xattr *xattrs; /* sorted by name; POSIX ACLs are among them */
	size_t xattr_count;
};

/*
 * One entry. kmln_tar_read(content, ...) gives its bytes; what is not read is skipped. Return 0 to
 * go on, 1 to end without an error, or a negative code.
 */
typedef int (*kmln_tar_fn)(void *data, const struct kmln_tar_entry *entry, struct kmln_tar *content,
	struct kmln_error *err);

/*
 * Walks a tar stream (ustar, pax, GNU; plain, gzip, xz, zstd) from a descriptor, which need not be
 * seekable and is read to its end. KMLN_EINVALID: a path with "..", a pax name that is not UTF-8,
 * an access list of names without numbers, owners that no filesystem has, a stream that ends early.
 */
int kmln_tar_walk(int fd, kmln_tar_fn fn, void *data, struct kmln_error *err);

/*
 * Up to `room` bytes of the entry's content; the number, 0 at the end, or a negative code. Holes
 * read as zeros. Has the shape of a kmln_source_fn: pass the struct kmln_tar as its data.
 */
ssize_t kmln_tar_read(void *content, char *bytes, size_t room, struct kmln_error *err);

#endif
