// SPDX-License-Identifier: GPL-2.0-or-later
/* Overlay, proof, journal; see in-place.h. */
#include "convert/in-place.h"

#include <sys/stat.h>

#include "image/ext-blocks.h"
#include "image/ext.h"
#include "image/overlay.h"
#include "run/apply.h"

/* The disk as it will be, put together of what it is, and what is kept back. */
struct view {
	struct kmln_device *overlay, *front, *behind;
	struct kmln_disk disk; /* all of it */
	struct kmln_range root;
	uint64_t cut;
};

static void view_fini(struct view *view)
{
	kmln_device_close(&view->disk.device);
	kmln_device_close(&view->overlay);
	kmln_device_close(&view->front);
	kmln_device_close(&view->behind);
}

static uint64_t edit_bytes(const struct kmln_edits *edits, enum kmln_edit_kind kind)
{
	const struct kmln_edit *edit = kmln_edits_find(edits, kind);

	return !edit ? 0 : kind == KMLN_EDIT_EXTEND ? edit->size : edit->offset;
}

static int make_view(const struct kmln_in_place *job, struct view *view, struct kmln_error *err)
{
	const uint64_t front = edit_bytes(job->edits, KMLN_EDIT_SHIFT);
	uint64_t behind = edit_bytes(job->edits, KMLN_EDIT_EXTEND);
	struct kmln_device *base = job->disk->device;
	KMLN_BLOCKS struct kmln_blocks free_blocks = {0};
	const struct kmln_edit *cut = kmln_edits_find(job->edits, KMLN_EDIT_COLLAPSE);
	uint64_t end = cut ? cut->offset + cut->size : base->size;
	struct kmln_part parts[3];
	struct stat st;
	size_t count = 0;
	int r;

	/* a journal beside a device would lie among the host's devices, in memory */
	if (fstat(job->disk->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return kmln_fail(err, KMLN_EINVALID,
			"only a file can be changed in place, and this is a device: -o OUT makes a copy");

	view->cut = edit_bytes(job->edits, KMLN_EDIT_COLLAPSE);
	if (view->cut > job->root.offset || end > base->size ||
		end - job->root.size < job->root.offset)
		return kmln_fail(err, KMLN_EINVALID, "the filesystem itself would be cut off");
	r = kmln_ext_free(base, &job->root, &free_blocks, err);
	if (r < 0)
		return r;
	/* a journal is found by one name: by another the image would look whole */
	if (st.st_nlink > 1)
		return kmln_fail(err, KMLN_EINVALID,
			"the image has %lu names (hard links): in place needs one; -o OUT makes a copy",
			(unsigned long)st.st_nlink);
	/* a partition is whole sectors long, a file may be less */
	if (front && !behind && end % 512)
		behind = 512 - end % 512;
	view->overlay = kmln_device_overlay(base);
	kmln_overlay_write_through(view->overlay, &job->root, free_blocks.block_size,
		free_blocks.bits, free_blocks.count);
	if (front) {
		view->front = kmln_device_memory(front);
		parts[count++] = (struct kmln_part){view->front, {0, front}};
	}
	parts[count++] = (struct kmln_part){view->overlay, {view->cut, end - view->cut}};
	if (behind) {
		view->behind = kmln_device_memory(behind);
		parts[count++] = (struct kmln_part){view->behind, {0, behind}};
	}
	view->disk = *job->disk;
	view->disk.fd = -1;
	if (view->cut || front)
		view->disk.root = 0;
	view->disk.device = kmln_device_join(parts, count);
	view->disk.size = view->disk.device->size;
	view->root = job->root;
	view->root.offset += front;
	view->root.offset -= view->cut;
	return 0;
}

static int write_bytes(
	void *device, const void *bytes, size_t size, uint64_t offset, struct kmln_error *err)
{
	return kmln_device_write(device, bytes, size, offset, err);
}

static int edit_view(const struct kmln_in_place *job, struct view *view, struct kmln_error *err)
{
	KMLN_TREE struct kmln_tree *tree = NULL;
	int r = kmln_tree_ext(view->disk.device, &view->root, true, &tree, err);

	if (r == 0)
		r = kmln_apply_tree(job->edits, tree, job->kit, err);
	if (r == 0)
		r = kmln_tree_close(&tree, err);
	if (r == 0)
		r = kmln_apply_bytes(job->edits, write_bytes, view->disk.device, err);
	return r < 0 ? r : job->prove(job->data, &view->disk, &view->root, err);
}

int kmln_in_place(const struct kmln_in_place *job, struct kmln_error *err)
{
	KMLN_CLEANUP(view_fini) struct view view = {.disk.fd = -1};
	KMLN_DEVICE struct kmln_device *text = NULL;
	struct kmln_journal_file files[3];
	KMLN_BESIDE_JOURNAL struct kmln_beside_journal beside = {.count = 0};
	struct kmln_journal journal = {.files = files};
	int r = make_view(job, &view, err);

	if (r == 0)
		r = edit_view(job, &view, err);
	if (r < 0)
		return r;
	journal.overlay = view.overlay;
	journal.size = job->disk->size;
	if (!job->composite) {
		journal.size = view.disk.size;
		journal.cut = view.cut;
		journal.front = view.front;
		journal.behind = view.behind;
		r = kmln_beside_remember(job->beside, job->path, &beside, err);
		if (r < 0)
			return r;
		journal.files = beside.files;
		journal.file_count = beside.count;
	} else {
		r = kmln_composite_files(job->composite, view.front, job->disk->size, view.behind,
			&text, files, err);
		if (r < 0)
			return r;
		journal.file_count = (size_t)r;
	}
	return kmln_journal_commit(job->path, job->disk, &journal, err);
}
