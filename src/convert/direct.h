/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starting a guest without a boot loader: a kernel and our initramfs beside it, as files that a
 * machine is given. Nothing in the image is read twice or written.
 */
#ifndef KMLN_CONVERT_DIRECT_H
#define KMLN_CONVERT_DIRECT_H

#include "convert/convert.h"

struct kmln_direct {
	const char *kernel, *initramfs; /* host paths in the folder; all text is the pool's */
	const char *words; /* for the kernel's command line */
	const char *why; /* where the kernel is from, for people */
};

/*
 * Chooses a kernel as `kmln convert` would and writes it and an initramfs into `folder`. KMLN_ELACK
 * where no kernel is to be had.
 */
int kmln_direct_prepare(const struct kmln_disk *disk, const struct kmln_facts *facts,
	const struct kmln_platform *platform, const char *folder, struct kmln_pool *pool,
	struct kmln_direct *direct, struct kmln_error *err);

/*
 * The word for our init where the guest calls its root by the name it has on another platform; NULL
 * where it does not. `disk` is the name here.
 */
const char *kmln_direct_alias(
	const struct kmln_facts *facts, const char *disk, struct kmln_pool *pool);
/*
 * The word by which User-Mode Linux's kernel does not measure, for most of a second at each start,
 * how best to compute RAID 6; NULL for a guest that has tools for that, which must be able to.
 */
const char *kmln_direct_uml_quick(const struct kmln_facts *facts);
/*
 * An initramfs with User-Mode Linux's own drivers, as a file in `folder`, for the disk that the
 * guest sees as `name` ("vda"). `program` is linux.uml. *words: what the kernel is told besides.
 */
int kmln_direct_uml(const struct kmln_facts *facts, const char *program, const char *name,
	const char *folder, struct kmln_pool *pool, struct kmln_direct *direct,
	struct kmln_error *err);

#endif
