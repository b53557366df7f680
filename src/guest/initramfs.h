/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kmln's own initramfs: a small static init (src/agent/) and the drivers of every platform that the
 * kernel has as modules. It is the same for all guests of one kernel: which root to mount is said
 * on the kernel command line, and init loads only what it finds a device for.
 */
#ifndef KMLN_GUEST_INITRAMFS_H
#define KMLN_GUEST_INITRAMFS_H

#include <stdbool.h>

#include "tree/tree.h"

/*
 * Appends the initramfs for the kernel whose modules are in `modules_folder`
 * ("/usr/lib/modules/6.1.0-56-amd64") of the tree. Equal modules give equal bytes, under 2 MB.
 * modules_folder NULL: no modules at all, for a kernel with all built in.
 */
int kmln_initramfs_build(struct kmln_tree *tree, const char *modules_folder, struct kmln_buf *out,
	struct kmln_error *err);

#endif
