// SPDX-License-Identifier: GPL-2.0-or-later
/* Walks a filesystem as libext2fs sees it; every number in it may be wrong, and every loop ends. */
#include "image/ext-blocks.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "image/ext-tree.h"

void kmln_blocks_fini(struct kmln_blocks *blocks)
{
	free(blocks->bits);
	blocks->bits = NULL;
}

static void fs_cleanup(ext2_filsys *fs)
{
	if (*fs)
		ext2fs_free(*fs);
}

static void start(struct kmln_blocks *blocks, const ext2_filsys fs)
{
	size_t bytes;

	blocks->block_size = fs->blocksize;
	blocks->count = ext2fs_blocks_count(fs->super);
	bytes = (size_t)(blocks->count / 8) + 8;
	blocks->bits = kmln_malloc(bytes);
	memset(blocks->bits, 0, bytes);
}

struct walk {
	ext2_filsys fs;
	struct kmln_blocks *blocks;
	uint64_t steps; /* a damaged file can lead in circles: no filesystem needs more */
	bool all; /* of the inode at hand all blocks, not only those that lead to others */
	bool journal; /* the inode at hand is a journal that has to be replayed */
	char *bytes; /* one block */
};

static void mark(struct walk *walk, uint64_t first, uint64_t count)
{
	for (uint64_t b = first; count-- && b < walk->blocks->count; b++)
		walk->blocks->bits[b / 8] |= (unsigned char)(1u << b % 8);
}

static void mark_groups(struct walk *walk)
{
	ext2_filsys fs = walk->fs;
	unsigned reserved = fs->super->s_reserved_gdt_blocks;

	mark(walk, 0, fs->super->s_first_data_block + 1);
	if (ext2fs_has_feature_mmp(fs->super))
		mark(walk, fs->super->s_mmp_block, 1);
	for (dgrp_t g = 0; g < fs->group_desc_count; g++) {
		blk64_t super, old_desc, new_desc;
		blk_t used;
		unsigned inodes = EXT2_INODES_PER_GROUP(fs->super);

		ext2fs_super_and_bgd_loc2(fs, g, &super, &old_desc, &new_desc, &used);
		if (super || g == 0)
			mark(walk, super, 1);
		if (old_desc)
			mark(walk, old_desc, fs->desc_blocks + reserved);
		if (new_desc)
			mark(walk, new_desc, 1);
		mark(walk, ext2fs_block_bitmap_loc(fs, g), 1);
		mark(walk, ext2fs_inode_bitmap_loc(fs, g), 1);
		/* an unreplayed journal may know better how much of the table is in use */
		if (ext2fs_has_group_desc_csum(fs) &&
			!ext2fs_has_feature_journal_needs_recovery(fs->super)) {
			unsigned unused = ext2fs_bg_itable_unused(fs, g);

			inodes -= unused < inodes ? unused : inodes;
			if (ext2fs_bg_flags_test(fs, g, EXT2_BG_INODE_UNINIT))
				inodes = 0;
		}
		mark(walk, ext2fs_inode_table_loc(fs, g),
			((uint64_t)inodes * EXT2_INODE_SIZE(fs->super) + fs->blocksize - 1) /
				fs->blocksize);
	}
}

/*
 * A descriptor block of the journal lists where the blocks behind it belong. Each of its numbers is
 * taken for one: some that are none do no harm, and its formats need not be told apart.
 */
static void mark_journalled(struct walk *walk, blk64_t block)
{
	static const char descriptor[] = {(char)0xc0, 0x3b, 0x39, (char)0x98, 0, 0, 0, 1};
	uint32_t number;

	if (io_channel_read_blk64(walk->fs->io, block, 1, walk->bytes) ||
		memcmp(walk->bytes, descriptor, sizeof(descriptor)) != 0)
		return;
	for (size_t at = sizeof(descriptor); at < walk->fs->blocksize; at += sizeof(number)) {
		memcpy(&number, walk->bytes + at, sizeof(number));
		mark(walk, be32toh(number), 1);
	}
}

static int mark_block(
	ext2_filsys fs, blk64_t *block, e2_blkcnt_t count, blk64_t parent, int offset, void *data)
{
	struct walk *walk = data;

	(void)fs;
	(void)parent;
	(void)offset;
	if (++walk->steps > 4 * walk->blocks->count)
		return BLOCK_ABORT;
	if (count < 0 || walk->all)
		mark(walk, *block, 1);
	if (count >= 0 && walk->journal)
		mark_journalled(walk, *block);
	return 0;
}

