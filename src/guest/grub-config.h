/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of GRUB's configuration, for the guest's own disk and for a boot disk beside it. */
#ifndef KMLN_GUEST_GRUB_CONFIG_H
#define KMLN_GUEST_GRUB_CONFIG_H

#include "base/mem.h"

/* How a configuration of kmln's begins. */
#define KMLN_GRUB_MARK "# Written by kmln"

struct kmln_grub_config {
	const char *title; /* behind "Linux" in the menu: a release */
	const char *uuid; /* of the filesystem with kernel and initramfs; NULL: GRUB's own root */
	const char *kernel, *initramfs; /* paths there without blanks; initramfs may be NULL */
	const char *words; /* the kernel's command line */
};

void kmln_grub_config(const struct kmln_grub_config *config, struct kmln_buf *out);

#endif
