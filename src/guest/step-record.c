// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The record of all that the other steps change, for `kmln undo`: the last step, so that it sees
 * every edit. Where nothing is changed there is nothing to record, and a converted guest stays
 * without a plan.
 */
#include "guest/steps.h"

#include "guest/record.h"
#include "guest/vouch.h"

#define WHY "what was changed, for kmln undo"

static int plan(struct kmln_planning *planning, struct kmln_error *err)
{
	const struct kmln_facts *facts = planning->facts;
	unsigned last = facts->record_count ? facts->records[0].number : 0;
	KMLN_BUF struct kmln_buf text = {0};
	struct kmln_edit edit = {
		.kind = KMLN_EDIT_PUT,
		.by = "record",
		.why = WHY,
		.mode = 0644,
		.mtime = KMLN_MTIME_NOW,
		.unshown = true,
	};
	const char *folder;
	int r;

	if (!planning->edits || !planning->goal->record || !planning->edits->count)
		return 0;
	if (facts->record_problem)
		return kmln_fail(err, KMLN_EINVALID,
			"in the guest, the record of changes cannot be kept: %s",
			facts->record_problem);
	if (facts->record_count == KMLN_RECORDS_MAX)
		return kmln_fail(err, KMLN_EINVALID,
			"the guest was converted %u times already; take them back first: kmln undo",
			KMLN_RECORDS_MAX);
	r = kmln_want_folder(planning, "record", KMLN_RECORD_FOLDER, &folder, err);
	if (r < 0)
		return r;
	kmln_record_write(&text, planning->edits, planning->platform->name);
	if (text.size > KMLN_RECORD_MAX)
		return kmln_fail(err, KMLN_EINVALID, "the record of changes would be too long");
	edit.path = kmln_pool_printf(planning->edits->pool, "%s/conversion-%u", folder, last + 1);
	edit.data = kmln_pool_memdup(planning->edits->pool, text.data, text.size);
	edit.size = text.size;
	return kmln_edits_add(planning->edits, &edit, err);
}

static bool could_write(const struct kmln_facts *facts, const struct kmln_record_item *item)
{
	return item->kind == KMLN_RECORD_MKDIR && item->mode == 0755 &&
	       (kmln_is_place(facts, "/var", item->path) ||
		       kmln_is_place(facts, "/var/lib", item->path) ||
		       kmln_is_place(facts, KMLN_RECORD_FOLDER, item->path));
}

const struct kmln_step kmln_step_record = {
	.name = "record",
	.summary = "record the changes, so that they can be taken back",
	.plan = plan,
	.could_write = could_write,
};
