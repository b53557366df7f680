/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file for programs and libraries that know nothing but files: as long as the device, nameless,
 * with only those parts copied in that they look at; all else is a hole. Nothing flows back by
 * itself.
 */
#ifndef KMLN_IMAGE_SHADOW_H
#define KMLN_IMAGE_SHADOW_H

#include "image/ext-blocks.h"

/* A new empty one of `size` bytes; the caller closes it. Negative where there is no room. */
int kmln_shadow_new(uint64_t size, struct kmln_error *err);
/* Copies a range of the device to byte `at` of the shadow; zeroes become holes. */
int kmln_shadow_copy(int shadow, uint64_t at, struct kmln_device *device,
	const struct kmln_range *range, struct kmln_error *err);
/*
 * A shadow of the range with its first and last MiB, where partition tables, boot sectors and the
 * superblocks of most filesystems lie. Returns the descriptor.
 */
int kmln_shadow_ends(
	struct kmln_device *device, const struct kmln_range *range, struct kmln_error *err);
/*
 * A shadow of one ext filesystem that is as long as the range and begins with it, holding all its
 * metadata: whatever e2fsck reads, which *blocks tells then (the caller's to free). Returns the
 * descriptor.
 */
int kmln_shadow_ext(struct kmln_device *device, const struct kmln_range *range,
	struct kmln_blocks *blocks, struct kmln_error *err);
/*
 * Writes back to the range what somebody has changed in the shadow: of the blocks that were copied
 * into it all that differ, of the others all that are no longer zero.
 */
int kmln_shadow_write_back(int shadow, const struct kmln_blocks *blocks, struct kmln_device *device,
	const struct kmln_range *range, struct kmln_error *err);

#endif
