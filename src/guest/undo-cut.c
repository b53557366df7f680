// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A root filesystem that was made to stand alone becomes a part of its disk again: room in front
 * and behind, and the bytes that the record kept. They are the guest's word, as its whole disk is;
 * that the table among them leads to this filesystem, and to the place where it then lies, is
 * proved before anything is written.
 */
#include "guest/undo.h"

static int add(struct kmln_undo *undo, enum kmln_edit_kind kind, uint64_t offset, uint64_t size,
	const char *data, struct kmln_error *err)
{
	const struct kmln_edit edit = {
		.kind = kind,
		.by = "unwrap",
		.why = "the disk as it was",
		.offset = offset,
		.size = size,
		.data = data,
	};

	return kmln_edits_add(undo->edits, &edit, err);
}

static bool is_around(const struct kmln_record_item *cut, const struct kmln_record_item *item)
{
	const uint64_t end = cut->offset + cut->size;
	uint64_t item_end;

	return !kmln_add_overflow(item->offset, item->size, &item_end) &&
	       item_end <= cut->was_size && (item_end <= cut->offset || item->offset >= end);
}

/* What an older conversion wrote there is taken back as well. */
static int add_older(struct kmln_undo *undo, const struct kmln_record_item *cut,
	const struct kmln_record_item *item, struct kmln_error *err)
{
	if (item->kind != KMLN_RECORD_BYTES || !is_around(cut, item))
		return 0;
	if (item->was == KMLN_WAS_UNKNOWN) {
		kmln_edits_note(undo->edits,
			"%llu bytes at %llu stay: what stood there was not kept",
			(unsigned long long)item->size, (unsigned long long)item->offset);
		return 0;
	}
	return add(undo, KMLN_EDIT_BYTES, item->offset, item->size,
		item->was == KMLN_WAS_KEPT ? item->old
					   : kmln_pool_alloc(undo->edits->pool, (size_t)item->size),
		err);
}

static int add_record(struct kmln_undo *undo, const struct kmln_record_item *cut, size_t index,
	struct kmln_error *err)
{
	const struct kmln_record *record = &undo->records[index];
	int r = 0;

	for (size_t k = 0; r == 0 && k < record->count; k++) {
		const struct kmln_record_item *item = &record->items[k];

		if (item->kind != KMLN_RECORD_KEEP)
			continue;
		if (!is_around(cut, item))
			return kmln_fail(err, KMLN_EINVALID,
				"%s: line %u: bytes that did not go with the cut", record->file,
				item->line);
		r = add(undo, KMLN_EDIT_BYTES, item->offset, item->size, item->old, err);
	}
	for (size_t i = index + 1; r == 0 && i < undo->record_count; i++)
		for (size_t k = undo->records[i].count; r == 0 && k-- > 0;)
			r = add_older(undo, cut, &undo->records[i].items[k], err);
	return r;
}

int kmln_undo_cut(struct kmln_undo *undo, const struct kmln_record_item *cut, size_t record,
	struct kmln_error *err)
{
	const uint64_t behind = cut->was_size - cut->offset - cut->size;
	int r;

	if (undo->facts->table || undo->facts->root->range.size != cut->size) {
		if (!undo->force) {
			kmln_strv_printf(undo->edited,
				"the disk: the image has %llu bytes now, and had %llu when it was made to "
				"stand alone",
				(unsigned long long)undo->facts->size,
				(unsigned long long)cut->size);
			return 0;
		}
		kmln_edits_note(undo->edits, "the image does not become a disk again: its size was "
					     "changed since");
		return 0;
	}
	r = add(undo, KMLN_EDIT_SHIFT, cut->offset, 0, NULL, err);
	if (r == 0 && behind)
		r = add(undo, KMLN_EDIT_EXTEND, 0, behind, NULL, err);
	return r < 0 ? r : add_record(undo, cut, record, err);
}
