/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a machine has written on its console, as text to search in: escape sequences, NULs,
 * carriage returns and other control bytes are taken out, and the last 64 KiB are kept. Pure: bytes
 * go in, answers come out. A guest may write anything, without a newline and for ever: the work for
 * each byte and the memory are bounded.
 */
#ifndef KMLN_RUN_CONSOLE_H
#define KMLN_RUN_CONSOLE_H

#include <regex.h>

#include "base/mem.h"

#define KMLN_CONSOLE_WINDOW 65536
/* A longer line is searched in pieces of this size. */
#define KMLN_CONSOLE_LINE 4096

struct kmln_console {
	struct kmln_buf text; /* the window */
	size_t mark; /* in text: the next search begins here */
	bool mark_in_line; /* the mark is behind the begin of its line */
	size_t line; /* in text: where the unfinished line begins */
	int escape; /* where in an escape sequence the stream is */
	char panic[256]; /* the first line in which the kernel gave up; "" */
	char locked[256]; /* the line in which UML was refused the lock of its disk; "" */
};

void kmln_console_add(struct kmln_console *console, const char *bytes, size_t size);
/*
 * True where a line since the last match (the unfinished one counts) has a match; the next search
 * begins behind it. ^ and $ are the begin and end of a line.
 */
bool kmln_console_match(struct kmln_console *console, const regex_t *regex);
/* Appends the last lines that are not empty, the unfinished one included. */
void kmln_console_tail(const struct kmln_console *console, unsigned lines, struct kmln_buf *out);
void kmln_console_fini(struct kmln_console *console);
#define KMLN_CONSOLE KMLN_CLEANUP(kmln_console_fini)

#endif
