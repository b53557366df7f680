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

struct foreseeing {
	struct kmln_work work;
	struct kmln_device *overlay;
	kmln_look_further further;
	void *data;
};

static void foreseeing_fini(struct foreseeing *f)
{
	kmln_device_close(&f->overlay);
	kmln_work_fini(&f->work);
}

static int apply(struct foreseeing *f, const struct kmln_edits *edits, struct kmln_error *err)
{
	KMLN_EDITS struct kmln_edits small = {0};
	KMLN_TREE struct kmln_tree *tree = NULL;
	int r;

	kmln_device_close(&f->overlay);
	f->overlay = kmln_device_overlay(f->work.image.disk.device);
	kmln_edits_init(&small, f->work.pool);
	r = take_small(&small, edits, err);
	if (r == 0)
		r = kmln_tree_ext(f->overlay, &f->work.image.facts->root->range, true, &tree, err);
	if (r == 0)
		r = kmln_apply_tree(&small, tree, NULL, err);
	return r < 0 ? r : kmln_tree_close(&tree, err);
}

/* The guest as these edits leave it. */
static int look(struct foreseeing *f, const struct kmln_edits *edits, struct kmln_facts **facts,
	struct kmln_error *err)
{
	KMLN_TREE struct kmln_tree *tree = NULL;
	struct kmln_disk seen = f->work.image.disk;
	int r = apply(f, edits, err);

	*facts = kmln_facts_free(*facts);
	seen.device = f->overlay;
	if (r == 0)
		r = kmln_inspect_without_kernels(&seen, facts, err);
	if (r == 0)
		r = kmln_tree_ext(f->overlay, &(*facts)->root->range, false, &tree, err);
	if (r == 0)
		f->further(f->data, tree, *facts);
	return r;
}

int kmln_foresee(const struct kmln_convert *job, const struct kmln_settings *settings,
	struct kmln_edits *edits, struct kmln_facts **facts, kmln_look_further further, void *data,
	struct kmln_error *err)
{
	KMLN_CLEANUP(foreseeing_fini) struct foreseeing f = {.further = further, .data = data};
	const struct kmln_goal goal = {0};
	KMLN_EDITS struct kmln_edits both = {0};
	struct kmln_planning planning = {.platform = job->to, .goal = &goal, .edits = &both};
	int r = kmln_work_begin(&f.work, job, err);

	if (r == 0)
		r = look(&f, &f.work.edits, facts, err);
	if (r < 0)
		return r;
	if (!settings) {
		kmln_edits_copy(edits, &f.work.edits);
		return 0;
	}
	kmln_edits_init(&both, f.work.pool);
	kmln_edits_copy(&both, &f.work.edits);
	planning.facts = *facts;
	r = kmln_plan_settings(&planning, settings, err);
	if (r < 0)
		return r;
	/* what was planned points into facts that are about to go */
	kmln_edits_copy(edits, &both);
	return look(&f, edits, facts, err);
}
