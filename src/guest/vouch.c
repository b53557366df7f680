// SPDX-License-Identifier: GPL-2.0-or-later
/* What the steps' could_write() share; see vouch.h. All of it only compares. */
#include "guest/vouch.h"

#include <stdlib.h>
#include <string.h>

static const struct kmln_known_file *find(const struct kmln_facts *facts, const char *path)
{
	for (size_t i = 0; i < facts->file_count; i++)
		if (kmln_eq(facts->files[i].path, path))
			return &facts->files[i];
	return NULL;
}

/* A folder above a known path may be one that inspect did not look at: it is taken by its name. */
static bool is_place(
	const struct kmln_facts *facts, const char *known, const char *path, size_t size)
{
	const struct kmln_known_file *file = find(facts, known);
	const char *slash = strrchr(known, '/');
	size_t last = strlen(slash);
	KMLN_FREE char *parent = NULL;

	if (!file)
		return strlen(known) == size && memcmp(known, path, size) == 0;
	if (file->real)
		return strlen(file->real) == size && memcmp(file->real, path, size) == 0;
	if (size < last || memcmp(path + size - last, slash, last) != 0)
		return false;
	if (slash == known)
		return size == last;
	parent = kmln_printf("%.*s", (int)(slash - known), known);
	return is_place(facts, parent, path, size - last);
}

bool kmln_is_place(const struct kmln_facts *facts, const char *known, const char *path)
{
	return is_place(facts, known, path, strlen(path));
}

const char *kmln_below_place(const struct kmln_facts *facts, const char *known, const char *path)
{
	for (const char *slash = path; (slash = strchr(slash + 1, '/'));)
		if (is_place(facts, known, path, (size_t)(slash - path)))
			return slash + 1;
	return NULL;
}

const char *kmln_added_lines(const struct kmln_record_item *item)
{
	const char *text = item->new;

	if (item->kind != KMLN_RECORD_CHANGE || !item->new_size || text[item->new_size - 1] != '\n')
		return NULL;
	/* a last line that had no end got one first */
	if (item->old_size) {
		if (item->new_size <= item->old_size + 1 || text[item->old_size] != '\n' ||
			memcmp(text, item->old, item->old_size) != 0 ||
			memchr(item->old, '\n', item->old_size))
			return NULL;
		text += item->old_size + 1;
	}
	return strlen(text) == (size_t)(item->new + item->new_size - text) ? text : NULL;
}

const char *kmln_added_line(const struct kmln_record_item *item)
{
	const char *text = kmln_added_lines(item);

	return text && strchr(text, '\n') == item->new + item->new_size - 1 ? text : NULL;
}

bool kmln_is_small_number(const char *text, size_t size)
{
	if (!size || size > 3)
		return false;
	for (size_t i = 0; i < size; i++)
		if (text[i] < '0' || text[i] > '9')
			return false;
	return true;
}

bool kmln_is_console(const char *text, size_t size)
{
	for (const struct kmln_platform *const *p = kmln_platforms; *p; p++)
		if ((*p)->console && strlen((*p)->console) == size &&
			memcmp((*p)->console, text, size) == 0)
			return true;
	return false;
}
