/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GRUB's own images, made by its own tool; who writes them to a disk is step-loader.c. */
#ifndef KMLN_GUEST_GRUB_H
#define KMLN_GUEST_GRUB_H

#include "base/mem.h"

struct kmln_grub {
	const char *boot; /* boot.img, 512 bytes, not patched */
	const char *core; /* core.img with all modules it needs, not patched */
	size_t core_size;
};

/*
 * For a BIOS. /boot/grub is in the given partition of the disk that GRUB was started from:
 * "msdos1", "gpt3". KMLN_ELACK where GRUB's files or its tool are not installed.
 */
int kmln_grub_make(struct kmln_pool *pool, const char *partition, struct kmln_grub *grub,
	struct kmln_error *err);

/* The program for UEFI: finds /boot/grub/grub.cfg on the filesystem with this UUID. */
int kmln_grub_make_efi(struct kmln_pool *pool, const char *uuid, const char **program, size_t *size,
	struct kmln_error *err);

#endif
