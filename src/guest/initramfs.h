/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our initramfs (boot/initramfs.h), built on the host. */
#ifndef KMLN_GUEST_INITRAMFS_H
#define KMLN_GUEST_INITRAMFS_H

#include "tree/tree.h"

/*
 * Appends the initramfs for the kernel whose modules are in `modules_folder`
 * ("/usr/lib/modules/6.1.0-56-amd64") of the tree; NULL: no modules at all.
 */
int kmln_initramfs_build(struct kmln_tree *tree, const char *modules_folder, struct kmln_buf *out,
	struct kmln_error *err);

#endif
