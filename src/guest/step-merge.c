// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Filesystems of the disk that the guest mounts below its root become folders of the root, which
 * stands alone afterwards. Only a copy is changed so, and its disk stays: no record is needed.
 */
#include "guest/steps.h"

static int plan(struct kmln_planning *planning, struct kmln_error *err)
{
	struct kmln_edit edit = {
		.kind = KMLN_EDIT_MERGE,
		.by = "merge",
		.why = "the root filesystem stands alone",
	};
	int r = 0;

	if (!planning->edits || !planning->facts->table)
		return 0;
	for (size_t i = 0; r == 0 && i < planning->goal->merged_count; i++) {
		const struct kmln_filesystem *fs = planning->goal->merged[i];

		edit.path = fs->mount;
		edit.offset = fs->range.offset;
		edit.size = fs->bytes - fs->free_bytes;
		edit.data = kmln_pool_printf(
			planning->edits->pool, "partition %u (%s)", fs->partition, fs->type);
		r = kmln_edits_add(planning->edits, &edit, err);
	}
	return r;
}

const struct kmln_step kmln_step_merge = {
	.name = "merge",
	.summary = "put filesystems of the same disk into the root",
	.plan = plan,
};
