// SPDX-License-Identifier: GPL-2.0-or-later
/* The root filesystem gets the size that was asked for. */
#include "guest/steps.h"

#include "guest/disk-layout.h"

#define MIB (1u << 20)

/*
 * resize2fs cuts a file off behind the length it is asked for, and does not count what lies in
 * front of the filesystem: so a filesystem that is wrapped as well must grow by that much, or its
 * end would be lost.
 */
uint64_t kmln_new_size(const struct kmln_planning *planning)
{
	const struct kmln_filesystem *root = planning->facts->root;
	uint64_t size = planning->goal->size, least = root->range.size + KMLN_FIRST_PARTITION;

	if (!size || root->bytes >= size)
		return 0;
	size = size > least ? size : least;
	return (size + MIB - 1) / MIB * MIB;
}

static int plan(struct kmln_planning *planning, struct kmln_error *err)
{
	struct kmln_edit edit = {.kind = KMLN_EDIT_RESIZE, .by = "resize", .why = "as asked"};

	if (!planning->edits)
		return 0;
	edit.size = kmln_new_size(planning);
	if (!edit.size)
		return 0;
	if (planning->facts->table)
		return kmln_fail(err, KMLN_EUSAGE,
			"--size: the image has a partition table already; kmln resizes the filesystem "
			"of a bare image only");
	return kmln_edits_add(planning->edits, &edit, err);
}

const struct kmln_step kmln_step_resize = {
	.name = "resize",
	.summary = "make the root filesystem bigger",
	.plan = plan,
};
