// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Our own initramfs for the kernel to be booted. A distribution's, where there is one under the
 * usual name, is left alone, and ours gets a name beside it.
 */
#include "guest/steps.h"

#include <string.h>

#include "guest/boot-files.h"
#include "guest/packages.h"
#include "guest/vouch.h"

/* kmln-guest leaves it to the distribution's own program, and that has made one. */
static bool keeps_distributions(
	const struct kmln_planning *planning, const struct kmln_kernel *kernel)
{
	const struct kmln_package *guest = kmln_facts_package(planning->facts, KMLN_GUEST_PACKAGE);

	return planning->facts->has_initramfs_tool && guest && kmln_package_is_installed(guest) &&
	       kernel->initramfs && !kernel->initramfs_ours;
}

bool kmln_wants_initramfs(const struct kmln_planning *planning)
{
	const struct kmln_goal *goal = planning->goal;

	return goal->initramfs && (goal->from_kit || !keeps_distributions(planning, goal->kernel));
}

static int plan(struct kmln_planning *planning, struct kmln_error *err)
{
	const struct kmln_facts *facts = planning->facts;
	const struct kmln_kernel *own = kmln_guest_kernel(facts, planning->platform);
	const struct kmln_goal *goal = planning->goal;
	struct kmln_edit edit = {
		.kind = KMLN_EDIT_PUT,
		.by = "initramfs",
		.why = "finds the root filesystem with this platform's drivers",
		.mode = 0644,
		.mtime = KMLN_MTIME_NOW,
	};
	const char *boot;
	int r;

	if (!planning->platform->needs_kernel)
		return 0;
	/* a loader of the guest's own starts its kernel with what that needs */
	if (own && kmln_keeps_loader(planning))
		return 0;
	if (!own || !(own->initramfs_ours || keeps_distributions(planning, own)))
		kmln_missing(planning, "an initramfs with this platform's drivers");
	if (!planning->edits || !kmln_wants_initramfs(planning))
		return 0;
	r = kmln_want_folder(planning, "initramfs", "/boot", &boot, err);
	if (r < 0)
		return r;
	edit.path = kmln_pool_printf(planning->edits->pool, "%s/%s", boot,
		kmln_initramfs_name(planning->edits->pool, facts, goal->kernel->release));
	edit.data = goal->initramfs;
	edit.size = goal->initramfs_size;
	for (size_t i = 0; i < facts->kernel_count; i++) {
		const struct kmln_kernel *k = &facts->kernels[i];

		if (!kmln_eq(k->initramfs, edit.path))
			continue;
		if (kmln_eq(k->initramfs_sum, goal->initramfs_sum))
			return 0;
		edit.replaces = "";
		edit.replaces_size = k->initramfs_size;
	}
	return kmln_edits_add(planning->edits, &edit, err);
}

static bool could_write(const struct kmln_facts *facts, const struct kmln_record_item *item)
{
	static const char *const names[] = {"initrd.img-", "kmln-initrd.img-"};
	const char *name;

	if (item->kind == KMLN_RECORD_MKDIR)
		return item->mode == 0755 && kmln_is_place(facts, "/boot", item->path);
	name = item->kind == KMLN_RECORD_PUT ? kmln_below_place(facts, "/boot", item->path) : NULL;
	if (!name || item->timed || item->was == KMLN_WAS_KEPT)
		return false;
	for (size_t i = 0; i < KMLN_COUNT(names); i++)
		if (kmln_starts(name, names[i]))
			return kmln_release_valid(name + strlen(names[i]));
	return false;
}

const struct kmln_step kmln_step_initramfs = {
	.name = "initramfs",
	.summary = "put in an initramfs with the drivers of all platforms",
	.plan = plan,
	.could_write = could_write,
};
