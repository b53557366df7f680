/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A root filesystem: one interface, several kinds (a folder here; ext2/3/4 in image/ext). Guests
 * are hostile: a path is always a path inside the tree, links are followed inside it only, by
 * kmln_tree_resolve(), and the kinds themselves never follow one.
 *
 * Paths: absolute, no "." or "..", no double or trailing slash; "/" is the root. Names are bytes.
 */
#ifndef KMLN_TREE_TREE_H
#define KMLN_TREE_TREE_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/mem.h"

struct kmln_stat {
	uint32_t mode; /* type and permissions, as S_IFMT and friends */
	uint32_t uid, gid;
	uint32_t links;
	uint64_t size; /* bytes */
	uint64_t inode;
	int64_t mtime;
	uint32_t mtime_ns;
};

/* One piece of a file. Return 0 to go on, 1 to end the reading without an error, or a negative
 * code. */
typedef int (*kmln_chunk_fn)(void *data, const char *bytes, size_t size, struct kmln_error *err);
/* One name in a folder, never "." or "..". Returns as kmln_chunk_fn. */
typedef int (*kmln_name_fn)(void *data, const char *name, struct kmln_error *err);
/* Gives up to `room` bytes of a file's content; returns the number, 0 at the end, or a negative
 * code. */
typedef ssize_t (*kmln_source_fn)(void *data, char *bytes, size_t room, struct kmln_error *err);

/* What a new object is made with. */
struct kmln_meta {
	uint32_t mode; /* permission bits, set-id and sticky included */
	uint32_t uid, gid;
	int64_t mtime;
	uint32_t mtime_ns;
};

struct kmln_tree;

/* A kind. The last path component is never followed; a link on the way is an error (ELOOP). */
struct kmln_tree_ops {
	const char *name;
	int (*stat)(struct kmln_tree *tree, const char *path, struct kmln_stat *st,
		struct kmln_error *err);
	int (*readlink)(struct kmln_tree *tree, const char *path, struct kmln_buf *target,
		struct kmln_error *err);
	int (*list)(struct kmln_tree *tree, const char *path, kmln_name_fn fn, void *data,
		struct kmln_error *err);
	int (*read)(struct kmln_tree *tree, const char *path, kmln_chunk_fn fn, void *data,
		struct kmln_error *err);
	/* The kinds that can be written have all of these; the others none. */
	int (*mkdir)(struct kmln_tree *tree, const char *path, const struct kmln_meta *meta,
		struct kmln_error *err);
	/* A file of `size` bytes. An existing regular file keeps its inode: mode, owner,
	 * attributes. */
	int (*put)(struct kmln_tree *tree, const char *path, const struct kmln_meta *meta,
		uint64_t size, kmln_source_fn fn, void *data, struct kmln_error *err);
	int (*symlink)(struct kmln_tree *tree, const char *path, const char *target,
		const struct kmln_meta *meta, struct kmln_error *err);
	/* Device node, fifo or socket; `type` is the S_IFMT part. */
	int (*node)(struct kmln_tree *tree, const char *path, uint32_t type, uint32_t major,
		uint32_t minor, const struct kmln_meta *meta, struct kmln_error *err);
	/* A second name for `existing`. */
	int (*link)(struct kmln_tree *tree, const char *path, const char *existing,
		struct kmln_error *err);
	/* Takes away a name, and with its last name the object; a folder must be empty. */
	int (*remove)(struct kmln_tree *tree, const char *path, struct kmln_error *err);
	/* Sets one extended attribute, in the form in which getxattr(2) gives it. */
	int (*set_xattr)(struct kmln_tree *tree, const char *path, const char *name,
		const void *value, size_t size, struct kmln_error *err);
	/* Flushes and frees; the tree is gone even where this fails. */
	int (*close)(struct kmln_tree *tree, struct kmln_error *err);
};

/* Embedded first in each kind's own struct. */
struct kmln_tree {
	const struct kmln_tree_ops *ops;
};

/* Errors carry the path in front. A missing object gives -ENOENT. */
int kmln_tree_stat(
	struct kmln_tree *tree, const char *path, struct kmln_stat *st, struct kmln_error *err);
int kmln_tree_readlink(
	struct kmln_tree *tree, const char *path, struct kmln_buf *target, struct kmln_error *err);
int kmln_tree_list(struct kmln_tree *tree, const char *path, kmln_name_fn fn, void *data,
	struct kmln_error *err);
int kmln_tree_read(struct kmln_tree *tree, const char *path, kmln_chunk_fn fn, void *data,
	struct kmln_error *err);
int kmln_tree_mkdir(struct kmln_tree *tree, const char *path, const struct kmln_meta *meta,
	struct kmln_error *err);
int kmln_tree_put(struct kmln_tree *tree, const char *path, const struct kmln_meta *meta,
	uint64_t size, kmln_source_fn fn, void *data, struct kmln_error *err);
int kmln_tree_symlink(struct kmln_tree *tree, const char *path, const char *target,
	const struct kmln_meta *meta, struct kmln_error *err);
int kmln_tree_node(struct kmln_tree *tree, const char *path, uint32_t type, uint32_t major,
	uint32_t minor, const struct kmln_meta *meta, struct kmln_error *err);
int kmln_tree_link(
	struct kmln_tree *tree, const char *path, const char *existing, struct kmln_error *err);
int kmln_tree_remove(struct kmln_tree *tree, const char *path, struct kmln_error *err);
int kmln_tree_set_xattr(struct kmln_tree *tree, const char *path, const char *name,
	const void *value, size_t size, struct kmln_error *err);
/* Closes and forgets *tree (NULL is fine). */
int kmln_tree_close(struct kmln_tree **tree, struct kmln_error *err);
/* For cleanup: an error at the end of mere reading is of no interest. */
void kmln_tree_cleanup(struct kmln_tree **tree);
#define KMLN_TREE KMLN_CLEANUP(kmln_tree_cleanup)

/*
 * Follows every link of `path` inside the tree, the last one included, and appends the real path to
 * *real. "..", also in links, stops at the tree's root. The last component may be missing (the path
 * it would have is given, and the result is 0); anything else missing is -ENOENT, too many links
 * -ELOOP.
 */
int kmln_tree_resolve(
	struct kmln_tree *tree, const char *path, struct kmln_buf *real, struct kmln_error *err);

/* The whole file, links followed; longer than `limit` is EFBIG, not a regular file is EINVAL. */
int kmln_tree_load(struct kmln_tree *tree, const char *path, size_t limit, struct kmln_buf *to,
	struct kmln_error *err);
/* The names of a folder (links followed), sorted by bytes. */
int kmln_tree_names(
	struct kmln_tree *tree, const char *path, struct kmln_strv *names, struct kmln_error *err);

/* The host's folder `root` as a tree, read only. */
int kmln_tree_folder(const char *root, struct kmln_tree **tree, struct kmln_error *err);

#endif
