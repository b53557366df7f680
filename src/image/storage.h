/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process that reads (and writes) images of other formats for us: qemu-storage-daemon, behind
 * the same walls as a machine, with nothing in its view but the files of one image, which it serves
 * by NBD on a socket in its private folder. A hostile image that takes it over reaches those files
 * and no others. It ends with kmln, however kmln ends.
 */
#ifndef KMLN_IMAGE_STORAGE_H
#define KMLN_IMAGE_STORAGE_H

#include "image/layers.h"
#include "plan/actions.h"

struct kmln_storage;
struct kmln_sandbox;

/* The NBD export that a client asks for. */
#define KMLN_STORAGE_EXPORT "disk"

/*
 * Starts one for layers->items[0] and what it stands on; writable where that layer is. `shared`:
 * even while others write to it, and without locks (reading only). Returns once it serves;
 * *client is the connected socket, the caller's.
 *
 * EBUSY where somebody has the image open, KMLN_EINVALID with QEMU's words where it cannot be read,
 * KMLN_ELACK where the daemon or its walls cannot be had.
 */
int kmln_storage_start(const struct kmln_layers *layers, bool shared, struct kmln_storage **storage,
	int *client, struct kmln_error *err);
/* A descriptor to poll for input; kmln_storage_hear() then takes what the daemon says, which would
 * else wait for us for ever. -1: it says no more. */
int kmln_storage_words(const struct kmln_storage *storage);
void kmln_storage_hear(struct kmln_storage *storage);
/* Fills err (EIO) where the daemon broke off in the middle of `what`; returns -EIO. */
int kmln_storage_lost(struct kmln_storage *storage, const char *what, struct kmln_error *err);
/* Ends and forgets it (NULL is fine). A writing one may finish first: flush before. */
void kmln_storage_stop(struct kmln_storage **storage);

/* ---- a disk for a machine that reads raw images only ---- */

struct kmln_storage_more {
	const struct kmln_layers *layers; /* of an image that is not raw */
	uint64_t size; /* of the disk, bytes */
};

struct kmln_storage_disk {
	const struct kmln_layers
		*layers; /* of an image that is not raw; NULL: only those of `more` */
	uint64_t size; /* of the disk, bytes */
	/* Further disks of the machine, by the same daemon. */
	const struct kmln_storage_more *more;
	size_t more_count;
	/* What is written goes into an overlay that is thrown away, and the image is only read. */
	bool snapshot;
	bool confined; /* by namespaces; else by Landlock alone */
	/* Private folders that last as long as the machine: one for what it needs besides the
	 * image, and one that nobody but it and the machine is given, for the socket between them.
	 */
	const char *folder, *socket_folder;
	/* What was looked at already, without shares; NULL: the host is looked at for this. */
	const struct kmln_sandbox *walls;
	const char *program; /* likewise */
};
/* The name of that socket, on which it speaks vhost-user-blk. That of the first further disk has a
 * 1 behind it, and so on. */
#define KMLN_STORAGE_SOCKET "disk"

/*
 * Plans the daemon that serves this disk to one machine, for KMLN_ACTION_SERVE; all of *spawn is
 * the pool's. KMLN_EINVALID where the image cannot be written, KMLN_ELACK where a program is
 * missing.
 */
int kmln_storage_plan(const struct kmln_storage_disk *disk, struct kmln_pool *pool,
	struct kmln_spawn *spawn, struct kmln_error *err);

#endif
