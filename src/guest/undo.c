// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The way back inside the tree. The records are gone through from the last change to the first,
 * each time from what stands there after a change to what stood there before it; what has become
 * different in the end is the plan. So two conversions are taken back as well as one.
 */
#include "guest/undo.h"

#include <stdlib.h>
#include <string.h>

#include "guest/step.h"
#include "guest/vouch.h"
#include "base/sum.h"
#include "boot/grub-config.h"
#include "boot/initramfs-mark.h"

/* What a path is to become; begins as what is there. */
enum fate {
	STAYS,
	GONE,
	FILE_AGAIN,
	LINK_AGAIN,
	LOST, /* a file that was replaced unread: an older conversion may have made it */
};

struct place {
	const struct kmln_state *now;
	enum fate fate;
	const struct kmln_record_item *item; /* the change that was taken back last */
	const char *data; /* FILE_AGAIN: the content; LINK_AGAIN: the target */
	size_t size;
	int64_t mtime;
	uint32_t mtime_ns;
};

struct way {
	struct kmln_undo *undo;
	struct kmln_pool *pool;
	struct place *places; /* one for each state, in their order */
};

static int compare_states(const void *a, const void *b)
{
	return strcmp(((const struct kmln_state *)a)->path, ((const struct kmln_state *)b)->path);
}

static void ask(struct kmln_undo *undo, struct kmln_pool *pool, const char *path,
	enum kmln_want_content content, uint64_t size)
{
	struct kmln_state *s =
		kmln_pool_append(pool, &undo->states, &undo->state_count, sizeof(*s));

	*s = (struct kmln_state){.path = path, .content = content, .asked_size = size};
}

static void ask_item(
	struct kmln_undo *undo, struct kmln_pool *pool, const struct kmln_record_item *item)
{
	enum kmln_want_content content = KMLN_WANT_NONE;

	if (!item->path)
		return;
	if (item->kind == KMLN_RECORD_CHANGE || item->kind == KMLN_RECORD_APPEND)
		content = KMLN_WANT_ALL;
	else if (item->kind == KMLN_RECORD_PUT && !item->timed)
		content = kmln_eq(item->by, "initramfs") || kmln_eq(item->by, "grub")
				  ? KMLN_WANT_ALL
				  : KMLN_WANT_SAME_SIZE;
	ask(undo, pool, item->path, content, item->size);
}

void kmln_undo_ask(struct kmln_undo *undo, struct kmln_pool *pool)
{
	size_t kept = 0;

	ask(undo, pool, kmln_facts_file(undo->facts, KMLN_RECORD_FOLDER)->real, KMLN_WANT_NONE, 0);
	for (size_t i = 0; i < undo->record_count; i++) {
		ask(undo, pool, undo->records[i].file, KMLN_WANT_NONE, 0);
		for (size_t k = 0; k < undo->records[i].count; k++)
			ask_item(undo, pool, &undo->records[i].items[k]);
	}
	qsort(undo->states, undo->state_count, sizeof(*undo->states), compare_states);
	/* one path of several records is asked for once, and for the most that one of them asks */
	for (size_t i = 0; i < undo->state_count; i++) {
		struct kmln_state *last = kept ? &undo->states[kept - 1] : NULL;
		const struct kmln_state *s = &undo->states[i];

		if (!last || strcmp(last->path, s->path) != 0)
			undo->states[kept++] = *s;
		else if (s->content == KMLN_WANT_ALL ||
			 (s->content != last->content && last->content == KMLN_WANT_NONE))
			*last = *s;
		else if (s->content == last->content && s->asked_size != last->asked_size)
			last->content = KMLN_WANT_ALL;
	}
	undo->state_count = kept;
}

static struct place *place_of(const struct way *way, const char *path)
{
	const struct kmln_state key = {.path = path};
	const struct kmln_state *found = bsearch(
		&key, way->undo->states, way->undo->state_count, sizeof(key), compare_states);

	return found ? &way->places[found - way->undo->states] : NULL;
}

