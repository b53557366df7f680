// SPDX-License-Identifier: GPL-2.0-or-later
/* The list of edits and its text. Adding is the only way in, so the rules of edits.h hold always.
 */
#include "plan/edits.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/diff.h"
#include "plan/print.h"

static int compare_paths(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void keep(void *path)
{
	(void)path; /* the pool owns it */
}

void kmln_edits_init(struct kmln_edits *edits, struct kmln_pool *pool)
{
	*edits = (struct kmln_edits){.pool = pool};
}

void kmln_edits_fini(struct kmln_edits *edits)
{
	tdestroy(edits->paths, keep);
	edits->paths = NULL;
}

bool kmln_edits_has(const struct kmln_edits *edits, const char *path)
{
	return tfind(path, (void *const *)&edits->paths, compare_paths);
}

int kmln_edits_add(struct kmln_edits *edits, const struct kmln_edit *edit, struct kmln_error *err)
{
	struct kmln_edit *slot;

	if (edit->path) {
		if (kmln_edits_has(edits, edit->path))
			return kmln_fail(err, EEXIST, "step %s: another step edits %s already",
				edit->by, edit->path);
		if (!tsearch(edit->path, &edits->paths, compare_paths))
			abort();
	}
	slot = kmln_pool_append(edits->pool, &edits->items, &edits->count, sizeof(*slot));
	*slot = *edit;
	return 0;
}

void kmln_edits_note(struct kmln_edits *edits, const char *fmt, ...)
{
	KMLN_BUF struct kmln_buf text = {0};
	va_list args;

	va_start(args, fmt);
	kmln_buf_vprintf(&text, fmt, args);
	va_end(args);
	for (size_t i = 0; i < edits->note_count; i++)
		if (kmln_eq(edits->notes[i], text.data))
			return;
	*(const char **)kmln_pool_append(edits->pool, &edits->notes, &edits->note_count,
		sizeof(char *)) = kmln_pool_strdup(edits->pool, text.data);
}

static const char *copy_text(struct kmln_pool *pool, const char *text)
{
	return text ? kmln_pool_strdup(pool, text) : NULL;
}

static const char *copy_bytes(struct kmln_pool *pool, const char *bytes, uint64_t size)
{
	return bytes ? kmln_pool_memdup(pool, bytes, (size_t)size) : NULL;
}

void kmln_edits_copy(struct kmln_edits *to, const struct kmln_edits *from)
{
	struct kmln_pool *pool = to->pool;
	struct kmln_error never;

	to->kit = copy_text(pool, from->kit);
	for (size_t i = 0; i < from->count; i++) {
		struct kmln_edit e = from->items[i];
		const bool link = e.kind == KMLN_EDIT_SYMLINK;

		e.by = copy_text(pool, e.by);
		e.why = copy_text(pool, e.why);
		e.path = copy_text(pool, e.path);
		e.data = link ? copy_text(pool, e.data) : copy_bytes(pool, e.data, e.size);
		e.from = copy_text(pool, e.from);
		e.replaces = link ? copy_text(pool, e.replaces)
				  : copy_bytes(pool, e.replaces, e.replaces_size);
		e.shown_by = copy_text(pool, e.shown_by);
		e.group = copy_text(pool, e.group);
		kmln_edits_add(to, &e, &never);
	}
	for (size_t i = 0; i < from->note_count; i++)
		kmln_edits_note(to, "%s", from->notes[i]);
}

const char *kmln_edit_kind_name(enum kmln_edit_kind kind)
{
	static const char *const names[] = {
		[KMLN_EDIT_SHIFT] = "shift",
		[KMLN_EDIT_COLLAPSE] = "cut",
		[KMLN_EDIT_KEEP] = "keep",
		[KMLN_EDIT_EXTEND] = "extend",
		[KMLN_EDIT_MERGE] = "merge",
		[KMLN_EDIT_RESIZE] = "resize",
		[KMLN_EDIT_BYTES] = "bytes",
		[KMLN_EDIT_MKDIR] = "mkdir",
		[KMLN_EDIT_PUT] = "put",
		[KMLN_EDIT_APPEND] = "append",
		[KMLN_EDIT_SYMLINK] = "symlink",
		[KMLN_EDIT_REMOVE] = "remove",
	};

	_Static_assert(KMLN_COUNT(names) == KMLN_EDIT_KINDS, "a name for each kind");
	return names[kind];
}

static bool same_why(const struct kmln_edit *a, const struct kmln_edit *b)
{
	return a->why == b->why || kmln_eq(a->why, b->why);
}

static bool same_group(const struct kmln_edit *a, const struct kmln_edit *b)
{
	return a->group == b->group || kmln_eq(a->group, b->group);
}

/*
 * Edits that are one line together: those of a group, or kit files, with folders between them, in a
 * row, of one step.
 */
static size_t group_run(const struct kmln_edits *edits, size_t from)
{
	const struct kmln_edit *first = &edits->items[from];
	size_t i = from, files = 0;

	for (; i < edits->count; i++) {
		const struct kmln_edit *e = &edits->items[i];

		if (!kmln_eq(e->by, first->by) || !same_why(e, first) || !same_group(e, first) ||
			!(e->group || e->from || e->kind == KMLN_EDIT_MKDIR))
			break;
		files += e->kind == KMLN_EDIT_PUT;
	}
	return files ? i - from : 0;
}

/* Removals in a row, of one step and for one reason, are one line too. */
static size_t remove_run(const struct kmln_edits *edits, size_t from)
{
	size_t i = from;

	while (i < edits->count && edits->items[i].kind == KMLN_EDIT_REMOVE &&
		kmln_eq(edits->items[i].by, edits->items[from].by) &&
		same_why(&edits->items[i], &edits->items[from]))
		i++;
	return i - from;
}

/* True where `path` is at byte `at` after a whole component. */
static bool component_ends(const char *path, size_t at)
{
	return path[at] == '/' || path[at] == '\0' || (at && path[at - 1] == '/');
}

static void print_run(
	const struct kmln_edits *edits, size_t from, size_t count, struct kmln_buf *out)
{
	const struct kmln_edit *first = &edits->items[from];
	size_t common = strlen(first->path), files = 0;
	uint64_t bytes = 0;
	char *object;

	for (size_t i = from; i < from + count; i++) {
		const struct kmln_edit *e = &edits->items[i];
		size_t n = 0;

		while (n < common && e->path[n] == first->path[n])
			n++;
		common = n;
		files += e->kind == KMLN_EDIT_PUT || e->kind == KMLN_EDIT_REMOVE;
		bytes += e->kind == KMLN_EDIT_PUT ? e->size : 0;
	}
	for (size_t i = from; i < from + count; i++)
		while (!component_ends(edits->items[i].path, common))
			common--;
	if (first->kind == KMLN_EDIT_REMOVE) {
		object = kmln_pool_printf(edits->pool, "%.*s: %zu files and folders", (int)common,
			first->path, files);
		kmln_plan_line(out, "remove", object, first->by, first->why);
		return;
	}
	object = kmln_pool_printf(edits->pool, "%.*s: %zu files, %s, %s%s", (int)common,
		first->path, files, kmln_plan_bytes(edits->pool, bytes),
		first->group ? "" : "from kernel ",
		first->group ? first->group
		: edits->kit ? edits->kit
			     : "kit");
	kmln_plan_line(out, "put", object, first->by, first->why);
}

/* What is in a file is shown, but not of the many that a package brings. */
static bool shows_content(const struct kmln_edit *e)
{
	return e->data && !e->group && !e->unshown && !e->shown_by &&
	       kmln_is_text(e->data, e->size) &&
	       (!e->replaces || kmln_is_text(e->replaces, e->replaces_size));
}

static void print_put(
	const struct kmln_edits *edits, const struct kmln_edit *e, struct kmln_buf *out)
{
	const char *size = kmln_plan_bytes(edits->pool, e->size + e->reserve);
	char *object;

	if (e->replaces && e->anew)
		object = kmln_pool_printf(edits->pool, "%s %04o %u:%u, %s in place of %s", e->path,
			e->mode, e->uid, e->gid, size,
			kmln_plan_bytes(edits->pool, e->replaces_size));
	else if (e->replaces)
		object = kmln_pool_printf(edits->pool, "%s, %s in place of %s", e->path, size,
			kmln_plan_bytes(edits->pool, e->replaces_size));
	else
		object = kmln_pool_printf(edits->pool, "%s %04o %u:%u, %s%s%s", e->path, e->mode,
			e->uid, e->gid, size,
			e->group  ? ", "
			: e->from ? ", from kit"
				  : "",
			e->group ? e->group : "");
	kmln_plan_line(out, "put", object, e->by,
		e->shown_by ? kmln_pool_printf(edits->pool, "%s (as for %s)", e->why, e->shown_by)
			    : e->why);
	if (shows_content(e))
		kmln_diff(out, e->replaces ? e->replaces : "", e->replaces ? e->replaces_size : 0,
			e->data, e->size);
}

static void print_append(
	const struct kmln_edits *edits, const struct kmln_edit *e, struct kmln_buf *out)
{
	char *object = kmln_pool_printf(
		edits->pool, "%s, %s", e->path, kmln_plan_bytes(edits->pool, e->size));

	kmln_plan_line(out, "append", object, e->by, e->why);
}

static void print_one(
	const struct kmln_edits *edits, const struct kmln_edit *e, struct kmln_buf *out)
{
	const char *verb = kmln_edit_kind_name(e->kind);
	const char *object = e->path;

	switch (e->kind) {
	case KMLN_EDIT_SHIFT:
		object = kmln_pool_printf(
			edits->pool, "+%llu bytes in front", (unsigned long long)e->offset);
		break;
	case KMLN_EDIT_COLLAPSE:
		object = kmln_pool_printf(edits->pool, "-%llu bytes in front, %llu stay",
			(unsigned long long)e->offset, (unsigned long long)e->size);
		break;
	case KMLN_EDIT_EXTEND:
		object = kmln_pool_printf(
			edits->pool, "+%llu bytes behind", (unsigned long long)e->size);
		break;
	case KMLN_EDIT_MERGE:
		object = kmln_pool_printf(edits->pool, "%s from %s, %s", e->path, e->data,
			kmln_plan_bytes(edits->pool, e->size));
		break;
	case KMLN_EDIT_RESIZE:
		object =
			kmln_pool_printf(edits->pool, "to %llu bytes", (unsigned long long)e->size);
		break;
	case KMLN_EDIT_KEEP:
	case KMLN_EDIT_BYTES:
		object = kmln_pool_printf(edits->pool, "0x%llx +%llu bytes",
			(unsigned long long)e->offset, (unsigned long long)e->size);
		break;
	case KMLN_EDIT_MKDIR:
		object = kmln_pool_printf(
			edits->pool, "%s %04o %u:%u", e->path, e->mode, e->uid, e->gid);
		break;
	case KMLN_EDIT_SYMLINK:
		object = kmln_pool_printf(edits->pool, "%s -> %s%s%s", e->path, e->data,
			e->replaces ? " in place of " : "", e->replaces ? e->replaces : "");
		break;
	case KMLN_EDIT_APPEND:
		print_append(edits, e, out);
		return;
	case KMLN_EDIT_PUT:
		print_put(edits, e, out);
		return;
	case KMLN_EDIT_REMOVE:
		break;
	case KMLN_EDIT_KINDS:
		return;
	}
	kmln_plan_line(out, verb, object, e->by, e->why);
}

static void print_note(const char *note, struct kmln_buf *out)
{
	kmln_buf_str(out, "note    ");
	kmln_plan_escape(out, note);
	kmln_buf_str(out, "\n");
}

void kmln_edits_print(const struct kmln_edits *edits, bool all, struct kmln_buf *out)
{
	for (size_t i = 0; i < edits->count;) {
		size_t run = all ? 0 : group_run(edits, i);

		if (!all && !run)
			run = remove_run(edits, i);
		if (run > 2) {
			print_run(edits, i, run, out);
			i += run;
		} else {
			print_one(edits, &edits->items[i++], out);
		}
	}
	for (size_t i = 0; i < edits->note_count; i++)
		print_note(edits->notes[i], out);
}
