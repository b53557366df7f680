/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GRUB's own images for a BIOS, made by its own tool; who writes them to the disk is step-loader.c.
 */
#ifndef KMLN_GUEST_GRUB_H
#define KMLN_GUEST_GRUB_H

#include "base/mem.h"

struct kmln_grub {
	const char *boot; /* boot.img, 512 bytes, not patched */
	const char *core; /* core.img with all modules it needs, not patched */
	size_t core_size;
};

/*
 * `partition` (from 1) of an MBR disk holds /boot/grub. KMLN_ELACK where GRUB's files or its tool
 * are not installed.
 */
int kmln_grub_make(
	struct kmln_pool *pool, unsigned partition, struct kmln_grub *grub, struct kmln_error *err);

#endif
