// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Taking a name out of an ext filesystem, and with the last name of an object the object: its
 * blocks, its attributes and its inode. Always: a folder goes only when nothing is in it, and no
 * folder's own times change, as everywhere in this kind of tree.
 */
#include "image/ext-tree.h"

#include <stdlib.h>
#include <time.h>

static int count_entry(ext2_ino_t dir, int entry, struct ext2_dir_entry *dirent, int offset,
	int blocksize, char *buf, void *data)
{
	(void)dir;
	(void)offset;
	(void)blocksize;
	(void)buf;
	if (entry != DIRENT_OTHER_FILE || !dirent->inode)
		return 0;
	*(bool *)data = true;
	return DIRENT_ABORT;
}

static int check_empty(struct ext_tree *ext, ext2_ino_t ino, struct kmln_error *err)
{
	bool found = false;
	errcode_t code = ext2fs_dir_iterate2(ext->fs, ino, 0, NULL, count_entry, &found);

	if (code)
		return ext_fail(err, code, "list");
	return found ? kmln_fail_sys(err, ENOTEMPTY, "remove") : 0;
}

/* The link that a folder's ".." was. */
static int forget_parent_link(struct ext_tree *ext, ext2_ino_t dir, struct kmln_error *err)
{
	struct ext2_inode_large inode;
	errcode_t code;
	int r = ext_read_inode(ext, dir, &inode, err);

	if (r < 0)
		return r;
	/* one link stands for "too many to count" where folders may have that */
	if (inode.i_links_count > 1)
		inode.i_links_count--;
	code = ext2fs_write_inode_full(ext->fs, dir, (struct ext2_inode *)&inode, EXT_INODE_BYTES);
	return code ? ext_fail(err, code, "write inode") : 0;
}

static int free_inode(struct ext_tree *ext, ext2_ino_t ino, struct ext2_inode_large *inode,
	struct kmln_error *err)
{
	struct ext2_inode *small = (struct ext2_inode *)inode;
	errcode_t code = ext2fs_free_ext_attr(ext->fs, ino, inode);

	if (!code && ext2fs_inode_has_valid_blocks2(ext->fs, small))
		code = ext2fs_punch(ext->fs, ino, small, NULL, 0, ~0ULL);
	if (code)
		return ext_fail(err, code, "free the content");
	inode->i_links_count = 0;
	inode->i_dtime = (uint32_t)time(NULL);
	code = ext2fs_write_inode_full(ext->fs, ino, small, EXT_INODE_BYTES);
	if (code)
		return ext_fail(err, code, "write inode");
	ext2fs_inode_alloc_stats2(ext->fs, ino, -1, LINUX_S_ISDIR(inode->i_mode));
	return 0;
}

int ext_remove(struct kmln_tree *tree, const char *path, struct kmln_error *err)
{
	struct ext_tree *ext = (struct ext_tree *)tree;
	struct ext2_inode_large inode;
	bool folder, last;
	const char *name;
	ext2_ino_t dir, ino;
	errcode_t code;
	int r = ext->writable ? 0 : kmln_fail_sys(err, EROFS, "opened for reading");

	if (r == 0 && !path[1])
		r = kmln_fail_sys(err, EBUSY, "remove");
	if (r == 0)
		r = ext_find_parent(ext, path, &dir, &name, err);
	if (r == 0)
		r = ext_find(ext, path, &ino, err);
	if (r == 0)
		r = ext_read_inode(ext, ino, &inode, err);
	if (r < 0)
		return r;
	/* a damaged image may name one of the filesystem's own inodes */
	if (ino < EXT2_FIRST_INODE(ext->fs->super))
		return kmln_fail(err, KMLN_EINVALID, "inode %u belongs to the filesystem", ino);
	folder = LINUX_S_ISDIR(inode.i_mode);
	last = folder || inode.i_links_count <= 1;
	r = folder ? check_empty(ext, ino, err) : 0;
	if (r < 0)
		return r;
	code = ext2fs_unlink(ext->fs, dir, name, ino, 0);
	if (code)
		return ext_fail(err, code, "unlink");
	if (ext->dir_ino == ino)
		ext->dir_ino = 0;
	if (last) {
		r = free_inode(ext, ino, &inode, err);
		return r < 0 || !folder ? r : forget_parent_link(ext, dir, err);
	}
	inode.i_links_count--;
	code = ext2fs_write_inode_full(ext->fs, ino, (struct ext2_inode *)&inode, EXT_INODE_BYTES);
	return code ? ext_fail(err, code, "write inode") : 0;
}
