// SPDX-License-Identifier: GPL-2.0-or-later
/* Kinds of kernels, by a few bytes of theirs; see kernel-file.h. */
#include "platform/kernel-file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "platform/uml.h"

#define SIGN_AT 0x202

enum kmln_kernel_kind kmln_kernel_kind(const char *path)
{
	struct kmln_error ignored;
	KMLN_FD int fd = kmln_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &ignored);
	struct stat st;
	char sign[4];

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return KMLN_KERNEL_KIND_NONE;
	if (kmln_pread_all(fd, sign, sizeof(sign), SIGN_AT, &ignored) == 0 &&
		memcmp(sign, "HdrS", sizeof(sign)) == 0)
		return KMLN_KERNEL_KIND_PC;
	return kmln_uml_is_program(path) ? KMLN_KERNEL_KIND_UML : KMLN_KERNEL_KIND_NONE;
}

const char *kmln_kernel_kind_misfit(enum kmln_kernel_kind kind, const char *platform)
{
	const bool uml = kmln_eq(platform, "uml");
	const bool pc = kmln_eq(platform, "qemu") || kmln_eq(platform, "kvm");

	if (kind == KMLN_KERNEL_KIND_NONE)
		return "is no kernel: neither a program of User-Mode Linux nor a bzImage";
	if (kind == KMLN_KERNEL_KIND_PC && uml)
		return "is a kernel for a PC, and User-Mode Linux takes a program of its own kind";
	if (kind == KMLN_KERNEL_KIND_UML && pc)
		return "is a program of User-Mode Linux, and QEMU takes a bzImage";
	return NULL;
}
