/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words of a shell's line. Pure. */
#ifndef KMLN_BASE_SHELL_H
#define KMLN_BASE_SHELL_H

#include "base/mem.h"

/* Appends the word between single quotes, where every byte is itself. */
void kmln_shell_quote(const char *word, struct kmln_buf *out);

#endif
