// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The modules of User-Mode Linux's kernel are not copied into the guest: they are 100 MB, none is
 * needed to start, and a copy is of no use once the host's linux.uml is another. A unit of
 * systemd's mounts the host's own, which are in every machine's view, read only.
 */
#include "guest/steps.h"

#include <string.h>

#include "guest/vouch.h"

#define STEP "uml-modules"
#define UNIT KMLN_UNITS_FOLDER "/" KMLN_MODULES_UNIT
#define WANTS KMLN_UNITS_FOLDER "/sysinit.target.wants"
#define LINK WANTS "/" KMLN_MODULES_UNIT
#define TARGET "../" KMLN_MODULES_UNIT
#define WHY "the modules of User-Mode Linux's kernel, from the host"

static const char text[] =
	"# by kmln convert\n"
	"[Unit]\n"
	"Description=Modules of the User-Mode Linux kernel, from the host\n"
	"ConditionVirtualization=uml\n"
	"DefaultDependencies=no\n"
	"After=systemd-remount-fs.service\n"
	"Before=systemd-modules-load.service sysinit.target\n"
	"Conflicts=shutdown.target\n"
	"Before=shutdown.target\n"
	"\n"
	"[Service]\n"
	"Type=oneshot\n"
	"RemainAfterExit=yes\n"
	"ExecStart=-/bin/sh -c 'v=$$(uname -r) && mkdir -p /lib/modules/$$v && "
	"mount -t hostfs -o ro,/usr/lib/uml/modules/$$v none /lib/modules/$$v'\n";

static int plan(struct kmln_planning *planning, struct kmln_error *err)
{
	const struct kmln_known_file *link;
	struct kmln_edit edit = {
		.kind = KMLN_EDIT_SYMLINK,
		.by = STEP,
		.why = WHY,
		.mode = 0777,
		.mtime = KMLN_MTIME_NOW,
		.data = TARGET,
		.size = strlen(TARGET),
	};
	const char *folder;
	int r;

	if (!planning->platform->host_kernel || !planning->edits ||
		planning->facts->init != KMLN_INIT_SYSTEMD ||
		!kmln_facts_file(planning->facts, KMLN_UNITS_FOLDER)->mode)
		return 0;
	link = kmln_facts_file(planning->facts, LINK);
	r = kmln_want_file(planning, STEP, WHY, UNIT, text, strlen(text), 0644, false, err);
	if (r < 0 || link->link || link->mode)
		return r;
	r = kmln_want_folder(planning, STEP, WANTS, &folder, err);
	edit.path = kmln_pool_printf(
		planning->edits->pool, "%s/" KMLN_MODULES_UNIT, r < 0 ? "" : folder);
	return r < 0 ? r : kmln_edits_add(planning->edits, &edit, err);
}

static bool could_write(const struct kmln_facts *facts, const struct kmln_record_item *item)
{
	const char *name;

	if (!item->path || item->was != KMLN_WAS_ABSENT)
		return false;
	if (item->kind == KMLN_RECORD_MKDIR)
		return item->mode == 0755 && kmln_is_place(facts, WANTS, item->path);
	if (item->kind == KMLN_RECORD_PUT)
		return !item->timed && kmln_is_place(facts, UNIT, item->path);
	/* the link itself: what it leads to is another path */
	name = kmln_below_place(facts, WANTS, item->path);
	return item->kind == KMLN_RECORD_SYMLINK && kmln_eq(name, KMLN_MODULES_UNIT) &&
	       kmln_eq(item->target, TARGET);
}

const struct kmln_step kmln_step_uml_modules = {
	.name = STEP,
	.summary = "give User-Mode Linux the modules of its kernel",
	.plan = plan,
	.could_write = could_write,
};
