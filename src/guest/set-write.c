// SPDX-License-Identifier: GPL-2.0-or-later
/* How kinds of settings change things: folders, files of kmln's own, links, and texts, which are
 * changed in memory and become edits when the plan ends.
 */
#include "guest/set.h"

#include <string.h>

#define STATE_WHY "what kmln has set here"

static int unknown(const char *path, struct kmln_error *err)
{
	return kmln_fail(err, EINVAL, "settings: nobody has looked at %s", path);
}

int kmln_set_place(
	struct kmln_set *set, const char *path, const char **real, struct kmln_error *err)
{
	const char *slash = strrchr(path, '/'), *parent_real = "";
	const char *parent = kmln_pool_memdup(set->pool, path, (size_t)(slash - path));
	const struct kmln_known_file *file = *parent ? kmln_set_known(set, parent) : NULL;
	int r = 0;

	if (!*parent) {
		*real = kmln_pool_strdup(set->pool, path);
		return 0;
	}
	if (!file)
		return unknown(parent, err);
	if (file->mode && !S_ISDIR(file->mode))
		return kmln_fail(err, KMLN_EINVALID, "in the guest, %s is not a folder", parent);
	if (file->real)
		parent_real = strcmp(file->real, "/") == 0 ? "" : file->real;
	else if (file->link)
		return kmln_fail(err, KMLN_EINVALID,
			"in the guest, %s leads nowhere: %s; mend that link first", parent,
			file->problem);
	else
		r = kmln_set_place(set, parent, &parent_real, err);
	*real = kmln_pool_printf(set->pool, "%s%s", parent_real, slash);
	return r;
}

/* Where content is put: through a link of the guest's. */
static int place_of_content(
	struct kmln_set *set, const char *path, const char **real, struct kmln_error *err)
{
	const struct kmln_known_file *file = kmln_set_known(set, path);

	if (!file)
		return unknown(path, err);
	if (file->real) {
		*real = file->real;
		return 0;
	}
	if (file->link)
		return kmln_fail(err, KMLN_EINVALID,
			"in the guest, %s leads nowhere: %s; mend that link first", path,
			file->problem);
	return kmln_set_place(set, path, real, err);
}

int kmln_set_folder(struct kmln_set *set, const char *path, uint32_t mode, uint32_t uid,
	uint32_t gid, const char *why, struct kmln_error *err)
{
	const struct kmln_known_file *file = kmln_set_known(set, path);
	struct kmln_edit edit = {
		.kind = KMLN_EDIT_MKDIR,
		.by = set->by,
		.why = why,
		.mode = mode,
		.uid = uid,
		.gid = gid,
		.mtime = KMLN_MTIME_NOW,
	};
	const char *slash = strrchr(path, '/');
	int r;

	if (!path[1] || (file && S_ISDIR(file->mode)))
		return 0;
	if (file && file->mode)
		return kmln_fail(err, KMLN_EINVALID, "in the guest, %s is not a folder", path);
	r = place_of_content(set, path, &edit.path, err);
	if (r < 0 || kmln_edits_has(set->edits, edit.path))
		return r;
	if (slash != path) {
		const char *parent = kmln_pool_memdup(set->pool, path, (size_t)(slash - path));

		r = kmln_set_folder(set, parent, 0755, 0, 0, why, err);
	}
	return r < 0 ? r : kmln_edits_add(set->edits, &edit, err);
}

static int folder_of(
	struct kmln_set *set, const char *path, const char *why, struct kmln_error *err)
{
	const char *slash = strrchr(path, '/');

	if (slash == path)
		return 0;
	return kmln_set_folder(set, kmln_pool_memdup(set->pool, path, (size_t)(slash - path)), 0755,
		0, 0, why, err);
}

