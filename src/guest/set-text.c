// SPDX-License-Identifier: GPL-2.0-or-later
/* Texts of a guest, in memory; see set-text.h. A text may hold anything but NUL. */
#include "guest/set-text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEGIN "# kmln begins: "
#define END "# kmln ends: "

void kmln_text_splice(
	struct kmln_buf *text, size_t at, size_t length, const char *bytes, size_t size)
{
	KMLN_BUF struct kmln_buf tail = {0};

	kmln_buf_add(&tail, text->data ? text->data + at + length : "", text->size - at - length);
	text->size = at;
	if (text->data)
		text->data[at] = '\0';
	kmln_buf_add(text, bytes, size);
	kmln_buf_add(text, tail.data, tail.size);
}

void kmln_text_end_line(struct kmln_buf *text)
{
	if (text->size && text->data[text->size - 1] != '\n')
		kmln_buf_str(text, "\n");
}

/* The length of the line at `at`, with its newline. */
static size_t line_length(const struct kmln_buf *text, size_t at)
{
	size_t n = (size_t)(strchrnul(text->data + at, '\n') - (text->data + at));

	return n + (text->data[at + n] == '\n');
}

ssize_t kmln_text_find(const struct kmln_buf *text, const char *line)
{
	size_t n = strlen(line);

	for (size_t at = 0, step; at < text->size; at += step) {
		step = line_length(text, at);
		if (strncmp(text->data + at, line, n) == 0 &&
			(text->data[at + n] == '\n' || text->data[at + n] == '\0'))
			return (ssize_t)at;
	}
	return -1;
}

bool kmln_block_is_mark(const char *line)
{
	return kmln_starts(line, BEGIN) || kmln_starts(line, END);
}

static bool is_line(const char *at, size_t length, const char *line)
{
	length -= length && at[length - 1] == '\n';
	return strlen(line) == length && memcmp(at, line, length) == 0;
}

/* Where the last such line begins; 0 also where there is none. */
static size_t last_line(const struct kmln_buf *text, const char *line)
{
	size_t last = 0;

	for (size_t at = 0, n; at < text->size; at += n) {
		n = line_length(text, at);
		if (is_line(text->data + at, n, line))
			last = at;
	}
	return last;
}

/* In one pass: a hostile text may have a hundred thousand marks. */
void kmln_block_remove(struct kmln_buf *text, const char *name)
{
	KMLN_FREE char *begin = kmln_printf(BEGIN "%s", name), *end = kmln_printf(END "%s", name);
	size_t last_end = last_line(text, end), to = 0;
	bool inside = false;

	for (size_t at = 0, n; at < text->size; at += n) {
		const char *line = text->data + at;

		n = line_length(text, at);
		if (is_line(line, n, begin)) {
			/* without its end only the mark is surely kmln's */
			inside = at < last_end;
			continue;
		}
		if (inside && is_line(line, n, end)) {
			inside = false;
			continue;
		}
		if (inside)
			continue;
		memmove(text->data + to, line, n);
		to += n;
	}
	if (text->data)
		text->data[to] = '\0';
	text->size = to;
}

void kmln_block_add(struct kmln_buf *text, const char *name, const char *body, bool at_top)
{
	KMLN_FREE char *block = kmln_printf(BEGIN "%s\n%s" END "%s\n", name, body, name);

	if (!at_top)
		kmln_text_end_line(text);
	kmln_text_splice(text, at_top ? 0 : text->size, 0, block, strlen(block));
}

/* ---- accounts ---- */

static ssize_t account(const struct kmln_buf *text, const char *name)
{
	size_t n = strlen(name);

	for (size_t at = 0; at < text->size; at += line_length(text, at))
		if (strncmp(text->data + at, name, n) == 0 && text->data[at + n] == ':')
			return (ssize_t)at;
	return -1;
}

bool kmln_account_there(const struct kmln_buf *text, const char *name)
{
	return account(text, name) >= 0;
}

/* Where a field of the line at `at` begins, and its length; false where the line has not so many.
 */
static bool field_at(
	const struct kmln_buf *text, size_t at, unsigned field, size_t *start, size_t *length)
{
	for (; field; field--) {
		at += strcspn(text->data + at, ":\n");
		if (text->data[at] != ':')
			return false;
		at++;
	}
	*start = at;
	*length = strcspn(text->data + at, ":\n");
	return true;
}

char *kmln_account_get(
	struct kmln_pool *pool, const struct kmln_buf *text, const char *name, unsigned field)
{
	ssize_t at = account(text, name);
	size_t start, length;

	if (at < 0 || !field_at(text, (size_t)at, field, &start, &length))
		return NULL;
	return kmln_pool_memdup(pool, text->data + start, length);
}

void kmln_account_set(struct kmln_buf *text, const char *name, unsigned field, const char *value)
{
	ssize_t at = account(text, name);
	size_t start, length;

	if (at >= 0 && field_at(text, (size_t)at, field, &start, &length))
		kmln_text_splice(text, start, length, value, strlen(value));
}

void kmln_account_remove(struct kmln_buf *text, const char *name)
{
	size_t length = strlen(name), to = 0;

	for (size_t at = 0, n; at < text->size; at += n) {
		const char *line = text->data + at;

		n = line_length(text, at);
		if (strncmp(line, name, length) == 0 && line[length] == ':')
			continue;
		memmove(text->data + to, line, n);
		to += n;
	}
	if (text->data)
		text->data[to] = '\0';
	text->size = to;
}

void kmln_account_add(struct kmln_buf *text, const char *line)
{
	KMLN_FREE char *whole = kmln_printf("%s\n", line);
	size_t at = 0;

	while (at < text->size && text->data[at] != '+' && text->data[at] != '-')
		at += line_length(text, at);
	if (at == text->size) {
		kmln_text_end_line(text);
		at = text->size;
	}
	kmln_text_splice(text, at, 0, whole, strlen(whole));
}

void kmln_account_numbers(const struct kmln_buf *text, unsigned field, unsigned char *used,
	uint32_t first, uint32_t last)
{
	for (const char *at = text->size ? text->data : ""; *at; at += *at == '\n') {
		unsigned long number;
		unsigned left = field;

		while (left && *at && *at != '\n')
			left -= *at++ == ':';
		/* an empty one is none; its terminator is the end of the text */
		if (!left && !strchr(":\n", *at)) {
			number = strtoul(at, NULL, 10);
			if (number >= first && number <= last)
				used[number - first] = 1;
		}
		at = strchrnul(at, '\n');
	}
}

bool kmln_account_has_number(const struct kmln_buf *text, unsigned field, uint32_t number)
{
	unsigned char used = 0;

	kmln_account_numbers(text, field, &used, number, number);
	return used;
}

/* Where the name stands in the list, or -1. */
static ssize_t member(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',')
		if (strcspn(at, ",") == n && memcmp(at, name, n) == 0)
			return at - list;
	return -1;
}

bool kmln_member_there(const char *list, const char *name)
{
	return member(list, name) >= 0;
}

char *kmln_member_add(struct kmln_pool *pool, const char *list, const char *name)
{
	return kmln_pool_printf(pool, "%s%s%s", list, *list ? "," : "", name);
}

char *kmln_member_remove(struct kmln_pool *pool, const char *list, const char *name)
{
	ssize_t at = member(list, name);
	size_t n = strlen(name);

	if (at < 0)
		return kmln_pool_strdup(pool, list);
	if (list[(size_t)at + n] == ',')
		n++;
	else if (at > 0)
		at--, n++;
	return kmln_pool_printf(pool, "%.*s%s", (int)at, list, list + at + n);
}
