/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image file: opened once, locked against machines that run on it, and known by its format. All
 * further access goes through its device, so what was locked is what is read and written.
 */
#ifndef KMLN_IMAGE_DISK_H
#define KMLN_IMAGE_DISK_H

#include <stdint.h>

#include "image/device.h"

struct kmln_disk {
	int fd; /* the file that was named, for locks; -1: not open */
	struct kmln_device *device; /* its bytes, as the guest sees them; NULL: not open */
	uint64_t size; /* of the device, bytes */
	uint64_t allocated; /* bytes that the host's filesystem has given it: less where it has
			       holes */
	const char *format; /* "raw", or the name of a format that is only recognised */
};
#define KMLN_DISK KMLN_CLEANUP(kmln_disk_close)

/*
 * Opens for reading, or for both. Fails with KMLN_EINVALID for what cannot be an image: a folder, a
 * fifo, an empty file.
 */
int kmln_disk_open(const char *path, bool writable, struct kmln_disk *disk, struct kmln_error *err);
void kmln_disk_close(struct kmln_disk *disk);
/* A raw image that is open already, for reading and writing; the descriptor stays the caller's. */
int kmln_disk_wrap(int fd, struct kmln_disk *disk, struct kmln_error *err);

/*
 * Keeps machines from writing to the image until it is closed, and fails (EBUSY) where one has it
 * open for that now: UML and QEMU lock images with record locks. A writable descriptor keeps
 * everybody out; a read-only one locks as a reading QEMU does, and several readers do not mind each
 * other.
 */
int kmln_disk_lock(struct kmln_disk *disk, bool writable, struct kmln_error *err);
/* 1 where a machine has the image open for writing, 0 where none has. */
int kmln_disk_busy(const struct kmln_disk *disk);

#endif
