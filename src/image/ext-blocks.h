/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which blocks of an ext filesystem hold what, for those who copy or change it block by block. */
#ifndef KMLN_IMAGE_EXT_BLOCKS_H
#define KMLN_IMAGE_EXT_BLOCKS_H

#include "image/device.h"

/* A bit for each block of a filesystem, from block 0 on; the bits are the caller's (free). */
struct kmln_blocks {
	uint32_t block_size; /* bytes */
	uint64_t count;
	unsigned char *bits;
};
#define KMLN_BLOCKS KMLN_CLEANUP(kmln_blocks_fini)
void kmln_blocks_fini(struct kmln_blocks *blocks);

static inline bool kmln_blocks_has(const struct kmln_blocks *blocks, uint64_t number)
{
	return blocks->bits[number / 8] >> number % 8 & 1;
}

/*
 * The blocks that e2fsck reads: superblocks, descriptors, bitmaps, inode tables, folders, extent
 * trees, links, attributes, and the journal where it has to be replayed. What a damaged filesystem
 * hides is left out: e2fsck says so then.
 */
int kmln_ext_metadata(struct kmln_device *device, const struct kmln_range *range,
	struct kmln_blocks *blocks, struct kmln_error *err);
/* The blocks that nobody uses; none where the filesystem counts in clusters. */
int kmln_ext_free(struct kmln_device *device, const struct kmln_range *range,
	struct kmln_blocks *blocks, struct kmln_error *err);

#endif
