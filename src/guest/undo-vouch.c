// SPDX-License-Identifier: GPL-2.0-or-later
/* What a record says is believed only as far as a step would have done it; see undo.h. */
#include "guest/undo.h"

#include <stdlib.h>
#include <string.h>

#include "guest/step.h"

static const struct kmln_step *step_of(const char *name)
{
	for (const struct kmln_step *const *step = kmln_steps; *step; step++)
		if (kmln_eq((*step)->name, name))
			return *step;
	return NULL;
}

static int refuse(const struct kmln_record *record, const struct kmln_record_item *item,
	const char *why, struct kmln_error *err)
{
	return kmln_fail(err, KMLN_EINVALID, "%s: line %u: %s%s%s: %s", record->file, item->line,
		kmln_record_kind_name(item->kind), item->path ? " " : "",
		item->path ? item->path : "", why);
}

static int compare_paths(const void *a, const void *b)
{
	const struct kmln_record_item *x = *(const struct kmln_record_item *const *)a;
	const struct kmln_record_item *y = *(const struct kmln_record_item *const *)b;

	return strcmp(x->path, y->path);
}

/* No plan edits a path twice. */
static int check_twice(const struct kmln_record *record, struct kmln_error *err)
{
	KMLN_FREE const struct kmln_record_item **items =
		kmln_malloc((record->count + 1) * sizeof(*items));
	size_t count = 0;

	for (size_t i = 0; i < record->count; i++)
		if (record->items[i].path)
			items[count++] = &record->items[i];
	qsort(items, count, sizeof(*items), compare_paths);
	for (size_t i = 1; i < count; i++)
		if (strcmp(items[i - 1]->path, items[i]->path) == 0)
			return refuse(record, items[i], "it is changed twice", err);
	return 0;
}

int kmln_undo_vouch(const struct kmln_undo *undo, struct kmln_error *err)
{
	for (size_t i = 0; i < undo->record_count; i++) {
		const struct kmln_record *record = &undo->records[i];
		int r;

		for (size_t k = 0; k < record->count; k++) {
			const struct kmln_record_item *item = &record->items[k];
			const struct kmln_step *step = step_of(item->by);

			if (!step || !step->could_write || !step->could_write(undo->facts, item))
				return refuse(record, item, "not a change that kmln makes", err);
		}
		r = check_twice(record, err);
		if (r < 0)
			return r;
	}
	return 0;
}
