// SPDX-License-Identifier: GPL-2.0-or-later
/* A table of two columns; see table.h. */
#include "cli/table.h"

#include <stdio.h>
#include <string.h>

#include "plan/print.h"

#define NAME_WIDTH 14
#define WIDTH 40

void kmln_row_fini(struct kmln_row *row)
{
	kmln_strv_fini(&row->a);
	kmln_strv_fini(&row->b);
}

/* Characters, not bytes. */
static size_t columns(const char *text, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++)
		n += (text[i] & 0xc0) != 0x80;
	return n;
}

/* How much of the text goes on one line: up to the last blank that fits, or a word that is longer.
 */
static size_t fitting(const char *text)
{
	size_t best = 0;

	for (size_t i = 0;; i++) {
		if (text[i] && text[i] != ' ')
			continue;
		if (columns(text, i) > WIDTH)
			return best ? best : i;
		best = i;
		if (!text[i])
			return best;
	}
}

/* The lines of a cell, escaped and wrapped; what is continued is indented. */
static void wrap(const struct kmln_strv *cell, struct kmln_strv *lines)
{
	for (size_t i = 0; i < cell->count; i++) {
		KMLN_BUF struct kmln_buf clean = {0};
		const char *rest;

		kmln_buf_add(&clean, "", 0);
		kmln_plan_escape(&clean, cell->items[i]);
		rest = clean.data;
		do {
			size_t n = fitting(rest);

			kmln_strv_printf(
				lines, "%s%.*s", rest == clean.data ? "" : "  ", (int)n, rest);
			rest += n;
			rest += *rest == ' ';
		} while (*rest);
	}
}

void kmln_row_print(struct kmln_row *row, const char *name)
{
	KMLN_STRV struct kmln_strv a = {0}, b = {0};

	wrap(&row->a, &a);
	wrap(&row->b, &b);
	for (size_t i = 0; i == 0 || i < a.count || i < b.count; i++) {
		const char *left = i < a.count ? a.items[i] : "";
		const char *right = i < b.count ? b.items[i] : "";
		size_t width = columns(left, strlen(left));

		printf("%-*s %s", NAME_WIDTH, i ? "" : name, left);
		if (*right)
			printf("%*s  %s", width < WIDTH ? (int)(WIDTH - width) : 0, "", right);
		printf("\n");
	}
	kmln_row_fini(row);
}
