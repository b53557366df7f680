// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Taking kmln's lines out of a text that others change too: wherever they stand now, and nothing
 * beside them. In a list of packages (dpkg's status and its like) what kmln added are paragraphs,
 * known by package and version, since dpkg writes them again in its own way.
 */
#include "guest/undo.h"

#include <string.h>

#include "guest/vouch.h"

/* The last place where these whole lines (without a newline at their end) stand, or NULL. */
static const char *find_lines(const char *text, size_t size, const char *lines, size_t length)
{
	const char *found = NULL, *end = text + size;

	for (const char *at = text; length && at && (size_t)(end - at) >= length;) {
		if (memcmp(at, lines, length) == 0 && (at + length == end || at[length] == '\n'))
			found = at;
		at = memchr(at, '\n', (size_t)(end - at));
		at = at ? at + 1 : NULL;
	}
	return found;
}

static const char *exchange(struct kmln_pool *pool, const char *text, size_t *size, const char *at,
	size_t length, const char *with, size_t with_size)
{
	KMLN_BUF struct kmln_buf out = {0};

	kmln_buf_add(&out, text, (size_t)(at - text));
	kmln_buf_add(&out, with, with_size);
	kmln_buf_add(&out, at + length, *size - (size_t)(at - text) - length);
	*size = out.size;
	return kmln_pool_memdup(pool, out.data, out.size);
}

static size_t without_newline(const char *text, size_t size)
{
	return size && text[size - 1] == '\n' ? size - 1 : size;
}

static const char *undo_change(const struct kmln_record_item *item, struct kmln_pool *pool,
	const char *text, size_t *size, const char **why)
{
	const char *line = kmln_added_line(item);
	const char *new = line ? line : item->new, *at;
	size_t length = without_newline(new, line ? strlen(line) : item->new_size);
	size_t old = line ? 0 : without_newline(item->old, item->old_size);

	at = find_lines(text, *size, new, length);
	if (!at) {
		*why = "kmln's line is gone or changed";
		return NULL;
	}
	/* nothing in its place: its newline goes with it */
	if (!old && (size_t)(at - text) + length < *size)
		length++;
	return exchange(pool, text, size, at, length, item->old, old);
}

/* ---- paragraphs of packages ---- */

struct paragraph {
	const char *start, *end; /* the end is behind its last newline */
	const char *next; /* behind the blank lines that follow */
};

/* False at the end of the text, which ends with a NUL. */
static bool next_paragraph(const char **at, struct paragraph *p)
{
	const char *blank;

	p->start = *at + strspn(*at, "\n");
	if (!*p->start)
		return false;
	blank = strstr(p->start, "\n\n");
	p->end = blank ? blank + 1 : strchr(p->start, 0);
	p->next = p->end + strspn(p->end, "\n");
	*at = p->next;
	return true;
}

/* The value of a field; NULL where it has none. */
static const char *field(const struct paragraph *p, const char *name, size_t *size)
{
	size_t n = strlen(name);

	for (const char *line = p->start; line < p->end;) {
		size_t length = strcspn(line, "\n");

		if (length > n && line + length <= p->end && memcmp(line, name, n) == 0 &&
			line[n] == ':') {
			line += n + 1;
			*size = length - n - 1;
			while (*size && *line == ' ') {
				line++;
				--*size;
			}
			return line;
		}
		line += length + (line[length] == '\n');
	}
	*size = 0;
	return NULL;
}

static bool same_field(const struct paragraph *a, const struct paragraph *b, const char *name)
{
	size_t a_size, b_size;
	const char *x = field(a, name, &a_size), *y = field(b, name, &b_size);

	return a_size == b_size && (!x || !y || memcmp(x, y, a_size) == 0);
}

/* What dpkg and apt keep has "Package", what debconf keeps has "Name". */
static bool is_same(const struct paragraph *a, const struct paragraph *b)
{
	size_t size;

	if (field(b, "Package", &size))
		return same_field(a, b, "Package") && same_field(a, b, "Architecture");
	return same_field(a, b, "Name");
}

/* A paragraph that the guest has removed meanwhile needs nothing. */
static const char *undo_paragraph(const struct paragraph *own, struct kmln_pool *pool,
	const char *text, size_t *size, const char **why)
{
	const char *at = text;
	struct paragraph p;

	while (next_paragraph(&at, &p)) {
		size_t name_size, version_size;
		const char *name, *version;

		if (!is_same(&p, own))
			continue;
		/* a question that another package asks as well */
		if (!same_field(&p, own, "Owners"))
			return text;
		name = field(&p, "Package", &name_size);
		version = field(&p, "Version", &version_size);
		if (name && !same_field(&p, own, "Version")) {
			*why = kmln_pool_printf(pool, "package %.*s has another version: %.*s",
				(int)name_size, name, (int)version_size, version ? version : "");
			return NULL;
		}
		return exchange(pool, text, size, p.start, (size_t)(p.next - p.start), "", 0);
	}
	return text;
}

static bool is_database(const struct kmln_record_item *item)
{
	const char *text = item->new + strspn(item->new, "\n");

	return !item->old_size && (kmln_starts(text, "Package:") || kmln_starts(text, "Name:"));
}

static const char *undo_paragraphs(const struct kmln_record_item *item, struct kmln_pool *pool,
	const char *text, size_t *size, const char **why)
{
	const char *at = item->new;
	struct paragraph own;

	while (text && next_paragraph(&at, &own)) {
		size_t name;

		if (field(&own, "Package", &name) || field(&own, "Name", &name))
			text = undo_paragraph(&own, pool, text, size, why);
	}
	return text;
}

static const char *undo_append(const struct kmln_record_item *item, struct kmln_pool *pool,
	const char *text, size_t *size, const char **why)
{
	const char *found;

	/* as it was put there, at the end */
	if (*size >= item->new_size &&
		memcmp(text + *size - item->new_size, item->new, item->new_size) == 0) {
		*size -= item->new_size;
		return kmln_pool_memdup(pool, text, *size);
	}
	found = find_lines(text, *size, item->new, without_newline(item->new, item->new_size));
	if (found && found + item->new_size <= text + *size)
		return exchange(pool, text, size, found, item->new_size, "", 0);
	*why = "kmln's lines are gone or changed";
	return NULL;
}

const char *kmln_undo_text(const struct kmln_record_item *item, struct kmln_pool *pool,
	const char *text, size_t *size, const char **why)
{
	const char *end;

	if (strlen(text) != *size) {
		*why = "it is no text any more";
		return NULL;
	}
	if (item->kind == KMLN_RECORD_CHANGE && !is_database(item))
		return undo_change(item, pool, text, size, why);
	end = *size >= item->new_size ? text + *size - item->new_size : NULL;
	if (is_database(item) && !(end && memcmp(end, item->new, item->new_size) == 0))
		return undo_paragraphs(item, pool, text, size, why);
	return undo_append(item, pool, text, size, why);
}
