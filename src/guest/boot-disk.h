/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small disk that starts a guest whose own disk has no boot loader: MBR, GRUB, and a FAT16
 * partition with kernel, initramfs and configuration. Pure: bytes in, pieces out.
 */
#ifndef KMLN_GUEST_BOOT_DISK_H
#define KMLN_GUEST_BOOT_DISK_H

#include "guest/step.h"

/* The partition that GRUB's core must look for its files in. */
#define KMLN_BOOT_DISK_PARTITION "msdos1"

/*
 * Uses goal's kernel release, initramfs, grub_boot and grub_core; `kernel` is the image's bytes.
 * Pieces are sorted, in the pool, and borrow what was given; *size is the whole disk's, bytes.
 */
int kmln_boot_disk(const struct kmln_goal *goal, const struct kmln_facts *facts,
	const struct kmln_buf *kernel, struct kmln_pool *pool, struct kmln_pieces *pieces,
	uint64_t *size, struct kmln_error *err);

#endif
