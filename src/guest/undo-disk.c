// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Taking back what was changed around the tree: the room in front of a bare filesystem and behind
 * it, or the boot loader of a disk that had a partition table before. The partition table of such a
 * disk is its owner's, whatever a record says, and so are its other partitions.
 */
#include "guest/undo.h"

#include <string.h>

#include "guest/disk-layout.h"

/* The bytes that are written again: in front of the first partition, and in GRUB's own partition.
 */
struct place {
	uint64_t offset, size;
	const char *now;
	char *then; /* as they were before the items that were taken back */
};

struct way {
	struct kmln_undo *undo;
	struct kmln_pool *pool;
	const struct kmln_record_item *shift; /* or NULL */
	struct place places[2];
	bool any; /* some bytes were written */
	bool same; /* where they can be looked at, they are what stands there */
};

static int edited(const struct way *way, const char *what)
{
	kmln_strv_add(way->undo->edited, what);
	return 0;
}

static void look(struct way *way)
{
	const struct kmln_facts *facts = way->undo->facts;
	struct place *front = &way->places[0], *own = &way->places[1];

	/* behind the first sector of a GPT disk lies its table */
	*front = (struct place){0, kmln_eq(facts->table, "gpt") ? KMLN_SECTOR : facts->head_size,
		facts->head, NULL};
	if (facts->bios_boot)
		*own = (struct place){facts->bios_boot->range.offset, facts->bios_boot_head_size,
			facts->bios_boot_head, NULL};
	for (size_t i = 0; i < KMLN_COUNT(way->places); i++)
		way->places[i].then = kmln_pool_memdup(
			way->pool, way->places[i].now, (size_t)way->places[i].size);
}

/* NULL where the item lies elsewhere. */
static struct place *place_of(struct way *way, const struct kmln_record_item *item)
{
	for (size_t i = 0; i < KMLN_COUNT(way->places); i++) {
		struct place *p = &way->places[i];

		if (item->offset >= p->offset && item->offset + item->size <= p->offset + p->size)
			return p;
	}
	return NULL;
}

static void undo_bytes(struct way *way, const struct kmln_record_item *item)
{
	struct place *place = place_of(way, item);
	char *bytes;

	way->any = true;
	if (!place) {
		if (!way->shift)
			kmln_edits_note(way->undo->edits,
				"%llu bytes at %llu stay: what stood there was not kept",
				(unsigned long long)item->size, (unsigned long long)item->offset);
		return;
	}
	bytes = place->then + (item->offset - place->offset);
	if (strcmp(kmln_record_bytes_sum(way->pool, item->offset, bytes, (size_t)item->size),
		    item->sum) != 0)
		way->same = false;
	if (item->was == KMLN_WAS_KEPT)
		memcpy(bytes, item->old, (size_t)item->size);
	else
		memset(bytes, 0, (size_t)item->size);
}

static bool is_partition(const struct kmln_partition *p, unsigned number, uint64_t offset)
{
	return p->number == number && p->range.offset == offset;
}

/* The only tables that wrapping makes: see disk-layout.h. */
static bool is_wrapped(const struct way *way)
{
	const struct kmln_facts *facts = way->undo->facts;
	bool gpt = kmln_eq(facts->table, "gpt");
	unsigned found = 0;

	if (way->shift->offset != (gpt ? KMLN_GPT_ROOT : KMLN_FIRST_PARTITION) ||
		facts->root->partition != 1 || facts->root->range.offset != way->shift->offset ||
		facts->partition_count != (gpt ? 3 : 1))
		return false;
	for (size_t i = 0; i < facts->partition_count; i++) {
		const struct kmln_partition *p = &facts->partitions[i];

		found += is_partition(p, 1, way->shift->offset);
		found += gpt && is_partition(p, 14, KMLN_BIOS_BOOT);
		found += gpt && is_partition(p, 15, KMLN_ESP);
	}
	return found == facts->partition_count;
}

static int collapse(const struct way *way, struct kmln_error *err)
{
	const struct kmln_facts *facts = way->undo->facts;
	const struct kmln_edit edit = {
		.kind = KMLN_EDIT_COLLAPSE,
		.by = way->shift->by,
		.why = "a bare filesystem again",
		.offset = facts->root->range.offset,
		.size = facts->root->range.size,
	};
	bool other = facts->esp && facts->esp->has_loader && !facts->esp->loader_sum;

	if (!is_wrapped(way)) {
		if (!way->undo->force)
			return edited(way, "the disk: its partition table was changed");
		kmln_edits_note(way->undo->edits,
			"the image stays a disk: its partition table is not kmln's any more");
		return 0;
	}
	if ((!way->same || other) && !way->undo->force)
		return edited(way, "the disk: its boot loader was changed");
	return kmln_edits_add(way->undo->edits, &edit, err);
}

