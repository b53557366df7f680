/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device behind an NBD server (libnbd's home). Big reads are many requests at once; small ones go
 * through a cache of a few MiB, which reads ahead where they go on in a row. What is written goes
 * to the server at once, and into the cache.
 */
#ifndef KMLN_IMAGE_NBD_H
#define KMLN_IMAGE_NBD_H

#include "image/device.h"
#include "image/storage.h"

/*
 * The disk that `storage` serves; `client` is the socket of kmln_storage_start(). Both are the
 * device's from here on, and end with it; on failure they are closed.
 */
int kmln_device_nbd(struct kmln_storage *storage, int client, struct kmln_device **device,
	struct kmln_error *err);

#endif
