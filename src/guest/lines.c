// SPDX-License-Identifier: GPL-2.0-or-later
/* Line by line; see lines.h. */
#include "guest/lines.h"

#include <string.h>

/* Takes the next line, without its newline, out of *text; false at the end. */
static bool next(const char **text, char **line, bool *ended)
{
	size_t n = strcspn(*text, "\n");

	if (!**text)
		return false;
	*ended = (*text)[n] == '\n';
	*line = kmln_printf("%.*s", (int)n, *text);
	*text += n + *ended;
	return true;
}

bool kmln_lines_change(const char *text, kmln_line_fn fn, const void *data, struct kmln_buf *out)
{
	bool changed = false;

	for (unsigned number = 1; *text; number++) {
		KMLN_FREE char *line = NULL;
		bool ended;

		if (!next(&text, &line, &ended))
			break;
		if (fn(data, number, line, out))
			changed = true;
		else
			kmln_buf_str(out, line);
		if (ended)
			kmln_buf_str(out, "\n");
	}
	return changed;
}

int kmln_want_lines(struct kmln_planning *planning, const char *step, const char *why,
	const char *path, kmln_line_fn fn, const void *data, struct kmln_error *err)
{
	const struct kmln_known_file *file = kmln_facts_file(planning->facts, path);
	KMLN_BUF struct kmln_buf text = {0};

	if (!file->data || !kmln_lines_change(file->data, fn, data, &text))
		return 0;
	return kmln_want_file(planning, step, why, path,
		kmln_pool_memdup(planning->edits->pool, text.data, text.size), text.size, 0644,
		true, err);
}

bool kmln_vouch_lines(
	const struct kmln_record_item *item, bool (*fn)(const char *before, const char *after))
{
	const char *before = item->old, *after = item->new;

	if (item->kind != KMLN_RECORD_CHANGE || item->was != KMLN_WAS_KEPT || !item->old_size ||
		!item->new_size)
		return false;
	while (*before || *after) {
		KMLN_FREE char *was = NULL, *is = NULL;
		bool was_ended, is_ended;

		if (!next(&before, &was, &was_ended) || !next(&after, &is, &is_ended) ||
			was_ended != is_ended || (strcmp(was, is) != 0 && !fn(was, is)))
			return false;
	}
	/* a NUL within would have ended it before */
	return before == item->old + item->old_size && after == item->new + item->new_size;
}
