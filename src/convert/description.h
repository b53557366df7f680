/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The description that `--boot direct` writes beside an image: what a machine is started with. */
#ifndef KMLN_CONVERT_DESCRIPTION_H
#define KMLN_CONVERT_DESCRIPTION_H

#include "base/mem.h"

struct kmln_description {
	const char *disk, *kernel, *initramfs; /* names of files in the description's own folder */
	const char *words; /* for the kernel */
	const char *format; /* of the disk, in QEMU's words */
};

/* Appends the JSON. */
int kmln_description_print(
	const struct kmln_description *description, struct kmln_buf *out, struct kmln_error *err);
/*
 * Reads one. The names become paths, beside that of the description. Text is the pool's.
 * KMLN_EINVALID for what is no such description, or names a file elsewhere.
 */
int kmln_description_read(const char *path, struct kmln_pool *pool,
	struct kmln_description *description, struct kmln_error *err);

#endif
