/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a disk as a guest sees them, wherever they lie: in parts of files (a raw image, or a
 * disk put together of several), or behind an NBD server that reads another format. All that looks
 * at or changes a disk goes through this interface; what must have a file (e2fsck, libfdisk,
 * libblkid) gets one by kmln_device_file() or, where there is none, from shadow.h.
 */
#ifndef KMLN_IMAGE_DEVICE_H
#define KMLN_IMAGE_DEVICE_H

#include <stdint.h>

#include "base/mem.h"

/* A part of a device, in bytes. */
struct kmln_range {
	uint64_t offset, size;
};

struct kmln_device;

/* A kind. Ranges are inside the device: the functions below check them. */
struct kmln_device_ops {
	const char *name;
	int (*read)(struct kmln_device *device, void *data, size_t size, uint64_t offset,
		struct kmln_error *err);
	int (*write)(struct kmln_device *device, const void *data, size_t size, uint64_t offset,
		struct kmln_error *err);
	/* What was written is on stable storage afterwards. */
	int (*flush)(struct kmln_device *device, struct kmln_error *err);
	/* *length bytes from `offset` on (at most the given *length) are all data, or all hole. */
	int (*extent)(struct kmln_device *device, uint64_t offset, uint64_t *length, bool *data,
		struct kmln_error *err);
	void (*close)(struct kmln_device *device);
};

/* Embedded first in each kind's own struct. */
struct kmln_device {
	const struct kmln_device_ops *ops;
	uint64_t size; /* bytes */
	bool writable;
	struct kmln_error failed; /* the first read that the host could not do; code 0: none */
};
#define KMLN_DEVICE KMLN_CLEANUP(kmln_device_close)

/* Outside the device: KMLN_EINVALID. Not writable: EROFS. Nothing is cached on our side. */
int kmln_device_read(struct kmln_device *device, void *data, size_t size, uint64_t offset,
	struct kmln_error *err);
int kmln_device_write(struct kmln_device *device, const void *data, size_t size, uint64_t offset,
	struct kmln_error *err);
int kmln_device_flush(struct kmln_device *device, struct kmln_error *err);
int kmln_device_extent(struct kmln_device *device, uint64_t offset, uint64_t *length, bool *data,
	struct kmln_error *err);
/*
 * 0 where the host could do all reads that were asked of it. Whoever looks at a filesystem may take
 * such a failure for damage of the guest's: to be asked at the end of looking.
 */
int kmln_device_check(const struct kmln_device *device, struct kmln_error *err);
/* Closes and forgets *device (NULL is fine). */
void kmln_device_close(struct kmln_device **device);

/* ---- the kinds, each of which never fails to be made ---- */

/* `size` bytes of a file from `offset` on; the descriptor is borrowed and outlives the device. */
struct kmln_device *kmln_device_fd(int fd, uint64_t offset, uint64_t size, bool writable);
/* Zeroed memory that can be written: what is put in front of or behind a disk. */
struct kmln_device *kmln_device_memory(uint64_t size);
/* Nothing but zeroes, which take no room: what lies behind a disk that is to grow. */
struct kmln_device *kmln_device_zeroes(uint64_t size);

/* A run of another device, which is borrowed and outlives the one that it becomes a part of. */
struct kmln_part {
	struct kmln_device *device;
	struct kmln_range range;
};

/* The parts one behind the other. The array is copied; writable where all parts are. */
struct kmln_device *kmln_device_join(const struct kmln_part *parts, size_t count);

/*
 * True where the range lies in one file: its descriptor, and the offset there. NULL for the range
 * means the whole device.
 */
bool kmln_device_file(const struct kmln_device *device, const struct kmln_range *range, int *fd,
	uint64_t *offset);

#endif
