/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The difference of two small texts as a unified diff, for showing plans. */
#ifndef KMLN_PLAN_DIFF_H
#define KMLN_PLAN_DIFF_H

#include "base/mem.h"

/*
 * Appends the hunks (three lines of context, no header) that turn `old` into `new`, each line
 * behind eight blanks. Texts that differ in more than about two thousand lines are shown as one
 * exchange.
 */
void kmln_diff(
	struct kmln_buf *out, const char *old, size_t old_size, const char *new, size_t new_size);
/* True for bytes that people can read: no NUL, hardly any control byte. */
bool kmln_is_text(const char *data, size_t size);

#endif
