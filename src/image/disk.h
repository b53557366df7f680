/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image file: opened once, locked against machines that run on it, and known by its format. All
 * further access goes through its device, so what was locked is what is read and written.
 */
#ifndef KMLN_IMAGE_DISK_H
#define KMLN_IMAGE_DISK_H

#include <stdint.h>

#include "image/device.h"

struct kmln_layers;

/* What an image may be opened for. */
enum {
	KMLN_DISK_WRITE = 1 << 0, /* also for writing */
	/* The files that an image names may be opened, as the user who runs kmln. */
	KMLN_DISK_BACKING = 1 << 1,
	/* To look at it even while a machine writes to it, without any lock. */
	KMLN_DISK_SHARED = 1 << 2,
};

struct kmln_disk {
	int fd; /* the file that was named; -1: not open */
	struct kmln_device *device; /* its bytes, as the guest sees them; NULL: not open */
	uint64_t size; /* of the device, bytes */
	/* Of its own files, without a backing file: their length, and the bytes that the host's
	 * filesystem has given them, which are less where they have holes. */
	uint64_t file_size, allocated;
	/* The number of the partition that is said to hold the guest's root; 0: it is looked for.
	 */
	unsigned root;
	const char *format; /* "raw", "qcow2" ...; see image/formats.h */
	const char *backing; /* the name of the backing file, as the image has it; NULL: none */
	struct kmln_layers *layers; /* the files it consists of; NULL: one raw file */
	struct kmln_device **parts; /* of a device that is put together, layers->count; or NULL */
};
#define KMLN_DISK KMLN_CLEANUP(kmln_disk_close)

/*
 * Opens an image. Raw ones and flat VMDKs are read by kmln itself, others by a confined
 * qemu-storage-daemon that ends with the disk. Fails with KMLN_EINVALID for what cannot be an image
 * (a folder, a fifo, an empty file) or names files that may not be opened, with EBUSY where a
 * machine has an image of the second kind open, unless SHARED.
 */
int kmln_disk_open(
	const char *path, unsigned flags, struct kmln_disk *disk, struct kmln_error *err);
void kmln_disk_close(struct kmln_disk *disk);
/* A raw image that is open already, for reading and writing; the descriptor stays the caller's. */
int kmln_disk_wrap(int fd, struct kmln_disk *disk, struct kmln_error *err);
/* True where kmln knows how to read what is in it: not of a format that is only recognised. */
bool kmln_disk_readable(const struct kmln_disk *disk);
/*
 * 0 where all that was read from the disk could be read. Whoever looks at a filesystem may take an
 * error for damage of the guest's: to be asked at the end of looking.
 */
int kmln_disk_check(const struct kmln_disk *disk, struct kmln_error *err);

/*
 * Keeps machines from writing to the image until it is closed, and fails (EBUSY) where one has it
 * open for that now: UML and QEMU lock images with record locks. A writable descriptor keeps
 * everybody out; a read-only one locks as a reading QEMU does, and several readers do not mind each
 * other. Where a daemon of ours writes to the image, its locks are already there.
 */
int kmln_disk_lock(struct kmln_disk *disk, bool writable, struct kmln_error *err);
/* 1 where a machine has the image, or a file that it consists of, open for writing, 0 where none
 * has. */
int kmln_disk_busy(const struct kmln_disk *disk);

#endif
