// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Extended attributes of an inode, in the form in which getxattr(2) gives them: libext2fs turns
 * ACLs into it. Most inodes have none, and are told apart without asking it.
 */
#include "image/ext-tree.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC 0xEA020000u

/* An ACL as the kernel gives it: a version of 4 bytes, then tag (2), permissions (2) and id (4). */
#define ACL_HEADER 4
#define ACL_ENTRY 8
#define ACL_USER 2
#define ACL_GROUP 8

struct reading {
	struct ext2_xattr_handle *handle;
	struct kmln_xattrs *xattrs;
	struct kmln_error *err;
	int result;
};

static void close_handle(struct ext2_xattr_handle **handle)
{
	if (*handle)
		ext2fs_xattrs_close(handle);
}

/* Entries for nobody in particular carry an id all the same, and the kernel says -1 where libext2fs
 * says 0. */
static void mend_acl(unsigned char *value, size_t size)
{
	for (size_t at = ACL_HEADER; at + ACL_ENTRY <= size; at += ACL_ENTRY) {
		unsigned tag = value[at] | (unsigned)value[at + 1] << 8;

		if (tag != ACL_USER && tag != ACL_GROUP)
			memset(value + at + 4, 0xff, 4);
	}
}

static int add(char *name, char *value, size_t size, void *data)
{
	struct reading *reading = data;
	void *converted = NULL;
	errcode_t code;

	(void)value;
	/* the content of a small file: no attribute for those who ask the kernel */
	if (strcmp(name, "system.data") == 0)
		return 0;
	code = ext2fs_xattr_get(reading->handle, name, &converted, &size);
	if (code) {
		reading->result = ext_fail(reading->err, code, "attribute");
		return XATTR_ABORT;
	}
	if (kmln_starts(name, "system.posix_acl_"))
		mend_acl(converted, size);
	reading->result = kmln_xattrs_add(reading->xattrs, name, converted, size, reading->err);
	ext2fs_free_mem(&converted);
	return reading->result < 0 ? XATTR_ABORT : 0;
}

/* Attributes behind the inode's own fields, or in a block. */
static bool has_some(struct ext_tree *ext, ext2_ino_t ino, struct ext2_inode_large *inode)
{
	size_t size = EXT2_INODE_SIZE(ext->fs->super), at;
	KMLN_FREE char *whole = NULL;
	uint32_t magic;

	if (ext2fs_file_acl_block(ext->fs, (struct ext2_inode *)inode))
		return true;
	if (size <= EXT2_GOOD_OLD_INODE_SIZE)
		return false;
	at = EXT2_GOOD_OLD_INODE_SIZE + inode->i_extra_isize;
	if (at + sizeof(magic) > size)
		return false;
	whole = kmln_malloc(size);
	if (ext2fs_read_inode_full(ext->fs, ino, (struct ext2_inode *)whole, (int)size))
		return true;
	memcpy(&magic, whole + at, sizeof(magic));
	return magic == ext2fs_cpu_to_le32(MAGIC);
}

int ext_xattrs(struct kmln_tree *tree, const char *path, struct kmln_xattrs *xattrs,
	struct kmln_error *err)
{
	struct ext_tree *ext = (struct ext_tree *)tree;
	KMLN_CLEANUP(close_handle) struct ext2_xattr_handle *handle = NULL;
	struct reading reading = {.xattrs = xattrs, .err = err};
	struct ext2_inode_large inode;
	errcode_t code;
	ext2_ino_t ino;
	int r = ext_find(ext, path, &ino, err);

	if (r == 0)
		r = ext_read_inode(ext, ino, &inode, err);
	if (r < 0 || !has_some(ext, ino, &inode))
		return r;
	code = ext2fs_xattrs_open(ext->fs, ino, &handle);
	if (!code)
		code = ext2fs_xattrs_read(handle);
	reading.handle = handle;
	if (!code)
		code = ext2fs_xattrs_iterate(handle, add, &reading);
	return code ? ext_fail(err, code, "attributes") : reading.result;
}
