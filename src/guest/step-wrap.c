// SPDX-License-Identifier: GPL-2.0-or-later
/* A bare filesystem becomes partition 1 of a disk: 1 MiB in front, for the MBR and GRUB. */
#include "guest/steps.h"

#include "guest/disk-layout.h"
#include "guest/vouch.h"

static int plan(struct kmln_planning *planning, struct kmln_error *err)
{
	const struct kmln_edit edit = {
		.kind = KMLN_EDIT_SHIFT,
		.by = "wrap",
		.why = "room for a partition table and a boot loader",
		.offset = KMLN_FIRST_PARTITION,
	};

	if (!planning->platform->needs_loader || planning->facts->table)
		return 0;
	kmln_missing(planning, "a partition table");
	return planning->edits ? kmln_edits_add(planning->edits, &edit, err) : 0;
}

static bool could_write(const struct kmln_facts *facts, const struct kmln_record_item *item)
{
	(void)facts;
	return item->kind == KMLN_RECORD_SHIFT && item->offset == KMLN_FIRST_PARTITION;
}

const struct kmln_step kmln_step_wrap = {
	.name = "wrap",
	.summary = "make a bare filesystem the first partition of a disk",
	.plan = plan,
	.could_write = could_write,
};