/* The names that depmod writes, in the guest as well: they follow from the modules. */
static bool is_index_name(const char *name)
{
	static const char *const names[] = {"modules.dep", "modules.dep.bin", "modules.alias",
		"modules.alias.bin", "modules.symbols", "modules.symbols.bin", "modules.softdep",
		"modules.weakdep", "modules.devname", "modules.builtin.bin",
		"modules.builtin.alias.bin"};

	for (size_t i = 0; i < KMLN_COUNT(names); i++)
		if (kmln_eq(name, names[i]))
			return true;
	return false;
}

/* "RELEASE" below the modules folder. */
static bool is_modules_folder(const struct way *way, const char *path)
{
	const char *below = kmln_below_place(way->undo->facts, "/lib/modules", path);

	return below && !strchr(below, '/');
}

static bool is_index(const struct way *way, const char *path)
{
	const char *slash = strrchr(path, '/');
	KMLN_FREE char *folder = kmln_printf("%.*s", (int)(slash - path), path);

	return is_index_name(slash + 1) && is_modules_folder(way, folder);
}

static void edited(const struct way *way, const struct kmln_record_item *item, const char *why)
{
	KMLN_FREE char *text = kmln_printf("%s: %s", item->path, why);

	if (!kmln_strv_has(way->undo->edited, text))
		kmln_strv_add(way->undo->edited, text);
}

static bool is_there(const struct place *place)
{
	return place->fate == STAYS ? place->now->mode : place->fate != GONE;
}

static bool is_file(const struct place *place)
{
	return place->fate == STAYS ? S_ISREG(place->now->mode)
				    : place->fate == FILE_AGAIN || place->fate == LOST;
}

/* The content as it is at this point of the way back; NULL where it was not read. */
static const char *content(const struct place *place, size_t *size)
{
	if (place->fate == FILE_AGAIN) {
		*size = place->size;
		return place->data;
	}
	*size = place->fate == STAYS && place->now->data ? (size_t)place->now->size : 0;
	return place->fate == STAYS ? place->now->data : NULL;
}

static bool has_sum(const struct way *way, const char *data, size_t size, const char *sum)
{
	return kmln_eq(kmln_sum(way->pool, data, size), sum);
}

/* The file is what was put there. */
static bool is_as_put(
	const struct way *way, const struct place *place, const struct kmln_record_item *item)
{
	const char *data;
	size_t size;

	if (is_index(way, item->path) || place->fate == LOST)
		return true;
	if (item->timed)
		return place->fate == STAYS && place->now->size == item->size &&
		       place->now->mtime == item->mtime &&
		       (place->now->mtime_ns == item->mtime_ns || !place->now->mtime_ns);
	data = content(place, &size);
	if (!data)
		return false;
	/* kmln-guest makes these again, in the guest */
	if (kmln_eq(item->by, "initramfs") && kmln_initramfs_is_ours(data, size))
		return true;
	if (kmln_is_place(way->undo->facts, KMLN_GRUB_CONFIG, item->path) &&
		kmln_starts(data, KMLN_GRUB_MARK))
		return true;
	return size == item->size && has_sum(way, data, size, item->sum);
}

static void become_file(struct place *place, const struct kmln_record_item *item, const char *data,
	size_t size, int64_t mtime, uint32_t mtime_ns)
{
	*place = (struct place){
		.now = place->now,
		.fate = FILE_AGAIN,
		.item = item,
		.data = data,
		.size = size,
		.mtime = mtime,
		.mtime_ns = mtime_ns,
	};
}

static void become_gone(struct place *place, const struct kmln_record_item *item)
{
	*place = (struct place){.now = place->now, .fate = GONE, .item = item};
}

static void undo_put(
	const struct way *way, struct place *place, const struct kmln_record_item *item)
{
	if (!is_there(place)) {
		if (item->was != KMLN_WAS_ABSENT && !is_index(way, item->path))
			edited(way, item, "it was removed since the conversion");
		return;
	}
	if (!is_file(place) || !is_as_put(way, place, item)) {
		edited(way, item, "it was changed since the conversion");
		if (!is_file(place))
			return;
	}
	if (item->was == KMLN_WAS_ABSENT)
		become_gone(place, item);
	else if (item->was == KMLN_WAS_KEPT)
		become_file(place, item, item->old, item->old_size, item->was_mtime,
			item->was_mtime_ns);
	else
		*place = (struct place){.now = place->now, .fate = LOST, .item = item};
}

