/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tree as text, in the one layout of project files: a tab a level, an item a line, at most one
 * empty line between items, comments where they were. Printed, read and printed again it is the
 * same to the byte.
 */
#ifndef KMLN_PROJECT_PRINT_H
#define KMLN_PROJECT_PRINT_H

#include "project/syntax.h"

/* Appends the whole tree; includes as their line. */
void kmln_syntax_print(struct kmln_buf *out, const struct kmln_syntax *syntax);

#endif
