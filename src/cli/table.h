/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two things side by side, for people: a name, and a cell of one or more lines for each. */
#ifndef KMLN_CLI_TABLE_H
#define KMLN_CLI_TABLE_H

#include "base/mem.h"

struct kmln_row {
	struct kmln_strv a, b;
};
#define KMLN_ROW KMLN_CLEANUP(kmln_row_fini)
void kmln_row_fini(struct kmln_row *row);

/* Prints the row, long lines wrapped at blanks, and empties it. Control bytes are escaped. */
void kmln_row_print(struct kmln_row *row, const char *name);

#endif
