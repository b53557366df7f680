/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The init program of the initramfs (src/agent/), as bytes in kmln and in kmln-guest. */
#include "agent/init-path.h"

	.section .rodata
	.balign 16
	.global kmln_init_program
	.global kmln_init_program_end
kmln_init_program:
	.incbin INIT_PATH
kmln_init_program_end:
	.byte 0
	.section .note.GNU-stack,"",%progbits
