/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device of which nothing is changed until all is known to be right: what is written is kept in
 * memory, block by block, and reads see it. The journal (journal.h) then brings it to the disk.
 */
#ifndef KMLN_IMAGE_OVERLAY_H
#define KMLN_IMAGE_OVERLAY_H

#include "image/device.h"

#define KMLN_OVERLAY_BLOCK 4096u

/* Over `base`, which is borrowed; writable even where base is not. */
struct kmln_device *kmln_device_overlay(struct kmln_device *base);

/*
 * Blocks of `range` for which `free_block` says yes are of no use to anybody in the disk as it is:
 * they are written to base at once, and only all else is kept. Block numbers count from the range's
 * start, in units of `block_size`. The bitmap has a bit for each block, 1 for free; it is copied.
 */
void kmln_overlay_write_through(struct kmln_device *overlay, const struct kmln_range *range,
	uint32_t block_size, const unsigned char *free_blocks, uint64_t count);

/* Calls `fn` for each run of bytes that was written through, in order; a MiB at most each. */
int kmln_overlay_each_through(const struct kmln_device *overlay,
	int (*fn)(void *data, const struct kmln_range *run, struct kmln_error *err), void *data,
	struct kmln_error *err);
/* Calls `fn` for each kept block in the order of offsets; `size` is less than a block at the end
 * only. */
int kmln_overlay_each(const struct kmln_device *overlay,
	int (*fn)(void *data, uint64_t offset, const void *bytes, size_t size,
		struct kmln_error *err),
	void *data, struct kmln_error *err);

#endif
