// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Services that look after hardware, or talk to a hypervisor, do not start in User-Mode Linux: by a
 * drop-in with a condition, so that they go on working everywhere else.
 */
#include "guest/steps.h"

#include <string.h>

#include "guest/vouch.h"

#define STEP "uml-units"
#define TEXT \
	"# by kmln convert: this service has nothing to do in User-Mode Linux\n" \
	"[Unit]\n" \
	"ConditionVirtualization=!uml\n"

static bool is_started(const struct kmln_facts *facts, const char *unit)
{
	bool found = false;

	for (size_t i = 0; i < facts->service_count; i++) {
		if (!kmln_eq(facts->services[i].name, unit))
			continue;
		if (facts->services[i].masked)
			return false;
		found = true;
	}
	return found;
}

static int add_drop_in(struct kmln_planning *planning, const char *unit, struct kmln_error *err)
{
	struct kmln_pool *pool = planning->edits->pool;
	const char *folder = kmln_pool_printf(pool, KMLN_UNITS_FOLDER "/%s.d", unit);
	const char *path = kmln_pool_printf(pool, "%s/" KMLN_UNIT_DROP_IN, folder), *real;
	struct kmln_edit edit = {
		.kind = KMLN_EDIT_PUT,
		.by = STEP,
		.why = "it does not start in User-Mode Linux",
		.mode = 0644,
		.mtime = KMLN_MTIME_NOW,
		.data = TEXT,
		.size = strlen(TEXT),
	};
	int r;

	if (kmln_facts_file(planning->facts, path)->real)
		return kmln_want_file(
			planning, STEP, edit.why, path, TEXT, edit.size, 0644, false, err);
	r = kmln_want_folder(planning, STEP, folder, &real, err);
	edit.path = kmln_pool_printf(pool, "%s/" KMLN_UNIT_DROP_IN, r < 0 ? "" : real);
	return r < 0 ? r : kmln_edits_add(planning->edits, &edit, err);
}

static int plan(struct kmln_planning *planning, struct kmln_error *err)
{
	int r = 0;

	if (!planning->platform->host_kernel || !planning->edits ||
		planning->facts->init != KMLN_INIT_SYSTEMD)
		return 0;
	for (const char *const *unit = kmln_hardware_units; r == 0 && *unit; unit++)
		if (is_started(planning->facts, *unit))
			r = add_drop_in(planning, *unit, err);
	return r;
}

static bool could_write(const struct kmln_facts *facts, const struct kmln_record_item *item)
{
	if (!item->path || item->was == KMLN_WAS_KEPT || item->was == KMLN_WAS_UNKNOWN)
		return false;
	for (const char *const *unit = kmln_hardware_units; *unit; unit++) {
		KMLN_FREE char *folder = kmln_printf(KMLN_UNITS_FOLDER "/%s.d", *unit);
		KMLN_FREE char *path = kmln_printf("%s/" KMLN_UNIT_DROP_IN, folder);

		if (item->kind == KMLN_RECORD_MKDIR && item->mode == 0755 &&
			kmln_is_place(facts, folder, item->path))
			return true;
		if (item->kind == KMLN_RECORD_PUT && !item->timed &&
			kmln_is_place(facts, path, item->path))
			return true;
	}
	return false;
}

const struct kmln_step kmln_step_uml_units = {
	.name = STEP,
	.summary = "keep services for hardware from starting in User-Mode Linux",
	.plan = plan,
	.could_write = could_write,
};
