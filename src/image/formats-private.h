/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What formats.c and vmdk.c share. */
#ifndef KMLN_IMAGE_FORMATS_PRIVATE_H
#define KMLN_IMAGE_FORMATS_PRIVATE_H

#include "image/formats.h"

struct kmln_bytes {
	const unsigned char *data;
	size_t size;
};

/* A number of `width` bytes; 0 where it lies outside. */
uint64_t kmln_field(const struct kmln_bytes *b, size_t offset, size_t width, bool big);
/* A name that lies in these bytes, into the pool; KMLN_EINVALID for one that cannot be. */
int kmln_header_name(const struct kmln_bytes *b, uint64_t offset, uint64_t length,
	struct kmln_pool *pool, const char **name, struct kmln_error *err);
/* The header of a sparse VMDK, or a descriptor of its own. */
int kmln_vmdk_header(const struct kmln_bytes *b, struct kmln_pool *pool, struct kmln_header *header,
	struct kmln_error *err);

#endif
