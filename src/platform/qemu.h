/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the platforms qemu and kvm have in common: one machine, two accelerators. */
#ifndef KMLN_PLATFORM_QEMU_H
#define KMLN_PLATFORM_QEMU_H

#include "platform/platform.h"

#define KMLN_QEMU_PROGRAM "qemu-system-x86_64"
#define KMLN_QEMU_PACKAGE "qemu-system-x86"

/* Of the machine that kmln_qemu_launch() describes. */
extern const char *const kmln_qemu_drivers[];
extern const char *const kmln_qemu_entries[];

/* The launch of both; `accel` is "tcg" or "kvm". */
int kmln_qemu_launch(const struct kmln_launch *launch, const char *accel, const char *cpu,
	struct kmln_strv *argv, struct kmln_error *err);

/* QEMU on this host. Strings are in the pool; what was not found is NULL. */
struct kmln_qemu {
	char *binary, *version;
	char *accelerators; /* names with blanks between */
	char *bios, *rom; /* its firmware, and the piece that loads -kernel */
	const char *lacking; /* why it cannot run machines; NULL: it can */
};
/* Adds the findings to the probe; the verdict is left to the platform. */
void kmln_qemu_look(struct kmln_pool *pool, struct kmln_probe *probe, struct kmln_qemu *qemu);
/* Whether the accelerator is among the names, which may be NULL. */
bool kmln_qemu_has_accel(const char *names, const char *name);

#endif
