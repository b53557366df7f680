// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln build: makes a project's folder, or makes it what its file says now. */
#include "cli/build.h"

#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/project.h"
#include "cli/confirm.h"

/* So many new hosts are no longer named. */
#define MANY 12

struct options {
	const char *file, *project, *platform;
	bool allow_include, dry_run, replatform, replace, yes, unconfined;
};

static const char *const platform_names[] = {"auto", "kvm", "uml", "qemu", NULL};

static const struct kmln_opt opts[] = {
	KMLN_OPT_CLUSTER(struct options),
	{"platform", 0, KMLN_OPT_CHOICE, "PLATFORM",
		"for hosts that leave it open: kvm, uml, qemu, or auto (default)",
		offsetof(struct options, platform), platform_names},
	{"dry-run", 'n', KMLN_OPT_FLAG, NULL, "show what would change, and change nothing",
		offsetof(struct options, dry_run), NULL},
	{"replatform", 0, KMLN_OPT_FLAG, NULL, "decide anew on which platforms hosts run",
		offsetof(struct options, replatform), NULL},
	{"replace", 0, KMLN_OPT_FLAG, NULL,
		"make disks anew whose image is another or has changed; what is on them is lost",
		offsetof(struct options, replace), NULL},
	{"yes", 'y', KMLN_OPT_FLAG, NULL, "do not ask before disks are lost",
		offsetof(struct options, yes), NULL},
	{"unconfined", 0, KMLN_OPT_FLAG, NULL,
		"for a host that cannot confine machines; see kmln-boot(1)",
		offsetof(struct options, unconfined), NULL},
	KMLN_OPT_END,
};

void kmln_building_fini(struct kmln_building *building)
{
	kmln_build_plan_fini(&building->plan);
	kmln_cluster_fini(&building->cluster);
}

static int look(struct kmln_building *b, struct kmln_error *err)
{
	const struct kmln_cluster_wish wish = {
		.platform = kmln_eq(b->platform, "auto") ? NULL : b->platform,
		.folder = b->loaded->folder,
		.unconfined = b->unconfined,
		.store = &b->loaded->store,
		.replatform = b->replatform,
		.replace = b->replace,
		.moves = b->moves,
		.move_count = b->move_count,
	};
	struct kmln_loaded *loaded = b->loaded;

	kmln_cluster_fini(&b->cluster);
	kmln_shared_init(&b->shared, loaded->model, loaded->folder, loaded->pool);
	return kmln_cluster_look(&b->cluster, loaded->model, &wish, &b->shared, loaded->pool, err);
}

int kmln_building_look(struct kmln_building *building, bool prepare, struct kmln_error *err)
{
	bool made = false;
	int r = look(building, err);

	if (r == 0 && prepare)
		r = kmln_build_prepare(&building->cluster, &made, err);
	if (r == 0 && made)
		r = look(building, err);
	if (r < 0)
		return r;
	kmln_build_plan_fini(&building->plan);
	return kmln_build_compare(&building->cluster, &building->loaded->store, &building->shared,
		&building->plan, err);
}

void kmln_building_show(const struct kmln_building *building, FILE *to)
{
	const struct kmln_build_plan *plan = &building->plan;
	size_t new = 0;

	for (size_t i = 0; i < plan->host_count; i++)
		new += plan->hosts[i].change == KMLN_CHANGE_NEW;
	if (new > MANY)
		fprintf(to, "%-9s %zu hosts\n", kmln_change_name(KMLN_CHANGE_NEW), new);
	for (size_t i = 0; i < plan->host_count; i++)
		if (plan->hosts[i].change != KMLN_CHANGE_NEW || new <= MANY)
			fprintf(to, "%-9s host %s: %s\n", kmln_change_name(plan->hosts[i].change),
				plan->hosts[i].host, plan->hosts[i].why);
	for (size_t i = 0; i < plan->nodes.count; i++)
		fprintf(to, "%-9s %s\n", "start", plan->nodes.items[i]);
}

/* What the user may want to know, and no plan changes. */
static void tell_outdated(const struct kmln_building *building)
{
	for (size_t i = 0; i < building->cluster.model->host_count; i++)
		if (building->cluster.hosts[i].outdated)
			kmln_note(
				"host %s: its image %s has changed since; --replace makes its disk "
				"anew",
				building->cluster.hosts[i].host->name.text,
				building->cluster.hosts[i].base->path);
}

static bool loses_disks(const struct kmln_build_plan *plan)
{
	for (size_t i = 0; i < plan->host_count; i++)
		if (plan->hosts[i].change == KMLN_CHANGE_IMAGE)
			return true;
	return false;
}

static void progress(void *data, size_t done, size_t count, const char *host)
{
	(void)data;
	(void)host;
	kmln_progress("hosts", done, done == count ? 0 : count);
}

int kmln_building_carry_out(struct kmln_building *building, struct kmln_error *err)
{
	const struct kmln_build_job job = {
		.cluster = &building->cluster,
		.store = &building->loaded->store,
		.shared = &building->shared,
		.plan = &building->plan,
		.folder = building->loaded->folder,
		.replace = building->replace,
		.progress = progress,
	};

	tell_outdated(building);
	return kmln_build_plan_empty(&building->plan) ? 0 : kmln_build(&job, err);
}

static int build(const struct options *o, struct kmln_building *b, struct kmln_error *err)
{
	int r = kmln_building_look(b, true, err);

	if (r < 0)
		return r;
	if (kmln_verbosity >= 0)
		kmln_building_show(b, stderr);
	if (loses_disks(&b->plan) && b->replace && !o->yes) {
		r = kmln_confirm("What these hosts have on their disks will be lost. Go on?", err);
		if (r < 0)
			return r;
	}
	r = kmln_building_carry_out(b, err);
	if (r == 0)
		kmln_note("%s: %s", b->loaded->store.project, b->loaded->store.folder);
	return r;
}

static int show(struct kmln_building *b, struct kmln_error *err)
{
	int r = kmln_building_look(b, false, err);

	if (r == 0)
		kmln_building_show(b, stdout);
	return r;
}

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct options *o = values;
	KMLN_LOADED struct kmln_loaded loaded = {0};
	KMLN_BUILDING struct kmln_building building = {
		.loaded = &loaded,
		.platform = o->platform,
		.unconfined = o->unconfined,
		.replatform = o->replatform,
		.replace = o->replace,
	};
	int lock = -1, r = kmln_project_choose(&loaded, o->file, o->project, argc ? argv[0] : NULL,
			       o->allow_include, err);

	if (r < 0)
		return r;
	if (o->dry_run)
		return show(&building, err);
	r = kmln_store_lock(&loaded.store, KMLN_LOCK_SECONDS, &lock, err);
	if (r == 0)
		r = build(o, &building, err);
	kmln_store_unlock(&loaded.store, &lock);
	return r;
}

const struct kmln_command kmln_command_build = {
	.name = "build",
	.args = "[FILE]",
	.summary = "Make the disks and start scripts of a project",
	.details =
		"What is there already stays, and is changed where the file says so; the machines\n"
		"must not run then. `kmln up` does it all, and starts them.",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.max_args = 1,
	.complete_files = true,
	.run = run,
};
