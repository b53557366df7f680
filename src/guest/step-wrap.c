// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A bare filesystem becomes a partition of a disk: room in front of it for the partition table and
 * what starts the machine, and behind it for the backup of a GPT.
 */
#include "guest/steps.h"

#include "guest/disk-layout.h"
#include "guest/partitioning.h"
#include "guest/vouch.h"

static int plan(struct kmln_planning *planning, struct kmln_error *err)
{
	struct kmln_edit edit = {
		.kind = KMLN_EDIT_SHIFT,
		.by = "wrap",
		.why = "room for a partition table and a boot loader",
		.offset = KMLN_FIRST_PARTITION,
	};
	uint64_t bytes;
	int r;

	if (planning->platform->disk && kmln_eq(planning->facts->format, KMLN_FORMAT_FOLDER)) {
		kmln_missing(planning, "a disk image (it is a folder)");
		if (planning->edits)
			return kmln_fail(
				err, KMLN_EINVALID, "a folder cannot be converted, only an image");
	}
	if (!kmln_wants_loader(planning) || planning->facts->table)
		return 0;
	kmln_missing(planning, "a partition table");
	if (!planning->edits)
		return 0;
	if (planning->goal->form == KMLN_BOOT_BIOS)
		return kmln_edits_add(planning->edits, &edit, err);
	edit.offset = KMLN_GPT_ROOT;
	r = kmln_edits_add(planning->edits, &edit, err);
	if (r < 0)
		return r;
	bytes = planning->facts->root->range.size;
	edit.kind = KMLN_EDIT_EXTEND;
	edit.why = "room for the backup of the partition table";
	edit.size = kmln_gpt_disk_size(planning) - KMLN_GPT_ROOT -
		    (planning->goal->size > bytes ? planning->goal->size : bytes);
	edit.offset = 0;
	return kmln_edits_add(planning->edits, &edit, err);
}

static bool could_write(const struct kmln_facts *facts, const struct kmln_record_item *item)
{
	(void)facts;
	if (item->kind == KMLN_RECORD_EXTEND)
		return item->size < 2 * KMLN_MIB;
	return item->kind == KMLN_RECORD_SHIFT &&
	       (item->offset == KMLN_FIRST_PARTITION || item->offset == KMLN_GPT_ROOT);
}

const struct kmln_step kmln_step_wrap = {
	.name = "wrap",
	.summary = "make a bare filesystem a partition of a disk",
	.plan = plan,
	.could_write = could_write,
};
