/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copying a disk so that its holes stay holes. */
#ifndef KMLN_IMAGE_COPY_H
#define KMLN_IMAGE_COPY_H

#include "image/device.h"

/*
 * Copies all of `from` to byte `offset` of `to`, which is all zeroes there. Between files it shares
 * blocks where the host's filesystem can, else copies inside the kernel.
 */
int kmln_copy(
	struct kmln_device *from, struct kmln_device *to, uint64_t offset, struct kmln_error *err);

#endif
