/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a file that is said to be a kernel can start. Only looked at: it is not run for that. */
#ifndef KMLN_PLATFORM_KERNEL_FILE_H
#define KMLN_PLATFORM_KERNEL_FILE_H

enum kmln_kernel_kind {
	KMLN_KERNEL_KIND_NONE, /* neither of these, or not there */
	KMLN_KERNEL_KIND_UML, /* a program: User-Mode Linux */
	KMLN_KERNEL_KIND_PC, /* a bzImage: QEMU and KVM */
};

enum kmln_kernel_kind kmln_kernel_kind(const char *path);
/* Why this platform cannot start it, as the end of a sentence; NULL: it can. */
const char *kmln_kernel_kind_misfit(enum kmln_kernel_kind kind, const char *platform);

#endif
