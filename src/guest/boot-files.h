/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the files in a guest's /boot are called, for the steps that write them and the one that uses
 * them. */
#ifndef KMLN_GUEST_BOOT_FILES_H
#define KMLN_GUEST_BOOT_FILES_H

#include "image/facts.h"

/*
 * The name of our initramfs for this release: "initrd.img-RELEASE", or "kmln-initrd.img-RELEASE"
 * where a distribution's has the first name. From the pool.
 */
char *kmln_initramfs_name(
	struct kmln_pool *pool, const struct kmln_facts *facts, const char *release);

#endif
