/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changing texts of a guest in memory: marked blocks, lines, and lines of fields with colons. */
#ifndef KMLN_GUEST_SET_TEXT_H
#define KMLN_GUEST_SET_TEXT_H

#include <sys/types.h>

#include "base/mem.h"

/* `length` bytes at `at` become these. */
void kmln_text_splice(
	struct kmln_buf *text, size_t at, size_t length, const char *bytes, size_t size);
/* Ends the last line, if it is not ended. */
void kmln_text_end_line(struct kmln_buf *text);

/* Takes kmln's block of this name out, its marks with it. */
void kmln_block_remove(struct kmln_buf *text, const char *name);
/* Puts the block in, at the top or the end; the body consists of whole lines. */
void kmln_block_add(struct kmln_buf *text, const char *name, const char *body, bool at_top);
/* True for a line that could be taken for a mark. */
bool kmln_block_is_mark(const char *line);

/* The first line that is this one: where it begins, or -1. */
ssize_t kmln_text_find(const struct kmln_buf *text, const char *line);

/* ---- passwd and its like: "NAME:FIELD:..." ---- */

bool kmln_account_there(const struct kmln_buf *text, const char *name);
/* A field of the line of this name (0: the name); NULL where there is none. */
char *kmln_account_get(
	struct kmln_pool *pool, const struct kmln_buf *text, const char *name, unsigned field);
void kmln_account_set(struct kmln_buf *text, const char *name, unsigned field, const char *value);
void kmln_account_remove(struct kmln_buf *text, const char *name);
/* Adds a line (without newline), before lines that refer to NIS. */
void kmln_account_add(struct kmln_buf *text, const char *line);
/* True where a line has this number in this field. */
bool kmln_account_has_number(const struct kmln_buf *text, unsigned field, uint32_t number);
/* Lists of members, divided by commas. */
bool kmln_member_there(const char *list, const char *name);
char *kmln_member_add(struct kmln_pool *pool, const char *list, const char *name);
char *kmln_member_remove(struct kmln_pool *pool, const char *list, const char *name);

#endif
