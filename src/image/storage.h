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

struct kmln_storage;

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

#endif
