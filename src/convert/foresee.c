// SPDX-License-Identifier: GPL-2.0-or-later
/* A conversion in memory; see foresee.h. */
#include "convert/foresee.h"

#include "convert/work.h"
#include "image/ext.h"
#include "image/inspect.h"
#include "image/overlay.h"
#include "run/apply.h"

/* Kernel and modules are a hundred megabytes that no other plan asks about. */
static int take_small(struct kmln_edits *to, const struct kmln_edits *from, struct kmln_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < from->count; i++)
		if (from->items[i].path && !from->items[i].from)
			r = kmln_edits_add(to, &from->items[i], err);
	return r;
}

static int apply(const struct kmln_work *work, struct kmln_device *device, struct kmln_error *err)
{
	KMLN_EDITS struct kmln_edits small = {0};
	KMLN_TREE struct kmln_tree *tree = NULL;
	int r;

	kmln_edits_init(&small, work->pool);
	r = take_small(&small, &work->edits, err);
	if (r == 0)
		r = kmln_tree_ext(device, &work->image.facts->root->range, true, &tree, err);
	if (r == 0)
		r = kmln_apply_tree(&small, tree, NULL, err);
	return r < 0 ? r : kmln_tree_close(&tree, err);
}

int kmln_foresee(const struct kmln_convert *job, struct kmln_edits *edits,
	struct kmln_facts **facts, kmln_look_further further, void *data, struct kmln_error *err)
{
	KMLN_WORK struct kmln_work work;
	KMLN_DEVICE struct kmln_device *overlay = NULL;
	KMLN_TREE struct kmln_tree *tree = NULL;
	struct kmln_disk seen;
	int r = kmln_work_begin(&work, job, err);

	if (r < 0)
		return r;
	overlay = kmln_device_overlay(work.image.disk.device);
	r = apply(&work, overlay, err);
	if (r < 0)
		return r;
	seen = work.image.disk;
	seen.device = overlay;
	r = kmln_inspect_without_kernels(&seen, facts, err);
	if (r == 0)
		r = kmln_tree_ext(overlay, &(*facts)->root->range, false, &tree, err);
	if (r < 0)
		return r;
	further(data, tree, *facts);
	kmln_edits_copy(edits, &work.edits);
	return 0;
}
