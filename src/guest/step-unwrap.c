// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The root filesystem of a disk stands alone: the mirror image of step-wrap. In place, what stood
 * around it is kept in the record, so that it can come back.
 */
#include "guest/steps.h"

#include "guest/disk-layout.h"
#include "guest/vouch.h"

/* What may go with a cut, and come back by a record. Bytes. */
#define FRONT_MAX (16ull * KMLN_MIB)
#define BEHIND_MAX (4ull * KMLN_MIB)

static int check_in_place(
	const struct kmln_facts *facts, bool around_too_big, struct kmln_error *err)
{
	const struct kmln_filesystem *root = facts->root;
	const uint64_t end = root->range.offset + root->range.size;

	for (size_t i = 0; i < facts->partition_count; i++)
		if (facts->partitions[i].range.offset > root->range.offset)
			return kmln_fail(err, KMLN_EINVALID,
				"partition %u lies behind the root filesystem, and would be lost: only the "
				"last partition can be made to stand alone in place; -o OUT makes a copy of "
				"it",
				facts->partitions[i].number);
	if (root->range.offset > FRONT_MAX || facts->size - end > BEHIND_MAX || around_too_big)
		return kmln_fail(err, KMLN_EINVALID,
			"what lies in the %llu bytes in front of the root filesystem and the %llu behind "
			"it is more than kmln keeps for undoing; -o OUT makes a copy of it alone",
			(unsigned long long)root->range.offset,
			(unsigned long long)(facts->size - end));
	return 0;
}

static int plan(struct kmln_planning *planning, struct kmln_error *err)
{
	const struct kmln_facts *facts = planning->facts;
	struct kmln_edit edit = {
		.kind = KMLN_EDIT_COLLAPSE,
		.by = "unwrap",
		.why = "the root filesystem stands alone",
	};
	const struct kmln_pieces *around;
	int r;

	if (!planning->platform->wants_bare || !facts->table || !planning->edits)
		return 0;
	edit.offset = facts->root->range.offset;
	edit.size = facts->root->range.size;
	edit.replaces_size = facts->size;
	if (edit.offset > facts->size || edit.size > facts->size - edit.offset)
		return kmln_fail(err, KMLN_EINVALID,
			"partition %u, with the root filesystem, ends behind the disk",
			facts->root->partition);
	if (planning->goal->in_place) {
		r = check_in_place(facts, planning->goal->around_too_big, err);
		if (r < 0)
			return r;
	}
	r = kmln_edits_add(planning->edits, &edit, err);
	edit.kind = KMLN_EDIT_KEEP;
	edit.why = "so that it can be a disk again";
	edit.replaces_size = 0;
	around = &planning->goal->around;
	for (size_t i = 0; r == 0 && i < around->count; i++) {
		edit.offset = around->items[i].offset;
		edit.data = around->items[i].data;
		edit.size = around->items[i].size;
		r = kmln_edits_add(planning->edits, &edit, err);
	}
	return r;
}

/* undo-cut.c looks at what the numbers of all of them come to. */
static bool could_write(const struct kmln_facts *facts, const struct kmln_record_item *item)
{
	(void)facts;
	if (item->offset % KMLN_SECTOR)
		return false;
	if (item->kind == KMLN_RECORD_KEEP)
		return item->size && item->size <= KMLN_MIB;
	return item->kind == KMLN_RECORD_CUT && item->offset && item->offset <= FRONT_MAX &&
	       item->size && item->was_size >= item->offset &&
	       item->was_size - item->offset >= item->size &&
	       item->was_size - item->offset - item->size <= BEHIND_MAX;
}

const struct kmln_step kmln_step_unwrap = {
	.name = "unwrap",
	.summary = "make the root filesystem of a disk stand alone",
	.plan = plan,
	.could_write = could_write,
};
