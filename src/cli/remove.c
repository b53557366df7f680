// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln remove: a project's own folders go, with all its disks. */
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/build.h"
#include "cli/commands.h"
#include "cli/confirm.h"
#include "cluster/control.h"

struct options {
	const char *project;
	bool yes;
};

static const struct kmln_opt opts[] = {
	{"project", 'p', KMLN_OPT_TEXT, "PROJECT", "which one", offsetof(struct options, project),
		NULL},
	{"yes", 'y', KMLN_OPT_FLAG, NULL, "do not ask", offsetof(struct options, yes), NULL},
	KMLN_OPT_END,
};

static int check_stopped(const struct kmln_store *store, struct kmln_error *err)
{
	KMLN_STRV struct kmln_strv nodes = {0};
	int r = kmln_store_nodes(store, &nodes, err);

	for (size_t i = 0; r == 0 && i < nodes.count; i++)
		if (kmln_node_keeper(kmln_store_node_folder(store, nodes.items[i])))
			r = kmln_fail(err, EBUSY,
				"%s runs: `kmln down -p %s` stops everything of the project first",
				nodes.items[i], store->project);
	return r;
}

/*
 * The folder gets another name first, so that what is left by a killed process is no project any
 * more. The next one of this project takes that away as well.
 */
static int remove_all(const struct kmln_store *store, struct kmln_error *err)
{
	const char *old = kmln_folder(store->pool, KMLN_FOLDER_DATA,
		kmln_pool_printf(store->pool, "projects/.%s.removed", store->project));
	int r = kmln_taps_clear(store, err);

	if (r == 0)
		r = kmln_remove_folder(old, err);
	if (r == 0)
		r = kmln_remove_folder(store->runtime, err);
	if (r == 0 && rename(store->folder, old) < 0)
		r = kmln_fail_sys(err, errno, "%s", store->folder);
	return r < 0 ? r : kmln_remove_folder(old, err);
}

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct options *o = values;
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_FREE char *question = NULL;
	struct kmln_store store;
	KMLN_FD int lock = -1;
	int r;

	(void)argc;
	(void)argv;
	if (!o->project)
		return kmln_fail(err, KMLN_EUSAGE, "which project? -p PROJECT says it");
	r = kmln_store_init(&store, pool, o->project, err);
	if (r == 0 && !kmln_store_exists(&store))
		r = kmln_fail(err, KMLN_EUSAGE,
			"no project %s was built here; `kmln list` shows those that were",
			o->project);
	if (r == 0)
		r = kmln_store_lock(&store, KMLN_LOCK_SECONDS, &lock, err);
	if (r == 0)
		r = check_stopped(&store, err);
	question = kmln_printf(
		"%s with all its disks will be deleted. Go on?", r == 0 ? store.folder : "");
	if (r == 0 && !o->yes)
		r = kmln_confirm(question, err);
	return r < 0 ? r : remove_all(&store, err);
}

const struct kmln_command kmln_command_remove = {
	.name = "remove",
	.args = "",
	.summary = "Delete a project that was built here, with its disks",
	.details = "Its file is not touched, nor are images and what other projects use.",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.run = run,
};
