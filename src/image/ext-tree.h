/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the ext kind of tree share: looking (ext.c), content (ext-read.c), attributes
 * (ext-xattrs.c) and writing (ext-write.c). */
#ifndef KMLN_IMAGE_EXT_TREE_H
#define KMLN_IMAGE_EXT_TREE_H

#include <e2p/e2p.h>
#include <ext2fs/ext2fs.h>

#include "image/device.h"
#include "tree/tree.h"

/* The inode as it lies on disk, with the fields behind the first 128 bytes. */
#define EXT_INODE_BYTES sizeof(struct ext2_inode_large)

struct ext_tree {
	struct kmln_tree tree;
	ext2_filsys fs;
	bool writable;
	char *dir; /* the folder that was looked up last: names come in runs of one folder */
	ext2_ino_t dir_ino; /* its inode; 0: none */
	char *block; /* one block, for looking up names */
};

/* The filesystem in the range, its bitmaps not read; ext2fs_free() or ext2fs_close_free() ends it.
 */
int ext_open(struct kmln_device *device, const struct kmln_range *range, bool writable,
	ext2_filsys *fs, struct kmln_error *err);
/* The one place where an errcode_t of libext2fs becomes an error. */
int ext_fail(struct kmln_error *err, errcode_t code, const char *what);
/* The inode of `path`; a link on the way is ELOOP, what is missing ENOENT. */
int ext_find(struct ext_tree *ext, const char *path, ext2_ino_t *ino, struct kmln_error *err);
/* The inode of the folder that holds `path`; *name points to the last component. */
int ext_find_parent(struct ext_tree *ext, const char *path, ext2_ino_t *ino, const char **name,
	struct kmln_error *err);
int ext_read_inode(struct ext_tree *ext, ext2_ino_t ino, struct ext2_inode_large *inode,
	struct kmln_error *err);
/* True where the inode has the fields that hold nanoseconds and years past 2038. */
bool ext_has_extra(const struct ext_tree *ext, const struct ext2_inode_large *inode);

/* ext-read.c: the content of an inode, whatever its type. */
int ext_file_open(struct ext_tree *ext, ext2_ino_t ino, const struct ext2_inode_large *inode,
	struct kmln_file **file, struct kmln_error *err);
/* ext-xattrs.c */
int ext_xattrs(struct kmln_tree *tree, const char *path, struct kmln_xattrs *xattrs,
	struct kmln_error *err);

int ext_mkdir(struct kmln_tree *tree, const char *path, const struct kmln_meta *meta,
	struct kmln_error *err);
int ext_put(struct kmln_tree *tree, const char *path, const struct kmln_meta *meta, uint64_t size,
	kmln_source_fn fn, void *data, struct kmln_error *err);
int ext_append(struct kmln_tree *tree, const char *path, const struct kmln_meta *meta,
	const char *bytes, uint64_t size, struct kmln_error *err);
int ext_symlink(struct kmln_tree *tree, const char *path, const char *target,
	const struct kmln_meta *meta, struct kmln_error *err);
int ext_node(struct kmln_tree *tree, const char *path, uint32_t type, uint32_t major,
	uint32_t minor, const struct kmln_meta *meta, struct kmln_error *err);
int ext_link(
	struct kmln_tree *tree, const char *path, const char *existing, struct kmln_error *err);
int ext_set_xattr(struct kmln_tree *tree, const char *path, const char *name, const void *value,
	size_t size, struct kmln_error *err);
int ext_remove(struct kmln_tree *tree, const char *path, struct kmln_error *err);

#endif
