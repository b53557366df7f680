/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one layout of a plan's lines, for edits and actions alike: "verb    object  # by: why". */
#ifndef KMLN_PLAN_PRINT_H
#define KMLN_PLAN_PRINT_H

#include "base/mem.h"

/*
 * `why` may be NULL. Control characters but the tab, and bytes that are no UTF-8, are escaped as
 * \xNN: a name is one line, and cannot steer a terminal.
 */
void kmln_plan_line(struct kmln_buf *out, const char *verb, const char *object, const char *by,
	const char *why);
/* In front of a line that belongs to the one above. */
#define KMLN_PLAN_DETAIL "        "
/* Such a line: eight blanks, then text, escaped in the same way. */
void kmln_plan_detail(struct kmln_buf *out, const char *text);
/* Appends text with its control bytes as \xNN. */
void kmln_plan_escape(struct kmln_buf *out, const char *text);
/* Bytes as people read them: "91.2 MB", "312 bytes"; from the pool. */
char *kmln_plan_bytes(struct kmln_pool *pool, uint64_t bytes);

#endif