int kmln_set_put(struct kmln_set *set, const struct kmln_set_file *file, const char *why, bool anew,
	bool unshown, struct kmln_error *err)
{
	const struct kmln_known_file *known = kmln_set_known(set, file->path);
	struct kmln_edit edit = {
		.kind = KMLN_EDIT_PUT,
		.by = set->by,
		.why = why,
		.mode = file->mode,
		.uid = file->uid,
		.gid = file->gid,
		.mtime = KMLN_MTIME_NOW,
		.data = file->data,
		.size = file->size,
		.anew = anew,
		.unshown = unshown,
	};
	int r = place_of_content(set, file->path, &edit.path, err);

	if (r < 0)
		return r;
	if (known->mode && !S_ISREG(known->mode))
		return kmln_fail(
			err, KMLN_EINVALID, "in the guest, %s is not a regular file", file->path);
	if (known->mode) {
		edit.replaces = known->data ? known->data : "";
		edit.replaces_size = known->size;
		edit.replaces_mode = known->mode;
		edit.replaces_uid = known->uid;
		edit.replaces_gid = known->gid;
		edit.replaces_mtime = known->mtime;
		edit.replaces_mtime_ns = known->mtime_ns;
		/* a binary one is not to be shown by its length of nothing */
		edit.unshown |= !known->data;
	} else {
		r = folder_of(set, file->path, why, err);
	}
	return r < 0 ? r : kmln_edits_add(set->edits, &edit, err);
}

/* ---- files of kmln's own ---- */

const char *kmln_set_copy_path(struct kmln_pool *pool, const char *path)
{
	return kmln_pool_printf(
		pool, KMLN_SET_FOLDER "/before-%.16s", kmln_set_sum(pool, path, strlen(path)));
}

static bool has_content(struct kmln_set *set, const struct kmln_known_file *known, const char *sum)
{
	if (known->data)
		return strcmp(kmln_set_sum(set->pool, known->data, known->size), sum) == 0;
	return kmln_eq(known->sum, sum);
}

/* What others had at the path: a copy, and who owned it, for the way back. */
static int keep_copy(struct kmln_set *set, const struct kmln_known_file *known, const char *why,
	struct kmln_error *err)
{
	const struct kmln_set_file copy = {kmln_set_copy_path(set->pool, known->path), known->data,
		known->size, 0600, 0, 0, NULL};

	if (!known->data) {
		kmln_edits_note(set->edits, "%s is replaced for good: it is no text to be kept",
			known->path);
		return 0;
	}
	kmln_set_note(set, "kept", known->path,
		kmln_pool_printf(set->pool, "%04o", known->mode & 07777),
		kmln_pool_printf(set->pool, "%u", known->uid),
		kmln_pool_printf(set->pool, "%u", known->gid), NULL);
	return kmln_set_known(set, copy.path) ? kmln_set_put(set, &copy, why, false, true, err)
					      : unknown(copy.path, err);
}

int kmln_set_own(struct kmln_set *set, const struct kmln_set_file *file, const char *why,
	struct kmln_error *err)
{
	const struct kmln_known_file *known = kmln_set_known(set, file->path);
	struct kmln_set_note *own = kmln_set_before(set, "own", file->path, NULL);
	struct kmln_set_note *kept = kmln_set_before(set, "kept", file->path, NULL);
	const char *sum = file->sum ? file->sum : kmln_set_sum(set->pool, file->data, file->size);
	bool same_owner, same;
	int r = 0;

	if (!known)
		return unknown(file->path, err);
	same_owner = known->mode == (S_IFREG | file->mode) && known->uid == file->uid &&
		     known->gid == file->gid;
	same = S_ISREG(known->mode) && has_content(set, known, sum);
	if (same && same_owner && !own)
		return 0; /* it was so before kmln came */
	if (own)
		own->settled = true;
	kmln_set_note(set, "own", file->path, sum, NULL);
	if (kept && own) {
		kept->settled = true;
		kmln_set_note(set, "kept", file->path, kept->words[1], kept->words[2],
			kept->words[3], NULL);
	}
	if (same && same_owner)
		return 0;
	if (S_ISREG(known->mode) && !own)
		r = keep_copy(set, known, why, err);
	return r < 0 ? r : kmln_set_put(set, file, why, !same_owner, false, err);
}

int kmln_set_own_text(struct kmln_set *set, const char *path, const struct kmln_buf *text,
	uint32_t mode, const char *why, struct kmln_error *err)
{
	const struct kmln_set_file file = {path,
		kmln_pool_memdup(set->pool, text->data ? text->data : "", text->size), text->size,
		mode, 0, 0, NULL};

	return kmln_set_own(set, &file, why, err);
}