/* The bytes of one item, as they shall be again, but for those that are right already. */
static int restore(struct way *way, const struct kmln_record_item *item, struct kmln_error *err)
{
	const struct place *place = place_of(way, item);
	uint64_t at = place ? item->offset - place->offset : 0;
	const struct kmln_edits *edits = way->undo->edits;
	struct kmln_edit edit = {
		.kind = KMLN_EDIT_BYTES,
		.by = item->by,
		.why = "as it was",
		.offset = item->offset,
		.size = item->size,
	};

	if (!place || memcmp(place->then + at, place->now + at, (size_t)item->size) == 0)
		return 0;
	edit.data = place->then + at;
	for (size_t i = 0; i < edits->count; i++)
		if (edits->items[i].kind == KMLN_EDIT_BYTES &&
			edits->items[i].offset <= item->offset &&
			edits->items[i].offset + edits->items[i].size >= item->offset + item->size)
			return 0;
	return kmln_edits_add(way->undo->edits, &edit, err);
}

static int restore_all(struct way *way, struct kmln_error *err)
{
	const struct place *front = &way->places[0];
	const struct kmln_undo *undo = way->undo;
	int r = 0;

	if (!way->same && !undo->force)
		return edited(way, "the disk: its boot loader was changed");
	for (size_t at = KMLN_TABLE_START; at < KMLN_TABLE_END && at < front->size; at++)
		front->then[at] = front->now[at];
	for (size_t i = undo->record_count; r == 0 && i-- > 0;)
		for (size_t k = 0; r == 0 && k < undo->records[i].count; k++)
			if (undo->records[i].items[k].kind == KMLN_RECORD_BYTES)
				r = restore(way, &undo->records[i].items[k], err);
	return r;
}

static void note_size(const struct way *way, const struct kmln_record_item *item)
{
	const struct kmln_filesystem *root = way->undo->facts->root;

	if (root->bytes > item->was_size)
		kmln_edits_note(way->undo->edits,
			"the filesystem keeps its size, %llu bytes; it had %llu before",
			(unsigned long long)root->bytes, (unsigned long long)item->was_size);
}

/*
 * The disk's last change of form, and its first: two shifts have a cut between them, and two cuts a
 * shift. *from: the record of the last.
 */
static int find_forms(struct way *way, const struct kmln_record_item **last,
	const struct kmln_record_item **first, size_t *from, size_t *first_from,
	struct kmln_error *err)
{
	const struct kmln_undo *undo = way->undo;

	for (size_t i = 0; i < undo->record_count; i++)
		for (size_t k = undo->records[i].count; k-- > 0;) {
			const struct kmln_record_item *item = &undo->records[i].items[k];

			if (item->kind != KMLN_RECORD_SHIFT && item->kind != KMLN_RECORD_CUT)
				continue;
			if (*first && (*first)->kind == item->kind)
				return kmln_fail(err, KMLN_EINVALID,
					"%s: line %u: a second %s, and a disk is made once",
					undo->records[i].file, item->line,
					kmln_record_kind_name(item->kind));
			if (!*last) {
				*last = item;
				*from = i;
			}
			*first = item;
			*first_from = i;
		}
	return 0;
}

static void look_at_items(struct way *way, size_t from)
{
	const struct kmln_undo *undo = way->undo;

	for (size_t i = 0; i < undo->record_count; i++)
		for (size_t k = undo->records[i].count; k-- > 0;) {
			const struct kmln_record_item *item = &undo->records[i].items[k];

			if (item->kind == KMLN_RECORD_RESIZE)
				note_size(way, item);
			/* a filesystem that stands alone: its disk was made of files beside it, or
			 * cut off since */
			else if (item->kind == KMLN_RECORD_BYTES && undo->facts->table && i <= from)
				undo_bytes(way, item);
		}
}

int kmln_undo_disk(struct kmln_undo *undo, struct kmln_error *err)
{
	struct way way = {.undo = undo, .pool = undo->edits->pool, .same = true};
	const struct kmln_record_item *last = NULL, *first = NULL;
	size_t from = undo->record_count, first_from = 0;
	int r = find_forms(&way, &last, &first, &from, &first_from, err);

	if (r < 0)
		return r;
	if (last && last->kind == KMLN_RECORD_SHIFT)
		way.shift = last;
	if (undo->facts->table)
		look(&way);
	look_at_items(&way, from);
	if (way.shift && first->kind == KMLN_RECORD_CUT)
		return kmln_fail(err, KMLN_EINVALID,
			"the image was a disk, stood alone, and is another disk now: let it stand alone "
			"again first: kmln convert --to uml --in-place");
	if (last && last->kind == KMLN_RECORD_CUT)
		return first->kind == KMLN_RECORD_CUT ? kmln_undo_cut(undo, first, first_from, err)
						      : 0;
	if (!undo->facts->table)
		return 0;
	if (way.shift)
		return collapse(&way, err);
	return way.any ? restore_all(&way, err) : 0;
}