/* What was the whole content before, where nobody else changed the file. */
static int undo_whole(const struct way *way, struct place *place,
	const struct kmln_record_item *item, const char *text, size_t size, struct kmln_error *err)
{
	if (item->was == KMLN_WAS_ABSENT && !size) {
		become_gone(place, item);
		return 0;
	}
	/* the last line may have had no end */
	if (size == item->was_size + 1 && text[size - 1] == '\n')
		size--;
	if (item->was != KMLN_WAS_KEPT || size != item->was_size ||
		!has_sum(way, text, size, item->was_sum))
		return kmln_fail(err, KMLN_EINVALID,
			"line %u: %s: the lines do not lead to what is said to have been there",
			item->line, item->path);
	become_file(place, item, kmln_pool_memdup(way->pool, text, size), size, item->was_mtime,
		item->was_mtime_ns);
	return 0;
}

static int undo_lines(const struct way *way, struct place *place,
	const struct kmln_record_item *item, struct kmln_error *err)
{
	const char *text, *left, *why = NULL;
	size_t size, left_size;
	bool appended = item->kind == KMLN_RECORD_APPEND;

	text = content(place, &size);
	if (!text || !is_file(place)) {
		if (is_there(place) || item->was == KMLN_WAS_KEPT || appended)
			edited(way, item,
				is_file(place) ? "it has become too long to be looked at"
					       : "kmln's line is gone with its file");
		return 0;
	}
	left_size = size;
	left = kmln_undo_text(item, way->pool, text, &left_size, &why);
	if (!left) {
		edited(way, item, why);
		return 0;
	}
	if (!appended && size == item->size && has_sum(way, text, size, item->sum))
		return undo_whole(way, place, item, left, left_size, err);
	if (item->was == KMLN_WAS_ABSENT && !appended && !left_size)
		become_gone(place, item);
	else if (appended && left_size == item->was_size)
		become_file(place, item, left, left_size, item->was_mtime, item->was_mtime_ns);
	else
		become_file(place, item, left, left_size, KMLN_MTIME_NOW, 0);
	return 0;
}

static void undo_link(
	const struct way *way, struct place *place, const struct kmln_record_item *item)
{
	const char *target = place->fate == LINK_AGAIN ? place->data
			     : place->fate == STAYS    ? place->now->target
						       : NULL;

	if (!is_there(place)) {
		if (item->was != KMLN_WAS_ABSENT)
			edited(way, item, "it was removed since the conversion");
		return;
	}
	if (!kmln_eq(target, item->target)) {
		edited(way, item, "it was changed since the conversion");
		return;
	}
	if (item->was == KMLN_WAS_ABSENT) {
		become_gone(place, item);
	} else {
		become_file(place, item, item->old, item->old_size, item->was_mtime,
			item->was_mtime_ns);
		place->fate = LINK_AGAIN;
	}
}

static int undo_item(
	const struct way *way, const struct kmln_record_item *item, struct kmln_error *err)
{
	struct place *place = item->path ? place_of(way, item->path) : NULL;

	switch (item->kind) {
	case KMLN_RECORD_MKDIR:
		/* whether it can go is known when all else is */
		if (is_there(place) && !S_ISDIR(place->now->mode))
			edited(way, item, "it is no folder any more");
		else if (is_there(place))
			become_gone(place, item);
		return 0;
	case KMLN_RECORD_PUT:
		undo_put(way, place, item);
		return 0;
	case KMLN_RECORD_CHANGE:
	case KMLN_RECORD_APPEND:
		return undo_lines(way, place, item, err);
	case KMLN_RECORD_SYMLINK:
		undo_link(way, place, item);
		return 0;
	case KMLN_RECORD_SHIFT:
	case KMLN_RECORD_CUT:
	case KMLN_RECORD_KEEP:
	case KMLN_RECORD_EXTEND:
	case KMLN_RECORD_RESIZE:
	case KMLN_RECORD_BYTES:
	case KMLN_RECORD_KINDS:
		break;
	}
	return 0;
}

/* ---- what the way back comes to ---- */

