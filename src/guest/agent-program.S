/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kmln-agent (src/agent/), as bytes in kmln; set-agent.c brings it into guests. */
#include "agent/agent-path.h"

	.section .rodata
	.balign 16
	.global kmln_agent_program
	.global kmln_agent_program_end
kmln_agent_program:
	.incbin AGENT_PATH
kmln_agent_program_end:
	.byte 0
	.section .note.GNU-stack,"",%progbits
