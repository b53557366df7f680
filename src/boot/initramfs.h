/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kmln's own initramfs: a small static init (src/agent/init.c) and the drivers of every platform
 * that the kernel has as modules. It is the same for all guests of one kernel: which root to mount
 * is said on the kernel command line, and init loads only what it finds a device for.
 *
 * kmln builds it on the host, and kmln-guest in the guest for kernels that come later. Both are to
 * give the same bytes for the same kernel, so the archive is not compressed: no two compressors
 * agree.
 */
#ifndef KMLN_BOOT_INITRAMFS_H
#define KMLN_BOOT_INITRAMFS_H

#include "tree/tree.h"

/*
 * Appends what the xz, gzip or zstd bytes of the module `path` unpack to; other bytes as they are.
 * More than `limit` bytes is EFBIG.
 */
typedef int (*kmln_unpack_fn)(const char *path, const void *bytes, size_t size, size_t limit,
	struct kmln_buf *out, struct kmln_error *err);

/*
 * Appends the initramfs for the kernel whose modules are in `modules_folder`
 * ("/usr/lib/modules/6.1.0-56-amd64") of the tree; `init` is its init program. Equal modules give
 * equal bytes. modules_folder NULL: no modules at all, for a kernel with all built in.
 */
int kmln_initramfs_make(struct kmln_tree *tree, const char *modules_folder, const char *init,
	size_t init_size, kmln_unpack_fn unpack, struct kmln_buf *out, struct kmln_error *err);

#endif