/* An extent tree that fits into its inode leads to no block of its own; most files have one. */
static bool is_flat(const struct ext2_inode *inode)
{
	const unsigned char *head = (const unsigned char *)inode->i_block;

	if (inode->i_flags & EXT4_EXTENTS_FL)
		return head[6] == 0 && head[7] == 0; /* eh_depth */
	for (int i = EXT2_IND_BLOCK; i < EXT2_N_BLOCKS; i++)
		if (inode->i_block[i])
			return false;
	return true;
}

static void mark_inode(struct walk *walk, ext2_ino_t ino, struct ext2_inode *inode)
{
	struct ext2_super_block *super = walk->fs->super;
	bool journal = ino == super->s_journal_inum;

	mark(walk, ext2fs_file_acl_block(walk->fs, inode),
		ext2fs_file_acl_block(walk->fs, inode) != 0);
	if (!ext2fs_inode_has_valid_blocks2(walk->fs, inode))
		return;
	walk->all = LINUX_S_ISDIR(inode->i_mode) || LINUX_S_ISLNK(inode->i_mode) ||
		    ino < EXT2_FIRST_INODE(super) || ino == super->s_orphan_file_inum ||
		    ino == super->s_usr_quota_inum || ino == super->s_grp_quota_inum ||
		    ino == super->s_prj_quota_inum || (inode->i_flags & EXT4_EA_INODE_FL);
	walk->journal = journal && ext2fs_has_feature_journal_needs_recovery(super);
	if (journal)
		walk->all = walk->journal;
	if (journal && !walk->all) {
		blk64_t first = 0;

		/* its own superblock is looked at all the same */
		if (ext2fs_bmap2(walk->fs, ino, inode, NULL, 0, 0, NULL, &first) == 0)
			mark(walk, first, first != 0);
	}
	if (walk->all || !is_flat(inode))
		ext2fs_block_iterate3(walk->fs, ino, BLOCK_FLAG_READ_ONLY, NULL, mark_block, walk);
}

int kmln_ext_metadata(struct kmln_device *device, const struct kmln_range *range,
	struct kmln_blocks *blocks, struct kmln_error *err)
{
	KMLN_CLEANUP(fs_cleanup) ext2_filsys fs = NULL;
	struct walk walk = {.blocks = blocks};
	struct ext2_inode_large inode;
	ext2_inode_scan scan;
	ext2_ino_t ino;
	errcode_t code;
	int r = ext_open(device, range, false, &fs, err);

	if (r < 0)
		return r;
	start(blocks, fs);
	walk.fs = fs;
	mark_groups(&walk);
	code = ext2fs_open_inode_scan(fs, 64, &scan);
	if (code)
		return ext_fail(err, code, "the inode tables");
	walk.bytes = kmln_malloc(fs->blocksize);
	ext2fs_inode_scan_flags(scan, EXT2_SF_SKIP_MISSING_ITABLE, 0);
	do {
		code = ext2fs_get_next_inode_full(
			scan, &ino, (struct ext2_inode *)&inode, sizeof(inode));
		if (ino && !(code && code != EXT2_ET_INODE_CSUM_INVALID) &&
			(inode.i_links_count || ino < EXT2_FIRST_INODE(fs->super) ||
				ext2fs_has_feature_journal_needs_recovery(fs->super)))
			mark_inode(&walk, ino, (struct ext2_inode *)&inode);
	} while (ino && (!code || code == EXT2_ET_INODE_CSUM_INVALID) &&
		 walk.steps <= 4 * blocks->count);
	ext2fs_close_inode_scan(scan);
	free(walk.bytes);
	return 0;
}

int kmln_ext_free(struct kmln_device *device, const struct kmln_range *range,
	struct kmln_blocks *blocks, struct kmln_error *err)
{
	KMLN_CLEANUP(fs_cleanup) ext2_filsys fs = NULL;
	uint64_t first;
	errcode_t code;
	int r = ext_open(device, range, false, &fs, err);

	if (r < 0)
		return r;
	start(blocks, fs);
	if (ext2fs_has_feature_bigalloc(fs->super))
		return 0;
	code = ext2fs_read_block_bitmap(fs);
	if (code)
		return ext_fail(err, code, "the filesystem's bitmaps");
	first = fs->super->s_first_data_block;
	for (uint64_t b = first; b < blocks->count; b++)
		if (!ext2fs_fast_test_block_bitmap2(fs->block_map, b))
			blocks->bits[b / 8] |= (unsigned char)(1u << b % 8);
	return 0;
}
