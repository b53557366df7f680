// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Taking back what was changed around the tree: the room in front of a bare filesystem, or the
 * first sectors of a disk that had a partition table before. The partition table of such a disk
 * is its owner's, whatever a record says.
 */
#include "guest/undo.h"

#include <string.h>

#include "guest/disk-layout.h"

static int edited(struct kmln_undo *undo, const char *what)
{
	kmln_strv_add(undo->edited, what);
	return 0;
}

/* The only table that wrapping makes: one partition behind the first MiB, the root's. */
static bool is_wrapped(const struct kmln_facts *facts)
{
	return kmln_eq(facts->table, "mbr") && facts->partition_count == 1 &&
	       facts->partitions[0].number == 1 && facts->root->partition == 1 &&
	       facts->partitions[0].range.offset == KMLN_FIRST_PARTITION &&
	       facts->root->range.offset == KMLN_FIRST_PARTITION &&
	       facts->head_size == KMLN_FIRST_PARTITION;
}

/* The bytes in front of the first partition as they were before the newer items. */
struct front {
	char *bytes;
	size_t size;
	struct kmln_pool *pool;
	bool shifted; /* all of it is kmln's */
	bool same; /* what was written is what stands there */
};

static int undo_bytes(struct kmln_undo *undo, struct front *front,
	const struct kmln_record_item *item, struct kmln_error *err)
{
	if (item->offset + item->size > front->size)
		return undo->force ? 0 : edited(undo, "the disk: the first partition has moved");
	if (strcmp(kmln_record_bytes_sum(front->pool, item->offset, front->bytes + item->offset,
			   (size_t)item->size),
		    item->sum) != 0)
		front->same = false;
	if (item->was == KMLN_WAS_ABSENT && !front->shifted)
		return kmln_fail(err, KMLN_EINVALID,
			"line %u: bytes are said to be in front of the disk, and nothing was put there",
			item->line);
	if (item->was == KMLN_WAS_KEPT)
		memcpy(front->bytes + item->offset, item->old, (size_t)item->size);
	else
		memset(front->bytes + item->offset, 0, (size_t)item->size);
	return 0;
}

/* The bytes of one item's place, as they shall be again, but for those that are right already. */
static int restore(struct kmln_undo *undo, const struct front *front,
	const struct kmln_record_item *item, struct kmln_error *err)
{
	const struct kmln_edit edit = {
		.kind = KMLN_EDIT_BYTES,
		.by = item->by,
		.why = "as it was",
		.offset = item->offset,
		.data = front->bytes + item->offset,
		.size = item->size,
	};

	if (item->offset + item->size > front->size ||
		memcmp(edit.data, undo->facts->head + item->offset, (size_t)item->size) == 0)
		return 0;
	for (size_t i = 0; i < undo->edits->count; i++)
		if (undo->edits->items[i].kind == KMLN_EDIT_BYTES &&
			undo->edits->items[i].offset == item->offset &&
			undo->edits->items[i].size >= item->size)
			return 0;
	return kmln_edits_add(undo->edits, &edit, err);
}

static int collapse(struct kmln_undo *undo, const struct front *front,
	const struct kmln_record_item *shift, struct kmln_error *err)
{
	const struct kmln_edit edit = {
		.kind = KMLN_EDIT_COLLAPSE,
		.by = shift->by,
		.why = "a bare filesystem again",
		.offset = shift->offset,
	};

	if (!is_wrapped(undo->facts)) {
		kmln_edits_note(undo->edits,
			"the image stays a disk: its partition table is not kmln's any more");
		return undo->force ? 0 : edited(undo, "the disk: its partition table was changed");
	}
	if (!front->same && !undo->force)
		return edited(undo, "the disk: its boot loader was changed");
	return kmln_edits_add(undo->edits, &edit, err);
}

static int restore_all(struct kmln_undo *undo, struct front *front, struct kmln_error *err)
{
	const char *head = undo->facts->head;
	int r = 0;

	if (!front->same && !undo->force)
		return edited(undo, "the disk: its boot loader was changed");
	for (size_t at = KMLN_TABLE_START; at < KMLN_TABLE_END && at < front->size; at++)
		front->bytes[at] = head[at];
	/* oldest first: the widest place that changed comes before parts of it */
	for (size_t i = undo->record_count; r == 0 && i-- > 0;)
		for (size_t k = 0; r == 0 && k < undo->records[i].count; k++)
			if (undo->records[i].items[k].kind == KMLN_RECORD_BYTES)
				r = restore(undo, front, &undo->records[i].items[k], err);
	return r;
}

static void note_size(struct kmln_undo *undo, const struct kmln_record_item *item)
{
	if (undo->facts->root->bytes > item->was_size)
		kmln_edits_note(undo->edits,
			"the filesystem keeps its size, %llu bytes; it had %llu before",
			(unsigned long long)undo->facts->root->bytes,
			(unsigned long long)item->was_size);
}

int kmln_undo_disk(struct kmln_undo *undo, struct kmln_error *err)
{
	const struct kmln_facts *facts = undo->facts;
	const struct kmln_record_item *shift = NULL;
	struct front front = {.pool = undo->edits->pool, .same = true, .size = facts->head_size};
	bool any = false;
	int r = 0;

	/* a filesystem that stands alone, its disk being made around it elsewhere */
	if (!facts->table)
		return 0;
	front.bytes = kmln_pool_memdup(front.pool, facts->head, facts->head_size);
	for (size_t i = 0; i < undo->record_count; i++)
		for (size_t k = 0; k < undo->records[i].count; k++) {
			const struct kmln_record_item *item = &undo->records[i].items[k];

			if (item->kind != KMLN_RECORD_SHIFT)
				continue;
			if (shift)
				return kmln_fail(err, KMLN_EINVALID,
					"%s: line %u: a second shift, and a disk is made once",
					undo->records[i].file, item->line);
			shift = item;
		}
	front.shifted = shift;
	for (size_t i = 0; r == 0 && i < undo->record_count; i++)
		for (size_t k = undo->records[i].count; r == 0 && k-- > 0;) {
			const struct kmln_record_item *item = &undo->records[i].items[k];

			if (item->kind == KMLN_RECORD_RESIZE)
				note_size(undo, item);
			if (item->kind == KMLN_RECORD_EXTEND)
				kmln_edits_note(undo->edits,
					"the image keeps the %llu bytes that were added at its end",
					(unsigned long long)item->size);
			if (item->kind != KMLN_RECORD_BYTES)
				continue;
			any = true;
			r = undo_bytes(undo, &front, item, err);
			if (r < 0)
				kmln_wrap(err, "%s", undo->records[i].file);
		}
	if (r == 0 && shift)
		return collapse(undo, &front, shift, err);
	return r == 0 && any ? restore_all(undo, &front, err) : r;
}