int kmln_set_link(struct kmln_set *set, const char *path, const char *target, const char *why,
	struct kmln_error *err)
{
	const struct kmln_known_file *known = kmln_set_known(set, path);
	struct kmln_set_note *before = kmln_set_before(set, "link", path, NULL);
	struct kmln_edit edit = {
		.kind = KMLN_EDIT_SYMLINK,
		.by = set->by,
		.why = why,
		.data = target,
		.mtime = KMLN_MTIME_NOW,
	};
	int r;

	if (!known)
		return unknown(path, err);
	if (kmln_eq(known->link, target) && !before)
		return 0;
	if (before)
		before->settled = true;
	kmln_set_note(set, "link", path, target, NULL);
	if (kmln_eq(known->link, target))
		return 0;
	if (known->mode || (known->link && !before))
		return kmln_fail(err, KMLN_EINVALID,
			"in the guest, %s is there already, and is not kmln's", path);
	edit.replaces = known->link;
	r = kmln_set_place(set, path, &edit.path, err);
	if (r == 0)
		r = folder_of(set, path, why, err);
	return r < 0 ? r : kmln_edits_add(set->edits, &edit, err);
}

int kmln_set_remove(struct kmln_set *set, const char *path, const char *why, struct kmln_error *err)
{
	const struct kmln_known_file *known = kmln_set_known(set, path);
	struct kmln_edit edit = {.kind = KMLN_EDIT_REMOVE, .by = set->by, .why = why};
	int r;

	if (!known || (!known->mode && !known->link) || (S_ISDIR(known->mode) && !known->link))
		return 0;
	r = kmln_set_place(set, path, &edit.path, err);
	return r < 0 || kmln_edits_has(set->edits, edit.path)
		       ? r
		       : kmln_edits_add(set->edits, &edit, err);
}

/* ---- texts ---- */

static struct kmln_set_text *find_text(struct kmln_set *set, const char *path, const char *real)
{
	for (size_t i = 0; i < set->text_count; i++)
		if (strcmp(set->texts[i]->path, path) == 0 ||
			(real && strcmp(set->texts[i]->real, real) == 0))
			return set->texts[i];
	return NULL;
}

static struct kmln_set_text *add_text(
	struct kmln_set *set, const struct kmln_known_file *file, const char *real)
{
	struct kmln_set_text *text = kmln_pool_alloc(set->pool, sizeof(*text));

	*text = (struct kmln_set_text){.path = file->path, .real = real, .file = file};
	for (size_t i = 0; i < set->edits->count; i++) {
		struct kmln_edit *edit = &set->edits->items[i];

		if (edit->kind == KMLN_EDIT_PUT && edit->data && kmln_eq(edit->path, real))
			text->edit = edit;
	}
	if (text->edit)
		kmln_buf_add(&text->text, text->edit->data, (size_t)text->edit->size);
	else
		kmln_buf_str(&text->text, file->data ? file->data : "");
	*(struct kmln_set_text **)kmln_pool_append(
		set->pool, &set->texts, &set->text_count, sizeof(text)) = text;
	return text;
}

int kmln_set_text(struct kmln_set *set, const char *path, uint32_t mode, const char *why,
	struct kmln_set_text **text, struct kmln_error *err)
{
	const struct kmln_known_file *file = kmln_set_known(set, path);
	const char *real;
	int r = place_of_content(set, path, &real, err);

	if (r < 0)
		return r;
	if (file->mode && !S_ISREG(file->mode))
		return kmln_fail(
			err, KMLN_EINVALID, "in the guest, %s is not a regular file", path);
	if (file->mode && !file->data)
		return kmln_fail(err, KMLN_EINVALID, "in the guest, %s cannot be read: %s", path,
			file->problem ? file->problem : "it is too long");
	*text = find_text(set, path, real);
	if (!*text)
		*text = add_text(set, file, real);
	if ((*text)->wanted)
		return 0;
	(*text)->wanted = true;
	(*text)->by = set->by;
	(*text)->why = why;
	(*text)->mode = mode;
	return 0;
}

struct kmln_set_text *kmln_set_text_there(struct kmln_set *set, const char *path)
{
	const struct kmln_known_file *file = kmln_set_known(set, path);
	struct kmln_set_text *text = find_text(set, path, file ? file->real : NULL);

	if (text || !file || !file->real || !file->data)
		return text;
	text = add_text(set, file, file->real);
	text->by = set->by;
	text->why = "no longer asked for";
	text->mode = file->mode & 07777;
	return text;
}

