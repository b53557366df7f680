/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How kmln's own initramfs is told from a distribution's: by the name of the first file in its
 * archive. It is written by boot/initramfs.c and looked for by boot/kernel.c.
 */
#ifndef KMLN_BOOT_INITRAMFS_MARK_H
#define KMLN_BOOT_INITRAMFS_MARK_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define KMLN_INITRAMFS_NAME "kmln-initramfs"

static inline bool kmln_initramfs_is_ours(const char *bytes, size_t size)
{
	/* cpio's "newc": magic, 13 numbers of eight digits, then the name with its NUL */
	const size_t header = 110;

	return size > header + sizeof(KMLN_INITRAMFS_NAME) && memcmp(bytes, "070701", 6) == 0 &&
	       memcmp(bytes + header, KMLN_INITRAMFS_NAME, sizeof(KMLN_INITRAMFS_NAME)) == 0;
}

#endif
