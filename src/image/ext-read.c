// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The content of an inode in long runs: libext2fs's own reading of files goes block by block. A map
 * of blocks is walked forwards only, and may not name more blocks than the filesystem has, so that
 * reading a damaged one ends.
 */
#include "image/ext-tree.h"

#include <stdlib.h>
#include <string.h>

#define PIECE (256u << 10)
#define LEVELS 3 /* of indirect blocks, in maps of the old kind */

/* Blocks that lie in a row. */
struct run {
	uint64_t start, count; /* in the file */
	uint64_t physical; /* 0: zeros, which no block holds */
};

struct ext_file {
	struct kmln_file file;
	struct ext_tree *ext;
	struct ext2_inode_large inode;
	uint64_t size, at; /* bytes */
	struct run run; /* the one that `at` is in, or the next one behind it; start UINT64_MAX:
			   none */
	uint64_t blocks; /* in all runs so far */
	/* Extents: where the walk is. */
	ext2_extent_handle_t extents; /* NULL: a map of the old kind, or inline */
	uint64_t last_start;
	int last_level; /* -1: at the beginning */
	/* Old maps: the indirect block of each level that was read last. */
	blk_t indirect[LEVELS];
	uint32_t *pointers[LEVELS];
	bool is_inline; /* `stored` bytes of it are in `bytes`, and no block has more */
	size_t stored;
	size_t room;
	char *bytes;
};

static int damaged(struct kmln_error *err)
{
	return kmln_fail(err, KMLN_EINVALID, "its map of blocks is damaged");
}

/* Takes the run over after the checks that are common to both kinds of map. */
static int take_run(struct ext_file *f, const struct run *run, struct kmln_error *err)
{
	uint64_t all = ext2fs_blocks_count(f->ext->fs->super), end;

	if (run->physical) {
		f->blocks += run->count;
		if (kmln_add_overflow(run->physical, run->count, &end) || end > all ||
			f->blocks > all)
			return damaged(err);
	}
	f->run = *run;
	return 0;
}

static int next_extent(struct ext_file *f, struct kmln_error *err)
{
	uint64_t behind = f->run.start + f->run.count;

	for (;;) {
		struct ext2_extent_info info;
		struct ext2fs_extent e;
		errcode_t code = ext2fs_extent_get(
			f->extents, f->last_level < 0 ? EXT2_EXTENT_ROOT : EXT2_EXTENT_NEXT, &e);

		if (code == EXT2_ET_EXTENT_NO_NEXT) {
			f->run.start = UINT64_MAX;
			return 0;
		}
		if (!code)
			code = ext2fs_extent_get_info(f->extents, &info);
		if (code)
			return ext_fail(err, code, "the map of blocks");
		if (e.e_flags & EXT2_EXTENT_FLAGS_SECOND_VISIT)
			continue;
		/* forwards, else nodes that name one another could be walked for years */
		if (f->last_level >= 0 &&
			(e.e_lblk < f->last_start ||
				(e.e_lblk == f->last_start && info.curr_level <= f->last_level)))
			return damaged(err);
		f->last_start = e.e_lblk;
		f->last_level = info.curr_level;
		if (!(e.e_flags & EXT2_EXTENT_FLAGS_LEAF))
			continue;
		if (e.e_lblk < behind || !e.e_len || !e.e_pblk)
			return damaged(err);
		return take_run(f,
			&(struct run){e.e_lblk, e.e_len,
				e.e_flags & EXT2_EXTENT_FLAGS_UNINIT ? 0 : e.e_pblk},
			err);
	}
}

/* The pointer at `index` of an indirect block; 0 is a hole. */
static int read_pointer(struct ext_file *f, int level, blk_t block, uint64_t index,
	uint32_t *pointer, struct kmln_error *err)
{
	ext2_filsys fs = f->ext->fs;
	errcode_t code;

	if (!f->pointers[level])
		f->pointers[level] = kmln_malloc(fs->blocksize);
	if (f->indirect[level] != block) {
		if (block >= ext2fs_blocks_count(fs->super))
			return damaged(err);
		code = ext2fs_read_ind_block(fs, block, f->pointers[level]);
		if (code)
			return ext_fail(err, code, "the map of blocks");
		f->indirect[level] = block;
	}
	*pointer = f->pointers[level][index];
	return 0;
}

/* Where block `n` of the file lies; of a hole also how many blocks it is known to go on. */
static int map_block(
	struct ext_file *f, uint64_t n, uint32_t *physical, uint64_t *hole, struct kmln_error *err)
{
	uint64_t per = f->ext->fs->blocksize / 4, span = 1;
	int depth = 0, r;

