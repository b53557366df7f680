/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of the package kmln-guest (src/agent/), as bytes in kmln; guest-package.c is their user. */
#include "agent/package-paths.h"

.macro file name, path
	.balign 16
	.global kmln_package_\name
	.global kmln_package_\name\()_end
kmln_package_\name:
	.incbin "\path"
kmln_package_\name\()_end:
	.byte 0
.endm

	.section .rodata
	file program, GUEST_PROGRAM
	file postinst_hook, POSTINST_HOOK
	file postrm_hook, POSTRM_HOOK
	file postrm, POSTRM
	file copyright, COPYRIGHT
	.section .note.GNU-stack,"",%progbits
