// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kmln plan: what building a project from nothing, and starting it, would do. Each host is planned,
 * shown and forgotten, so that a large project needs no more memory than a small one.
 */
#include "cli/commands.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/project.h"
#include "cli/show-plan.h"
#include "cluster/plan.h"
#include "text/json.h"

struct options {
	const char *file, *format, *platform;
	bool allow_include, unconfined;
};

/* A change that was shown already is not shown again: every host is given the same /etc/hosts. */
struct shown {
	const char *path, *host;
	const char *memo; /* the shared bytes that it was; NULL: a plan's own, which are gone */
	char *data; /* owned */
	uint64_t size;
};

struct show {
	const struct options *options;
	struct kmln_cluster cluster;
	struct kmln_shared shared;
	struct kmln_json *list; /* of actions; NULL: as text */
	struct kmln_buf text; /* of what is shown at once; kept for the next */
	struct shown *shown; /* the last one of each path; in the cluster's pool */
	size_t shown_count;
};

static const char *const platform_names[] = {"auto", "kvm", "uml", "qemu", NULL};

static const struct kmln_opt opts[] = {
	KMLN_OPT_PROJECT(struct options),
	{"platform", 0, KMLN_OPT_CHOICE, "PLATFORM",
		"for hosts that leave it open: kvm, uml, qemu, or auto (default)",
		offsetof(struct options, platform), platform_names},
	{"unconfined", 0, KMLN_OPT_FLAG, NULL,
		"as on a host that cannot confine machines; see kmln-boot(1)",
		offsetof(struct options, unconfined), NULL},
	KMLN_OPT_FORMAT(struct options),
	KMLN_OPT_END,
};

static void show_fini(struct show *show)
{
	for (size_t i = 0; i < show->shown_count; i++)
		free(show->shown[i].data);
	kmln_buf_fini(&show->text);
	kmln_cluster_fini(&show->cluster);
}

static struct shown *shown_at(struct show *show, const char *path)
{
	struct shown *shown;

	for (size_t i = 0; i < show->shown_count; i++)
		if (kmln_eq(show->shown[i].path, path))
			return &show->shown[i];
	shown = kmln_pool_append(
		show->cluster.pool, &show->shown, &show->shown_count, sizeof(*shown));
	shown->path = kmln_pool_strdup(show->cluster.pool, path);
	return shown;
}

/* Longer than half a screen, or it is shorter to show it. */
#define WORTH_IT 600

static void shorten(struct show *show, const char *host, struct kmln_edits *edits)
{
	for (size_t i = 0; i < edits->count; i++) {
		struct kmln_edit *e = &edits->items[i];
		struct shown *shown;

		if (e->kind != KMLN_EDIT_PUT || !e->data || e->size < WORTH_IT)
			continue;
		shown = shown_at(show, e->path);
		if (shown->size == e->size && ((shown->memo && shown->memo == e->data) ||
						      memcmp(shown->data, e->data, e->size) == 0)) {
			e->shown_by = shown->host;
			continue;
		}
		free(shown->data);
		shown->memo = e->data == show->shared.memo.after ? e->data : NULL;
		shown->data = kmln_malloc(e->size);
		memcpy(shown->data, e->data, e->size);
		shown->size = e->size;
		shown->host = host;
	}
}

static int put(struct show *show, const struct kmln_actions *actions, struct kmln_error *err)
{
	if (show->list) {
		kmln_actions_json(actions, show->list);
		return 0;
	}
	show->text.size = 0;
	kmln_actions_print(actions, &show->text);
	if (show->text.size &&
		fwrite(show->text.data, 1, show->text.size, stdout) != show->text.size)
		return kmln_fail_sys(err, errno, "standard output");
	return 0;
}

static struct kmln_actions actions_in(struct kmln_pool *pool)
{
	return (struct kmln_actions){.pool = pool, .by = "plan"};
}

static int put_base(struct show *show, const struct kmln_base *base, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_actions actions = actions_in(pool);

	kmln_plan_base(base, &actions);
	return put(show, &actions, err);
}

