/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The word `kernel` of a host. A file is what its machine starts, and brings all it needs to reach
 * the root (or has a `ramdisk`). Any other name is that of a kernel kit, which is put into the copy
 * of the image instead of the kit that kmln would choose. `linux` is what MLN's files say where
 * they mean the usual one.
 */
#ifndef KMLN_CLUSTER_KERNEL_H
#define KMLN_CLUSTER_KERNEL_H

#include "cluster/cluster.h"

/* The kit that the host names; NULL: none. `folder` as in struct kmln_cluster_wish. */
const char *kmln_kernel_kit(
	const struct kmln_host *host, const char *folder, struct kmln_pool *pool);

/*
 * Fills placed->kernel and ->ramdisk, once its platform is known. KMLN_EINVALID, with the place in
 * the project's file, for a kernel that this platform cannot start.
 */
int kmln_kernel_look(struct kmln_cluster *cluster, struct kmln_placed *placed, const char *folder,
	struct kmln_error *err);

#endif