	*hole = 1;
	if (n < EXT2_NDIR_BLOCKS) {
		*physical = f->inode.i_block[n];
		return 0;
	}
	for (n -= EXT2_NDIR_BLOCKS; n >= span * per; n -= span) {
		span *= per;
		if (++depth == LEVELS) {
			*physical = 0;
			*hole = UINT32_MAX;
			return 0;
		}
	}
	*physical = f->inode.i_block[EXT2_IND_BLOCK + depth];
	for (int level = depth; level >= 0; level--, span /= per) {
		if (!*physical) {
			*hole = span * per - n % (span * per);
			return 0;
		}
		r = read_pointer(f, level, *physical, n / span % per, physical, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int next_mapped(struct ext_file *f, uint64_t from, struct kmln_error *err)
{
	uint64_t bs = f->ext->fs->blocksize, end = (f->size + bs - 1) / bs, hole;
	struct run run = {from, 0, 0};
	uint32_t physical;

	while (run.start + run.count < end && run.count * bs < f->room) {
		int r = map_block(f, run.start + run.count, &physical, &hole, err);

		if (r < 0)
			return r;
		if (run.count && (!physical || physical != run.physical + run.count))
			break;
		if (!physical) {
			run.start += hole;
			continue;
		}
		if (!run.count++)
			run.physical = physical;
	}
	if (run.count)
		return take_run(f, &run, err);
	f->run.start = UINT64_MAX;
	return 0;
}

/* The run that holds block `n`, or else the first one behind it. */
static int find_run(struct ext_file *f, uint64_t n, struct kmln_error *err)
{
	int r = 0;

	while (r == 0 && f->run.start != UINT64_MAX && n >= f->run.start + f->run.count)
		r = f->extents ? next_extent(f, err) : next_mapped(f, n, err);
	return r;
}

static int ext_next(
	struct kmln_file *file, const char **data, uint64_t *size, struct kmln_error *err)
{
	struct ext_file *f = (struct ext_file *)file;
	uint64_t bs = f->ext->fs->blocksize, n = f->at / bs, end, room;
	errcode_t code;
	int r;

	*size = f->size - f->at;
	*data = f->bytes;
	if (!*size)
		return 0;
	if (f->is_inline) {
		/* a file that was made longer by nothing but its size ends in a hole */
		if (f->at<f->stored && * size> f->stored)
			*size = f->stored;
		else if (f->at >= f->stored)
			*data = NULL;
		f->at += *size;
		return 0;
	}
	r = find_run(f, n, err);
	if (r < 0)
		return r;
	if (n < f->run.start || !f->run.physical) {
		end = n < f->run.start ? f->run.start : f->run.start + f->run.count;
		if (end <= (f->size - 1) / bs)
			*size = end * bs - f->at;
		*data = NULL;
		f->at += *size;
		return 0;
	}
	room = (f->run.start + f->run.count - n) * bs;
	room = room < f->room ? room : f->room;
	*size = *size < room ? *size : room;
	code = io_channel_read_blk64(f->ext->fs->io, f->run.physical + (n - f->run.start),
		(int)((*size + bs - 1) / bs), f->bytes);
	if (code)
		return ext_fail(err, code, "read");
	f->at += *size;
	return 0;
}

static void ext_file_close(struct kmln_file *file)
{
	struct ext_file *f = (struct ext_file *)file;

	ext2fs_extent_free(f->extents);
	for (int i = 0; i < LEVELS; i++)
		free(f->pointers[i]);
	free(f->bytes);
	free(f);
}

static const struct kmln_file_ops file_ops = {.next = ext_next, .close = ext_file_close};

/* Content so small that it lies in the inode, and in an attribute of it. */
static int read_inline(struct ext_file *f, ext2_ino_t ino, struct kmln_error *err)
{
	errcode_t code = ext2fs_inline_data_size(f->ext->fs, ino, &f->stored);

	if (code)
		return ext_fail(err, code, "read");
	if (f->stored > PIECE)
		return kmln_fail(err, KMLN_EINVALID, "its content in the inode is damaged");
	f->is_inline = true;
	f->bytes = kmln_malloc(f->stored + 1);
	code = ext2fs_inline_data_get(
		f->ext->fs, ino, (struct ext2_inode *)&f->inode, f->bytes, &f->stored);
	return code ? ext_fail(err, code, "read") : 0;
}

static int start(struct ext_file *f, ext2_ino_t ino, struct kmln_error *err)
{
	uint64_t bs = f->ext->fs->blocksize;
	errcode_t code;

	if (f->inode.i_flags & EXT4_INLINE_DATA_FL)
		return read_inline(f, ino, err);
	f->room = f->size < PIECE ? (size_t)((f->size + bs - 1) / bs * bs) : PIECE;
	f->bytes = kmln_malloc(f->room + 1);
	if (!(f->inode.i_flags & EXT4_EXTENTS_FL) || !f->size)
		return 0;
	code = ext2fs_extent_open2(f->ext->fs, ino, (struct ext2_inode *)&f->inode, &f->extents);
	return code ? ext_fail(err, code, "the map of blocks") : 0;
}

int ext_file_open(struct ext_tree *ext, ext2_ino_t ino, const struct ext2_inode_large *inode,
	struct kmln_file **file, struct kmln_error *err)
{
	struct ext_file *f = kmln_malloc(sizeof(*f));
	int r;

	*f = (struct ext_file){
		.file = {&file_ops},
		.ext = ext,
		.inode = *inode,
		.size = EXT2_I_SIZE((const struct ext2_inode *)inode),
		.last_level = -1,
	};
	r = start(f, ino, err);
	if (r < 0)
		ext_file_close(&f->file);
	else
		*file = &f->file;
	return r;
}