static int put_build(struct show *show, const struct kmln_placed *placed, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_EDITS struct kmln_edits edits = {0};
	struct kmln_actions actions = actions_in(pool);
	int r;

	kmln_edits_init(&edits, pool);
	r = kmln_plan_build(&show->cluster, placed, &show->shared, &edits, &actions, err);
	if (r < 0)
		return r;
	shorten(show, placed->host->name.text, &edits);
	return put(show, &actions, err);
}

static int put_networks(struct show *show, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_actions actions = actions_in(pool);
	int r = kmln_plan_networks(&show->cluster, &actions, err);

	return r < 0 ? r : put(show, &actions, err);
}

static int put_start(struct show *show, const struct kmln_placed *placed, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_actions actions = actions_in(pool);
	int r = kmln_plan_start(&show->cluster, placed, &actions, err);

	return r < 0 ? r : put(show, &actions, err);
}

static int put_hook(struct show *show, enum kmln_hook hook, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_actions actions = actions_in(pool);

	kmln_plan_hook(&show->cluster, hook, &actions);
	return put(show, &actions, err);
}

/* Hosts of one level start together, and those of the next when all of them are ready. */
static int put_hosts(struct show *show, struct kmln_error *err)
{
	const size_t count = show->cluster.model->host_count;
	int r = 0;

	for (unsigned level = 0, left = (unsigned)count; r == 0 && left; level++)
		for (size_t i = 0; r == 0 && i < count; i++) {
			if (show->cluster.hosts[i].host->level != level)
				continue;
			r = put_start(show, &show->cluster.hosts[i], err);
			left--;
		}
	return r;
}

static int put_all(struct show *show, struct kmln_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < show->cluster.base_count; i++)
		r = put_base(show, show->cluster.bases[i], err);
	for (size_t i = 0; r == 0 && i < show->cluster.model->host_count; i++)
		r = put_build(show, &show->cluster.hosts[i], err);
	if (r == 0)
		r = put_hook(show, KMLN_HOOK_BEFORE_PROJECT_START, err);
	if (r == 0)
		r = put_networks(show, err);
	if (r == 0)
		r = put_hook(show, KMLN_HOOK_BEFORE_HOSTS_START, err);
	if (r == 0)
		r = put_hosts(show, err);
	if (r == 0)
		r = put_hook(show, KMLN_HOOK_AFTER_HOSTS_START, err);
	return r < 0 ? r : put_hook(show, KMLN_HOOK_AFTER_PROJECT_START, err);
}

static int show_plan(
	const struct options *options, struct kmln_loaded *loaded, struct kmln_error *err)
{
	KMLN_CLEANUP(show_fini) struct show show = {.options = options};
	const struct kmln_cluster_wish wish = {
		.platform = kmln_eq(options->platform, "auto") ? NULL : options->platform,
		.folder = loaded->folder,
		.unconfined = options->unconfined,
	};
	KMLN_JSON struct kmln_json *root = NULL;
	int r;

	kmln_shared_init(&show.shared, loaded->model, loaded->folder, loaded->pool);
	r = kmln_cluster_look(&show.cluster, loaded->model, &wish, &show.shared, loaded->pool, err);
	if (r < 0)
		return r;
	if (!kmln_eq(options->format, "json"))
		return put_all(&show, err);
	root = kmln_json_object();
	kmln_json_set(root, "project", kmln_json_text(loaded->model->project));
	show.list = kmln_json_set(root, "actions", kmln_json_array());
	r = put_all(&show, err);
	if (r < 0)
		return r;
	r = kmln_json_print_free(root, stdout, err);
	root = NULL;
	return r;
}

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct options *o = values;
	KMLN_LOADED struct kmln_loaded loaded = {0};
	int r = kmln_project_load_valid(
		&loaded, o->file, argc ? argv[0] : NULL, o->allow_include, true, err);

	return r < 0 ? r : show_plan(o, &loaded, err);
}

const struct kmln_command kmln_command_plan = {
	.name = "plan",
	.args = "[FILE]",
	.summary = "Show what building and starting a project would do",
	.details =
		"Disks, the settings of each guest as diffs, every process with its whole command\n"
		"line, in order. Nothing is made or started.",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.max_args = 1,
	.complete_files = true,
	.run = run,
};
