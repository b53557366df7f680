// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Choosing packages: kmln-guest wherever kmln's GRUB starts a guest with dpkg, and with a kernel
 * out of a kit its own package and all that this depends on, or none of them: the guest's dpkg is
 * never told of something that would not hold.
 */
#include "convert/packages.h"

#include "base/log.h"
#include "guest/dpkg.h"
#include "guest/fetch.h"
#include "guest/package-effects.h"
#include "image/inspect.h"

struct work {
	struct kmln_facts *facts;
	struct kmln_tree *guest;
	struct kmln_pool *pool;
	struct kmln_pkgs offered;
	struct kmln_pkg_choice choice;
	struct kmln_strv *paths;
};

/* Adds the package and what it needs, where nothing in the guest stands against any of them. */
static const char *choose(struct work *work, const struct kmln_pkg *pkg)
{
	size_t before = work->choice.count;
	const char *problem =
		kmln_dpkg_choose(work->facts, &work->offered, pkg, work->pool, &work->choice);

	for (size_t i = before; !problem && i < work->choice.count; i++)
		kmln_pkg_paths(work->choice.items[i], work->paths);
	if (!problem)
		kmln_inspect_paths(work->guest, work->facts, work->paths);
	for (size_t i = before; !problem && i < work->choice.count; i++)
		problem = kmln_pkg_obstacle(work->facts, work->choice.items[i], work->pool);
	if (problem)
		work->choice.count = before;
	return problem;
}

static const struct kmln_pkg *find_kernel(const struct kmln_pkgs *pkgs, const char *release)
{
	for (size_t i = 0; i < pkgs->count; i++)
		if (kmln_eq(pkgs->items[i].release, release))
			return &pkgs->items[i];
	return NULL;
}

/* With those that were fetched for such guests before, then with those that apt fetches now. */
static const char *fetch_and_choose(struct work *work, const char *release, const char *problem)
{
	const char *folder;
	struct kmln_error err;

	for (int now = 0; now < 2 && problem && work->choice.lacking_count; now++) {
		const char **names = NULL;
		size_t count = 0;

		if (now) {
			for (size_t i = 0; i < work->choice.lacking_count; i++)
				*(const char **)kmln_pool_append(work->pool, &names, &count,
					sizeof(*names)) = work->choice.lacking[i];
			kmln_pool_append(work->pool, &names, &count, sizeof(*names));
			kmln_note(
				"fetching what the guest lacks for this kernel: %s ...", names[0]);
		}
		if (kmln_fetch_packages(
			    work->guest, work->facts, names, work->pool, &folder, &err) < 0)
			return kmln_pool_printf(
				work->pool, "%s, and it cannot be fetched (%s)", problem, err.text);
		work->choice.lacking_count = 0;
		kmln_pkgs_add_folder(&work->offered, folder, work->pool);
		problem = choose(work, find_kernel(&work->offered, release));
	}
	return problem;
}

/* A package of no files of its own that keeps the kernel up to date, where one is at hand. */
static void choose_meta(struct work *work, const struct kmln_pkg *kernel)
{
	for (size_t i = 0; i < work->offered.count; i++) {
		const struct kmln_pkg *pkg = &work->offered.items[i];

		if (kmln_starts(pkg->name, "linux-image-") && !pkg->release &&
			!kmln_choice_has(&work->choice, pkg->name) &&
			kmln_relation_names(kmln_control_field(work->pool, pkg->control, "Depends"),
				kernel->name))
			choose(work, pkg);
	}
}

static int choose_kernel(struct work *work, const struct kmln_choice *choice,
	struct kmln_goal *goal, struct kmln_error *err)
{
	const char *release = goal->kernel->release, *problem;
	int r = kmln_pkgs_add_kit(&work->offered, &choice->kit, work->pool, err);

	if (r < 0)
		return r;
	if (!find_kernel(&work->offered, release)) {
		goal->unregistered = "it does not come out of a Debian package";
		return 0;
	}
	problem = choose(work, find_kernel(&work->offered, release));
	if (problem)
		problem = fetch_and_choose(work, release, problem);
	if (!problem)
		choose_meta(work, find_kernel(&work->offered, release));
	goal->unregistered = problem;
	return 0;
}

int kmln_packages_prepare(struct kmln_facts *facts, struct kmln_tree *guest,
	const struct kmln_choice *choice, const struct kmln_platform *platform,
	struct kmln_pool *pool, struct kmln_goal *goal, struct kmln_strv *paths,
	struct kmln_error *err)
{
	struct work work = {.facts = facts, .guest = guest, .pool = pool, .paths = paths};
	const struct kmln_planning planning = {.facts = facts, .platform = platform, .goal = goal};
	const struct kmln_package *there = kmln_facts_package(facts, KMLN_GUEST_PACKAGE);
	const char *problem = NULL;
	int r = 0;

	if (!kmln_eq(facts->package_manager, "dpkg") || kmln_keeps_loader(&planning))
		return 0;
	/* a kernel that comes from beside the guest's disk would not change with its package */
	if (!kmln_wants_loader(&planning)) {
		goal->unregistered =
			"the machine starts a kernel that is not on the guest's own disk";
		return 0;
	}
	if (facts->packages_cut) {
		goal->unregistered = "the guest has more packages than kmln looks at";
		return 0;
	}
	kmln_pkgs_add_own(&work.offered, pool);
	if (!there || !kmln_package_is_installed(there))
		problem = choose(&work, kmln_pkgs_find(&work.offered, KMLN_GUEST_PACKAGE));
	if (problem)
		goal->unregistered = problem;
	else if (goal->from_kit)
		r = choose_kernel(&work, choice, goal, err);
	goal->packages = work.choice.items;
	goal->package_count = work.choice.count;
	return r;
}
