/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GRUB's configuration, as kmln writes it on the host (guest/step-grub.c) and kmln-guest in the
 * guest when a kernel comes or goes: the same guest gives the same text in both places. A boot disk
 * beside a guest has one as well.
 *
 * What a guest's kernels do not tell is kept in KMLN_BOOT_CONFIG, a text file of "key=value" lines.
 */
#ifndef KMLN_BOOT_GRUB_CONFIG_H
#define KMLN_BOOT_GRUB_CONFIG_H

#include "boot/kernel.h"

#define KMLN_GRUB_CONFIG "/boot/grub/grub.cfg"
/* How a configuration of kmln's begins; any other is never touched. */
#define KMLN_GRUB_MARK "# Written by kmln"
#define KMLN_BOOT_CONFIG "/etc/kmln/boot.conf"

/* No string is NULL; "" where there is nothing to say. */
struct kmln_boot_config {
	const char *filesystem; /* UUID of the one that /boot is on */
	const char *boot; /* where /boot lies on it: "/boot" */
	const char *programs; /* the guest's architecture, as in facts: "x86-64" */
	const char *drivers; /* words: what a kernel must have to start this guest */
	const char *kernel; /* the release to start although newer ones are there */
	const char *options; /* words behind the kernel's name: root=, ro, console= ... */
	const char *append; /* more of them, of the guest's administrator */
};

/* Appends the text of KMLN_BOOT_CONFIG. */
void kmln_boot_config_write(const struct kmln_boot_config *config, struct kmln_buf *out);
/* Reads it, into the pool; false where a key other than `append` is missing. */
bool kmln_boot_config_read(
	const char *text, struct kmln_pool *pool, struct kmln_boot_config *config);

/* True for a kernel that can start this guest. */
bool kmln_boot_suits(const struct kmln_boot_config *config, const struct kmln_kernel *kernel);
/*
 * Appends GRUB's configuration: an entry for each kernel that suits and has an initramfs, newest
 * first, but config->kernel before all. Returns their number.
 */
size_t kmln_grub_config_write(const struct kmln_boot_config *config,
	const struct kmln_kernel *kernels, size_t count, struct kmln_buf *out);

/* The same with one entry, for a kernel that does not lie in a guest. */
struct kmln_grub_config {
	const char *title; /* behind "Linux" in the menu: a release */
	const char *uuid; /* of the filesystem with kernel and initramfs; NULL: GRUB's own root */
	const char *kernel, *initramfs; /* paths there without blanks; initramfs may be NULL */
	const char *words; /* the kernel's command line */
};
void kmln_grub_config(const struct kmln_grub_config *config, struct kmln_buf *out);

#endif
