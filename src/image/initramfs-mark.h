/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How kmln's own initramfs is told from a distribution's: by the file name in its gzip header. It
 * is written by guest/initramfs.c and looked for here.
 */
#ifndef KMLN_IMAGE_INITRAMFS_MARK_H
#define KMLN_IMAGE_INITRAMFS_MARK_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define KMLN_INITRAMFS_NAME "kmln-initramfs"

static inline bool kmln_initramfs_is_ours(const char *bytes, size_t size)
{
	/* gzip: magic, method, FNAME flag, six more bytes, then the name with its NUL */
	return size > 10 + sizeof(KMLN_INITRAMFS_NAME) &&
	       memcmp(bytes, "\x1f\x8b\x08\x08", 4) == 0 &&
	       memcmp(bytes + 10, KMLN_INITRAMFS_NAME, sizeof(KMLN_INITRAMFS_NAME)) == 0;
}

#endif
