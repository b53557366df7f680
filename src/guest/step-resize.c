// SPDX-License-Identifier: GPL-2.0-or-later
/* The root filesystem gets the size that was asked for. */
#include "guest/steps.h"
#include "guest/vouch.h"

static int plan(struct kmln_planning *planning, struct kmln_error *err)
{
	const struct kmln_filesystem *root = planning->facts->root;
	struct kmln_edit edit = {.kind = KMLN_EDIT_RESIZE, .by = "resize", .why = "as asked"};

	if (!planning->edits || !planning->goal->size || root->bytes == planning->goal->size)
		return 0;
	if (root->bytes > planning->goal->size)
		return kmln_fail(err, KMLN_EUSAGE,
			"--size: the filesystem has %llu bytes already, and kmln only makes it bigger",
			(unsigned long long)root->bytes);
	if (planning->facts->table && !planning->platform->wants_bare)
		return kmln_fail(err, KMLN_EUSAGE,
			"--size: the image has a partition table already; kmln resizes the filesystem "
			"of a bare image only");
	edit.size = planning->goal->size;
	edit.replaces_size = root->bytes;
	return kmln_edits_add(planning->edits, &edit, err);
}

static bool could_write(const struct kmln_facts *facts, const struct kmln_record_item *item)
{
	(void)facts;
	return item->kind == KMLN_RECORD_RESIZE && item->size > item->was_size;
}

const struct kmln_step kmln_step_resize = {
	.name = "resize",
	.summary = "make the root filesystem bigger",
	.plan = plan,
	.could_write = could_write,
};