int kmln_set_block(struct kmln_set *set, const char *path, const char *name,
	const struct kmln_buf *body, bool at_top, const char *why, struct kmln_error *err)
{
	struct kmln_set_text *text;
	int r = 0;

	if (body->size)
		r = kmln_set_text(set, path, 0644, why, &text, err);
	else
		text = kmln_set_text_there(set, path);
	if (r < 0 || !text)
		return r;
	kmln_block_remove(&text->text, name);
	if (body->size)
		kmln_block_add(&text->text, name, body->data, at_top);
	return 0;
}

int kmln_set_line(struct kmln_set *set, const char *path, const char *head, const char *line,
	const char *why, struct kmln_error *err)
{
	KMLN_FREE char *whole = kmln_printf("%s\n", line);
	struct kmln_set_text *text;
	size_t at = 0, n = 0;
	int r = kmln_set_text(set, path, 0644, why, &text, err);

	if (r < 0)
		return r;
	for (; at < text->text.size; at += n + 1) {
		const char *here = text->text.data + at;

		n = strcspn(here, "\n");
		if (*head ? kmln_starts(here, head) : n && *here != '#')
			break;
		if (!here[n])
			n--;
	}
	if (at < text->text.size) {
		const char *old = kmln_pool_memdup(set->pool, text->text.data + at, n);
		bool ended = text->text.data[at + n] == '\n';

		if (strcmp(old, line) == 0)
			return 0;
		kmln_set_note(set, "line", path, line, old, NULL);
		kmln_text_splice(&text->text, at, n + ended, whole, strlen(whole));
		return 0;
	}
	kmln_set_note(set, "line", path, line, NULL);
	kmln_text_end_line(&text->text);
	kmln_buf_str(&text->text, whole);
	return 0;
}

static bool is_secret(const char *path)
{
	return kmln_ends(path, "shadow") || kmln_ends(path, "shadow-");
}

/* One text becomes one edit, or none. */
static int write_text(struct kmln_set *set, struct kmln_set_text *text, struct kmln_error *err)
{
	struct kmln_set_note *ours = kmln_set_before(set, "text", text->path, NULL);
	const size_t size = text->ready ? text->ready_size : text->text.size;
	const char *data = text->ready ? text->ready
				       : kmln_pool_memdup(set->pool,
						 text->text.data ? text->text.data : "", size);
	struct kmln_set_file file = {
		text->path, data, size, text->mode, text->uid, text->gid, NULL};
	const struct kmln_known_file *known = text->file;
	struct kmln_edit *edit;
	int r;

	set->by = text->by;
	if (text->edit) {
		/* found again: the list may have moved since */
		for (edit = set->edits->items; !kmln_eq(edit->path, text->real); edit++)
			;
		edit->data = data;
		edit->size = size;
		return 0;
	}
	if (ours || !known->mode) {
		if (!size)
			return kmln_set_remove(set, text->path, text->why, err);
		kmln_set_note(set, "text", text->path, NULL);
	}
	if (known->data && known->size == size && memcmp(known->data, data, known->size) == 0)
		return 0;
	r = kmln_set_put(set, &file, text->why, false, is_secret(text->path), err);
	if (r == 0)
		set->edits->items[set->edits->count - 1].shared = true;
	return r;
}

int kmln_set_finish(struct kmln_set *set, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf list = {0};
	const struct kmln_known_file *known = kmln_set_known(set, KMLN_SET_STATE);
	struct kmln_set_file file = {.path = KMLN_SET_STATE, .mode = 0600};
	int r = 0;

	for (size_t i = 0; r == 0 && i < set->text_count; i++)
		r = write_text(set, set->texts[i], err);
	set->by = "settings";
	if (r == 0)
		r = kmln_set_take_back(set, err);
	if (r < 0)
		return r;
	kmln_set_print_notes(set, &list);
	if (!list.size)
		return kmln_set_remove(set, KMLN_SET_STATE, STATE_WHY, err);
	if (known && known->data && known->size == list.size &&
		memcmp(known->data, list.data, list.size) == 0)
		return 0;
	file.data = kmln_pool_memdup(set->pool, list.data, list.size);
	file.size = list.size;
	return kmln_set_put(set, &file, STATE_WHY, false, true, err);
}
