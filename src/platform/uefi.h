/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The UEFI firmware that this host has for QEMU's machines. */
#ifndef KMLN_PLATFORM_UEFI_H
#define KMLN_PLATFORM_UEFI_H

#include "base/mem.h"

struct kmln_uefi {
	const char *program; /* is only read */
	const char *variables; /* the template of what it writes to: each machine has a copy */
};

/* KMLN_ELACK where there is none. */
int kmln_uefi_find(struct kmln_uefi *uefi, struct kmln_error *err);

#endif
