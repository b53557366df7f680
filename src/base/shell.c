// SPDX-License-Identifier: GPL-2.0-or-later
/* Words of a shell's line; see shell.h. */
#include "base/shell.h"

void kmln_shell_quote(const char *word, struct kmln_buf *out)
{
	kmln_buf_str(out, "'");
	for (; *word; word++)
		if (*word == '\'')
			kmln_buf_str(out, "'\\''");
		else
			kmln_buf_add(out, word, 1);
	kmln_buf_str(out, "'");
}
