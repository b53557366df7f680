/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FAT filesystems, as EFI system partitions and boot disks are: finding and reading a file by its
 * path, making a new filesystem, putting files in. Names are of the 8.3 kind, which is all that
 * firmware asks for. Nothing is written: what is to be written comes out as pieces.
 */
#ifndef KMLN_IMAGE_FAT_H
#define KMLN_IMAGE_FAT_H

#include "image/device.h"

/* Bytes for a place; the place counts from the filesystem's start. */
struct kmln_piece {
	uint64_t offset;
	const char *data;
	size_t size;
};

struct kmln_pieces {
	struct kmln_piece *items;
	size_t count;
};

struct kmln_fat;

/*
 * Opens the filesystem in a range of the device; all memory is the pool's. KMLN_EINVALID for what
 * is no FAT, and for one whose numbers are impossible.
 */
int kmln_fat_open(struct kmln_device *device, const struct kmln_range *range,
	struct kmln_pool *pool, struct kmln_fat **fat, struct kmln_error *err);
/*
 * A new one, FAT16, of `size` bytes (3 MiB to 1 GiB), all else of which is zeroes. `start` is the
 * sector where it begins on its disk; `serial` tells it from others. Equal calls give equal bytes.
 */
int kmln_fat_new(uint64_t size, uint64_t start, uint32_t serial, struct kmln_pool *pool,
	struct kmln_fat **fat, struct kmln_error *err);
/* Bytes of a new one that has room for files of `content` bytes together, in whole MiB. */
uint64_t kmln_fat_size_for(uint64_t content);

/* The size of a file, by its path like "/EFI/BOOT/BOOTX64.EFI"; ENOENT where it is not there. */
int kmln_fat_find(struct kmln_fat *fat, const char *path, uint64_t *size, struct kmln_error *err);
/* Appends the file's content, at most `limit` bytes (EFBIG). */
int kmln_fat_load(struct kmln_fat *fat, const char *path, uint64_t limit, struct kmln_buf *out,
	struct kmln_error *err);

/*
 * Puts a file in, and the folders on the way; one that has the name is replaced. ENOSPC where it is
 * full. `data` must live as long as the pieces.
 */
int kmln_fat_put(struct kmln_fat *fat, const char *path, const char *data, size_t size,
	struct kmln_error *err);
/* All that the puts have changed, in the pool, sorted as it is to be written. */
int kmln_fat_pieces(struct kmln_fat *fat, struct kmln_pieces *pieces, struct kmln_error *err);

#endif
