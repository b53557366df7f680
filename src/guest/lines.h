/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For steps that change single lines of a guest's text: planning it, and vouching for it. All other
 * lines stay as they are, byte for byte.
 */
#ifndef KMLN_GUEST_LINES_H
#define KMLN_GUEST_LINES_H

#include "guest/record.h"
#include "guest/step.h"

/*
 * Appends to `out` what stands in the place of the line (its number counts from 1; no newline is in
 * it); false: it stays.
 */
typedef bool (*kmln_line_fn)(
	const void *data, unsigned number, const char *line, struct kmln_buf *out);

/* True where some line of the text becomes another; `out` gets the whole text. */
bool kmln_lines_change(const char *text, kmln_line_fn fn, const void *data, struct kmln_buf *out);
/* Plans the same for a file that inspect knows; nothing where it is not there, or stays. */
int kmln_want_lines(struct kmln_planning *planning, const char *step, const char *why,
	const char *path, kmln_line_fn fn, const void *data, struct kmln_error *err);
/*
 * True for a record's item that changes lines of a file that was there, none more or less, and each
 * that differs is one that `fn` (of the line as it was) could have made.
 */
bool kmln_vouch_lines(
	const struct kmln_record_item *item, bool (*fn)(const char *before, const char *after));

#endif
