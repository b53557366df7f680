/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What guests have to say on its way to the user: as it is, or, where several speak, line by line
 * with the host's name in front. A guest is hostile: on a terminal what would steer it is shown as
 * \xNN, and a line without an end is cut into pieces.
 */
#ifndef KMLN_CLI_OUTPUT_H
#define KMLN_CLI_OUTPUT_H

#include "base/mem.h"

/* A longer line is cut here, bytes. */
#define KMLN_OUTPUT_LINE 4096

struct kmln_prefixer {
	const char *name; /* put in front of each line; NULL: nothing is */
	const char *color; /* SGR numbers of the name ("32"); NULL: none */
	bool harmless; /* control bytes are shown, not sent */
	struct kmln_buf line; /* what came without its end; release with kmln_buf_fini() */
};

/* Appends the lines that are whole now. */
void kmln_prefixer_add(
	struct kmln_prefixer *prefixer, const char *bytes, size_t size, struct kmln_buf *out);
/* Ends a line that has no end. */
void kmln_prefixer_end(struct kmln_prefixer *prefixer, struct kmln_buf *out);

/*
 * Appends bytes for a terminal: newlines and tabs stay, escape sequences (colours, mostly) are left
 * out, and what else would steer it is shown as \xNN.
 */
void kmln_harmless(const char *bytes, size_t size, struct kmln_buf *out);
/* One of several colours for the host of this number; NULL where `fd` wants none. */
const char *kmln_color(int fd, size_t number);

#endif
