// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A line diff by the longest common subsequence. The files of a plan are short (fstab, inittab,
 * grub.cfg), so the plain table is enough once the common head and tail are cut off; beyond
 * TABLE_MAX cells everything between is shown as replaced.
 */
#include "plan/diff.h"

#include <stdlib.h>
#include <string.h>

#include "plan/print.h"

#define CONTEXT 3
#define TABLE_MAX (4u << 20)

struct line {
	const char *text;
	size_t size; /* without the newline */
	bool open; /* the last one, without a newline */
};

struct lines {
	struct line *items;
	size_t count;
};

/* One line of the result; ' ' stands in both texts. */
struct step {
	char sign;
	const struct line *line;
};

static struct lines split(const char *text, size_t size)
{
	size_t room = 64;
	struct lines lines = {kmln_malloc(room * sizeof(struct line)), 0};

	while (size) {
		const char *nl = memchr(text, '\n', size);
		size_t length = nl ? (size_t)(nl - text) : size;

		if (lines.count == room) {
			room *= 2;
			lines.items = kmln_realloc(lines.items, room * sizeof(struct line));
		}
		lines.items[lines.count++] = (struct line){text, length, !nl};
		size -= length + (nl ? 1 : 0);
		text += length + (nl ? 1 : 0);
	}
	return lines;
}

static void free_lines(struct lines *lines)
{
	free(lines->items);
}

static bool same(const struct line *a, const struct line *b)
{
	return a->size == b->size && a->open == b->open && memcmp(a->text, b->text, a->size) == 0;
}

/* Fills steps[] for the middle parts a and b; returns how many. */
static size_t middle(
	const struct line *a, size_t n, const struct line *b, size_t m, struct step *steps)
{
	KMLN_FREE unsigned *table = NULL;
	size_t i = 0, j = 0, count = 0;

	if (n && m && n * m <= TABLE_MAX) {
		/* table[i][j]: length of the longest common subsequence of a[i..] and b[j..] */
		table = calloc((n + 1) * (m + 1), sizeof(*table));
		if (!table)
			abort();
		for (i = n; i-- > 0;)
			for (j = m; j-- > 0;) {
				unsigned *cell = &table[i * (m + 1) + j];

				if (same(&a[i], &b[j]))
					*cell = cell[m + 2] + 1;
				else
					*cell = cell[m + 1] > cell[1] ? cell[m + 1] : cell[1];
			}
		for (i = j = 0; i < n && j < m;) {
			const unsigned *cell = &table[i * (m + 1) + j];

			if (same(&a[i], &b[j])) {
				steps[count++] = (struct step){' ', &a[i++]};
				j++;
			} else if (cell[m + 1] >= cell[1]) {
				steps[count++] = (struct step){'-', &a[i++]};
			} else {
				steps[count++] = (struct step){'+', &b[j++]};
			}
		}
	}
	while (i < n)
		steps[count++] = (struct step){'-', &a[i++]};
	while (j < m)
		steps[count++] = (struct step){'+', &b[j++]};
	return count;
}

static void print_hunk(struct kmln_buf *out, const struct step *steps, size_t from, size_t to)
{
	size_t old_line = 1, new_line = 1, olds = 0, news = 0;
	KMLN_FREE char *head = NULL;
	KMLN_BUF struct kmln_buf text = {0};

	for (size_t i = 0; i < to; i++) {
		size_t *old = i < from ? &old_line : &olds, *new = i < from ? &new_line : &news;

		*old += steps[i].sign != '+';
		*new += steps[i].sign != '-';
	}
	head = kmln_printf("@@ -%zu,%zu +%zu,%zu @@", olds ? old_line : old_line - 1, olds,
		news ? new_line : new_line - 1, news);
	kmln_plan_detail(out, head);
	for (size_t i = from; i < to; i++) {
		text.size = 0;
		kmln_buf_add(&text, &steps[i].sign, 1);
		kmln_buf_add(&text, steps[i].line->text, steps[i].line->size);
		kmln_plan_detail(out, text.data);
		if (steps[i].line->open)
			kmln_plan_detail(out, "\\ No newline at end of file");
	}
}

void kmln_diff(
	struct kmln_buf *out, const char *old, size_t old_size, const char *new, size_t new_size)
{
	KMLN_CLEANUP(free_lines) struct lines a = split(old, old_size), b = split(new, new_size);
	KMLN_FREE struct step *steps = kmln_malloc((a.count + b.count) * sizeof(*steps));
	size_t head = 0, tail = 0, count = 0;

	while (head < a.count && head < b.count && same(&a.items[head], &b.items[head])) {
		steps[count++] = (struct step){' ', &a.items[head]};
		head++;
	}
	while (tail < a.count - head && tail < b.count - head &&
		same(&a.items[a.count - 1 - tail], &b.items[b.count - 1 - tail]))
		tail++;
	count += middle(a.items + head, a.count - head - tail, b.items + head,
		b.count - head - tail, steps + count);
	for (size_t i = a.count - tail; i < a.count; i++)
		steps[count++] = (struct step){' ', &a.items[i]};

	for (size_t i = 0, from, last; i < count;) {
		if (steps[i].sign == ' ') {
			i++;
			continue;
		}
		/* the hunk goes on while changes are no further apart than two contexts */
		from = i > CONTEXT ? i - CONTEXT : 0;
		for (last = i; i < count && i - last <= 2 * CONTEXT + 1; i++)
			if (steps[i].sign != ' ')
				last = i;
		i = last + 1;
		print_hunk(out, steps, from, i + CONTEXT < count ? i + CONTEXT : count);
	}
}

bool kmln_is_text(const char *data, size_t size)
{
	static const bool none[256] = {
		[0 ... 8] = true, [11] = true, [14 ... 26] = true, [28 ... 31] = true};

	for (size_t i = 0; i < size; i++)
		if (none[(unsigned char)data[i]])
			return false;
	return true;
}
