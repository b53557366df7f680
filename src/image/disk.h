/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image file: opened once, locked against machines that run on it, and known by its format. All
 * further access goes through this descriptor, so what was locked is what is read and written.
 */
#ifndef KMLN_IMAGE_DISK_H
#define KMLN_IMAGE_DISK_H

#include <stdint.h>

#include "base/mem.h"

struct kmln_disk {
	int fd; /* -1: not open */
	uint64_t size; /* bytes */
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

/*
 * Keeps machines from writing to the image until it is closed, and fails (EBUSY) where one has it
 * open for that now: UML and QEMU lock images with record locks. A writable descriptor keeps
 * everybody out; a read-only one locks as a reading QEMU does, and several readers do not mind each
 * other.
 */
int kmln_disk_lock(struct kmln_disk *disk, bool writable, struct kmln_error *err);
/* 1 where a machine has the image open for writing, 0 where none has. */
int kmln_disk_busy(const struct kmln_disk *disk);

/* A part of an image that holds one filesystem. Bytes. */
struct kmln_range {
	uint64_t offset, size;
};

#endif
