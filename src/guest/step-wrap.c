// SPDX-License-Identifier: GPL-2.0-or-later
/* A bare filesystem becomes partition 1 of a disk: 1 MiB in front, for the MBR and GRUB. */
#include "guest/steps.h"

#include "guest/disk-layout.h"

static int plan(struct kmln_planning *planning, struct kmln_error *err)
{
	const struct kmln_edit edit = {
		.kind = KMLN_EDIT_SHIFT,
		.by = "wrap",
		.why = "room for a partition table and a boot loader",
		.offset = KMLN_FIRST_PARTITION,
	};

	if (planning->platform->disk && kmln_eq(planning->facts->format, KMLN_FORMAT_FOLDER)) {
		kmln_missing(planning, "a disk image (it is a folder)");
		if (planning->edits)
			return kmln_fail(
				err, KMLN_EINVALID, "a folder cannot be converted, only an image");
	}
	if (!planning->platform->needs_loader || planning->facts->table)
		return 0;
	kmln_missing(planning, "a partition table");
	return planning->edits ? kmln_edits_add(planning->edits, &edit, err) : 0;
}

const struct kmln_step kmln_step_wrap = {
	.name = "wrap",
	.summary = "make a bare filesystem the first partition of a disk",
	.plan = plan,
};