static int plan_back(const struct way *way, const struct place *place, struct kmln_error *err)
{
	const struct kmln_edit edit = {
		.kind = place->fate == LINK_AGAIN ? KMLN_EDIT_SYMLINK : KMLN_EDIT_PUT,
		.by = place->item->by,
		.why = place->mtime == KMLN_MTIME_NOW ? "without kmln's part" : "as it was",
		.path = place->now->path,
		.mode = place->now->mode & 07777,
		.mtime = place->mtime,
		.mtime_ns = place->mtime_ns,
		.data = place->data,
		.size = place->size,
		.replaces = place->now->data ? place->now->data : "",
		.replaces_size = place->now->data ? place->now->size : 0,
	};

	return kmln_edits_add(way->undo->edits, &edit, err);
}

static int plan_removal(const struct way *way, const char *path, const char *by, const char *why,
	struct kmln_error *err)
{
	const struct kmln_edit edit = {
		.kind = KMLN_EDIT_REMOVE,
		.by = by,
		.why = why,
		.path = path,
	};

	return kmln_edits_add(way->undo->edits, &edit, err);
}

/* 1: nothing is left in the folder once the plan is carried out. Indexes of depmod's go with it. */
static int empty_folder(const struct way *way, const struct place *place, struct kmln_error *err)
{
	bool modules = is_modules_folder(way, place->now->path);

	if (place->now->more_names)
		return 0;
	for (const char *const *name = place->now->names; *name; name++) {
		char *path = kmln_pool_printf(way->pool, "%s/%s", place->now->path, *name);
		const struct place *child = place_of(way, path);

		if (child ? child->fate != GONE : !(modules && is_index_name(*name)))
			return 0;
	}
	for (const char *const *name = place->now->names; *name; name++) {
		char *path = kmln_pool_printf(way->pool, "%s/%s", place->now->path, *name);
		int r = place_of(way, path)
				? 0
				: plan_removal(way, path, place->item->by, "depmod's index", err);

		if (r < 0)
			return r;
	}
	return 1;
}

static int plan_gone(const struct way *way, struct place *place, struct kmln_error *err)
{
	int r = 1;

	if (!place->now->mode)
		return 0; /* made by one conversion and removed by the guest */
	if (S_ISDIR(place->now->mode)) {
		r = empty_folder(way, place, err);
		if (r == 0) {
			kmln_edits_note(way->undo->edits,
				"%s stays: there is something in it that kmln did not put there",
				place->now->path);
			place->fate = STAYS;
		}
	}
	return r <= 0 ? r
		      : plan_removal(way, place->now->path,
				place->item ? place->item->by : "record",
				place->item ? place->item->why : "of no use any more", err);
}

/* From the last path to the first: what is in a folder comes before it. */
static int plan_places(const struct way *way, struct kmln_error *err)
{
	size_t count = way->undo->state_count;
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		if (way->places[i].fate == FILE_AGAIN || way->places[i].fate == LINK_AGAIN)
			r = plan_back(way, &way->places[i], err);
	for (size_t i = 0; i < count; i++)
		if (way->places[i].fate == LOST && !is_index(way, way->places[i].now->path))
			edited(way, way->places[i].item,
				"what stood there before the conversion was not kept");
	for (size_t i = count; r == 0 && i-- > 0;)
		if (way->places[i].fate == GONE)
			r = plan_gone(way, &way->places[i], err);
	return r;
}

int kmln_plan_undo(struct kmln_undo *undo, struct kmln_error *err)
{
	struct way way = {
		.undo = undo,
		.pool = undo->edits->pool,
		.places =
			kmln_pool_array(undo->edits->pool, undo->state_count, sizeof(struct place)),
	};
	int r = 0;

	for (size_t i = 0; i < undo->state_count; i++)
		way.places[i].now = &undo->states[i];
	for (size_t i = 0; r == 0 && i < undo->record_count; i++) {
		const struct kmln_record *record = &undo->records[i];

		for (size_t k = record->count; r == 0 && k-- > 0;)
			r = undo_item(&way, &record->items[k], err);
		if (r < 0)
			return kmln_wrap(err, "%s", record->file);
		place_of(&way, record->file)->fate = GONE;
	}
	place_of(&way, kmln_facts_file(undo->facts, KMLN_RECORD_FOLDER)->real)->fate = GONE;
	r = plan_places(&way, err);
	return r == 0 ? kmln_undo_disk(undo, err) : r;
}
