// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Taking back: what the guest's list names and no kind asked for in this plan. Only what is as kmln
 * left it goes; where others have changed it since, it has become theirs.
 */
#include "guest/set.h"

#include <stdlib.h>
#include <string.h>

#define WHY "no longer asked for"

static bool is_unchanged(struct kmln_set *set, const struct kmln_known_file *file, const char *sum)
{
	if (file->data)
		return kmln_eq(kmln_set_sum(set->pool, file->data, file->size), sum);
	return kmln_eq(file->sum, sum);
}

static uint32_t number(const char *word, int base)
{
	return (uint32_t)strtoul(word, NULL, base);
}

/* What stood there before kmln's file. */
static int put_back(struct kmln_set *set, struct kmln_set_note *kept, struct kmln_error *err)
{
	const char *copy_path = kmln_set_copy_path(set->pool, kept->words[0]);
	const struct kmln_known_file *copy = kmln_set_known(set, copy_path);
	struct kmln_set_file file = {.path = kept->words[0]};
	int r;

	kept->settled = true;
	if (!copy || !copy->data || kept->count < 4) {
		kmln_edits_note(set->edits,
			"%s stays: what it replaced is no longer in " KMLN_SET_FOLDER, file.path);
		return 0;
	}
	file.data = copy->data;
	file.size = copy->size;
	file.mode = number(kept->words[1], 8) & 07777;
	file.uid = number(kept->words[2], 10);
	file.gid = number(kept->words[3], 10);
	r = kmln_set_put(set, &file, WHY, true, false, err);
	return r < 0 ? r : kmln_set_remove(set, copy_path, WHY, err);
}

static int take_file(struct kmln_set *set, struct kmln_set_note *own, struct kmln_error *err)
{
	const char *path = own->words[0];
	const struct kmln_known_file *file = kmln_set_known(set, path);
	struct kmln_set_note *kept = kmln_set_before(set, "kept", path, NULL);
	struct kmln_error ignored;
	const char *real;

	if (!file || !S_ISREG(file->mode) || kmln_set_place(set, path, &real, &ignored) < 0 ||
		kmln_edits_has(set->edits, file->real) || kmln_edits_has(set->edits, real))
		return 0;
	if (!is_unchanged(set, file, own->words[1])) {
		kmln_edits_note(
			set->edits, "%s stays: it was changed since kmln put it there", path);
		return 0;
	}
	return kept ? put_back(set, kept, err) : kmln_set_remove(set, path, WHY, err);
}

static int take_link(struct kmln_set *set, struct kmln_set_note *link, struct kmln_error *err)
{
	const struct kmln_known_file *file = kmln_set_known(set, link->words[0]);

	if (!file || !kmln_eq(file->link, link->words[1]))
		return 0;
	return kmln_set_remove(set, link->words[0], WHY, err);
}

int kmln_set_take_back(struct kmln_set *set, struct kmln_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < set->before.count; i++) {
		struct kmln_set_note *note = &set->before.items[i];

		if (note->settled || !kmln_set_is_path(note->words[0]) || !note->words[0][1])
			continue;
		if (strcmp(note->kind, "own") == 0)
			r = take_file(set, note, err);
		else if (strcmp(note->kind, "link") == 0)
			r = take_link(set, note, err);
	}
	return r;
}
