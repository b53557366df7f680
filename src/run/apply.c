// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Applying edits. It decides nothing: paths, content and order are the plan's. Shift,
 * collapse, merge and resize change where the tree lies and are done by who makes the disk.
 */
#include "run/apply.h"

#include <string.h>
#include <time.h>

#include "base/log.h"

struct inline_source {
	const char *data;
	uint64_t left;
};

static ssize_t read_inline(void *data, char *bytes, size_t room, struct kmln_error *err)
{
	struct inline_source *source = data;
	size_t n = source->left < room ? (size_t)source->left : room;

	(void)err;
	memcpy(bytes, source->data, n);
	source->data += n;
	source->left -= n;
	return (ssize_t)n;
}

static int append_chunk(void *data, const char *bytes, size_t size, struct kmln_error *err)
{
	(void)err;
	kmln_buf_add(data, bytes, size);
	return 0;
}

#define KIT_FILE_MAX (512u << 20)

static int put(const struct kmln_edit *e, const struct kmln_meta *meta, struct kmln_tree *tree,
	struct kmln_tree *kit, struct kmln_error *err)
{
	struct inline_source source = {e->data, e->size};
	KMLN_BUF struct kmln_buf bytes = {0};
	int r;

	if (e->from) {
		if (e->size > KIT_FILE_MAX)
			return kmln_fail(err, EFBIG, "%s in the kernel kit", e->from);
		r = kmln_tree_read(kit, e->from, append_chunk, &bytes, err);
		if (r < 0)
			return kmln_wrap(err, "kernel kit");
		if (bytes.size != e->size)
			return kmln_fail(
				err, EIO, "%s in the kernel kit has changed meanwhile", e->from);
		source.data = bytes.data;
	}
	if (e->anew && e->replaces) {
		r = kmln_tree_remove(tree, e->path, err);
		if (r < 0)
			return r;
	}
	return kmln_tree_put(tree, e->path, meta, e->size, read_inline, &source, err);
}

static int apply_one(const struct kmln_edit *e, struct kmln_tree *tree, struct kmln_tree *kit,
	struct kmln_error *err)
{
	struct kmln_meta meta = {e->mode, e->uid, e->gid, e->mtime, e->mtime_ns, .sparse = false,
		.reserve = e->reserve};
	struct timespec now;

	if (e->mtime == KMLN_MTIME_NOW) {
		clock_gettime(CLOCK_REALTIME, &now);
		meta.mtime = now.tv_sec;
		meta.mtime_ns = (uint32_t)now.tv_nsec;
	}
	switch (e->kind) {
	case KMLN_EDIT_MKDIR:
		return kmln_tree_mkdir(tree, e->path, &meta, err);
	case KMLN_EDIT_PUT:
		return put(e, &meta, tree, kit, err);
	case KMLN_EDIT_APPEND:
		return kmln_tree_append(tree, e->path, &meta, e->data, e->size, err);
	case KMLN_EDIT_SYMLINK:
		return kmln_tree_symlink(tree, e->path, e->data, &meta, err);
	case KMLN_EDIT_REMOVE:
		return kmln_tree_remove(tree, e->path, err);
	case KMLN_EDIT_SHIFT:
	case KMLN_EDIT_COLLAPSE:
	case KMLN_EDIT_KEEP:
	case KMLN_EDIT_MERGE:
	case KMLN_EDIT_EXTEND:
	case KMLN_EDIT_RESIZE:
	case KMLN_EDIT_BYTES:
	case KMLN_EDIT_KINDS:
		break;
	}
	return 0;
}

int kmln_apply_tree(const struct kmln_edits *edits, struct kmln_tree *tree, struct kmln_tree *kit,
	struct kmln_error *err)
{
	for (size_t i = 0; i < edits->count; i++) {
		int r = apply_one(&edits->items[i], tree, kit, err);

		if (r < 0)
			return kmln_wrap(err, "step %s", edits->items[i].by);
		kmln_progress("edit", i + 1, edits->count);
	}
	return 0;
}

int kmln_apply_bytes(const struct kmln_edits *edits,
	int (*write)(void *disk, const void *bytes, size_t size, uint64_t offset,
		struct kmln_error *err),
	void *disk, struct kmln_error *err)
{
	for (size_t i = 0; i < edits->count; i++) {
		const struct kmln_edit *e = &edits->items[i];
		int r;

		if (e->kind != KMLN_EDIT_BYTES)
			continue;
		r = write(disk, e->data, e->size, e->offset, err);
		if (r < 0)
			return kmln_wrap(err, "step %s", e->by);
	}
	return 0;
}

const struct kmln_edit *kmln_edits_find(const struct kmln_edits *edits, enum kmln_edit_kind kind)
{
	for (size_t i = 0; i < edits->count; i++)
		if (edits->items[i].kind == kind)
			return &edits->items[i];
	return NULL;
}
