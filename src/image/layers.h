/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files that an image is made of: the one that was named, those that it names itself, and those
 * that these name. Each is opened here, by the user who runs kmln, before anybody else opens it: a
 * name in an image leads nowhere that the user could not go himself, and out of the image's own
 * folder only where he says so (KMLN_DISK_BACKING). Nobody guesses here: a backing file has the
 * format that the image says it has.
 */
#ifndef KMLN_IMAGE_LAYERS_H
#define KMLN_IMAGE_LAYERS_H

#include <sys/types.h>

#include "image/formats.h"

struct kmln_layer {
	const char *path; /* absolute, without links */
	int fd; /* owned */
	bool writable;
	dev_t device;
	ino_t inode;
	uint64_t size, allocated; /* of the file, bytes */
	struct kmln_header header; /* of a raw file: format "raw", driver "raw" */
	/* In the same set; NULL: none. */
	struct kmln_layer *backing, *data;
	struct kmln_layer **extents; /* header.extent_count of them */
};

struct kmln_layers {
	struct kmln_pool *pool; /* owned */
	struct kmln_layer **items; /* the image first; each file once */
	size_t count;
};

/*
 * Opens the image at `path`, which is not a raw one, and all that it consists of. `flags` are those
 * of kmln_disk_open(). KMLN_EINVALID, with advice, for what the image may not name.
 */
int kmln_layers_open(
	const char *path, unsigned flags, struct kmln_layers **layers, struct kmln_error *err);
/* Closes and forgets *layers (NULL is fine). */
void kmln_layers_close(struct kmln_layers **layers);

#endif
