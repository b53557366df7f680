/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For the steps' could_write(): whether a path of a record is one that the step would write. */
#ifndef KMLN_GUEST_VOUCH_H
#define KMLN_GUEST_VOUCH_H

#include "guest/record.h"
#include "guest/step.h"

/*
 * True where `path` is what `known` (a path that inspect knows) is in this guest: with its links
 * followed, or below what its parent is where it is not there.
 */
bool kmln_is_place(const struct kmln_facts *facts, const char *known, const char *path);
/* What follows behind the folder `known` and a slash; NULL where `path` does not lie below it. */
const char *kmln_below_place(const struct kmln_facts *facts, const char *known, const char *path);

/*
 * A file that others change too, made, or with more lines than before: the lines that kmln added,
 * each with its newline. NULL where the item is not just that.
 */
const char *kmln_added_lines(const struct kmln_record_item *item);
/*
 * A file that others change too, made, or with one more line than before: the line that kmln added,
 * with its newline. NULL where the item is not just that.
 */
const char *kmln_added_line(const struct kmln_record_item *item);
/* True for "0", "17": digits, at most three. */
bool kmln_is_small_number(const char *text, size_t size);
/* True where the text is the console of a platform. */
bool kmln_is_console(const char *text, size_t size);

#endif
