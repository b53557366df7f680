// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln list: the projects that were built here. */
#include <stddef.h>
#include <stdio.h>

#include "cli/commands.h"
#include "cluster/control.h"
#include "cluster/store.h"
#include "text/json.h"

struct options {
	const char *format;
};

static const struct kmln_opt opts[] = {
	KMLN_OPT_FORMAT(struct options),
	KMLN_OPT_END,
};

struct counts {
	size_t hosts, built, running; /* running: of the hosts */
};

static int count(const struct kmln_store *store, struct counts *counts, struct kmln_error *err)
{
	KMLN_STRV struct kmln_strv hosts = {0};
	int r = kmln_store_hosts(store, &hosts, err);

	*counts = (struct counts){.hosts = hosts.count};
	for (size_t i = 0; r == 0 && i < hosts.count; i++) {
		const char *node = kmln_store_node(store, KMLN_ROLE_HOST, hosts.items[i]);
		struct kmln_built built;

		r = kmln_built_read(store, hosts.items[i], &built, err);
		if (r < 0)
			return r;
		counts->built += r > 0;
		counts->running += kmln_node_keeper(kmln_store_node_folder(store, node)) != 0;
		r = 0;
	}
	return r;
}

static void show(const struct kmln_store *store, const struct kmln_origin *origin,
	const struct counts *counts, struct kmln_json *list)
{
	struct kmln_json *entry;

	if (!list) {
		printf("%-20s %4zu of %zu hosts run", store->project, counts->running,
			counts->hosts);
		if (counts->built < counts->hosts)
			printf(", %zu not built to the end", counts->hosts - counts->built);
		printf("  %s\n", origin->folder);
		return;
	}
	entry = kmln_json_add(list, kmln_json_object());
	kmln_json_set(entry, "project", kmln_json_text(store->project));
	kmln_json_set(entry, "hosts", kmln_json_number(counts->hosts));
	kmln_json_set(entry, "built", kmln_json_number(counts->built));
	kmln_json_set(entry, "running", kmln_json_number(counts->running));
	kmln_json_set(entry, "from", kmln_json_text(origin->folder));
	kmln_json_set(entry, "folder", kmln_json_text(store->folder));
}

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct options *o = values;
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_STRV struct kmln_strv names = {0};
	KMLN_JSON struct kmln_json *root = NULL;
	struct kmln_json *list = NULL;
	int r = kmln_store_list(pool, &names, err);

	(void)argc;
	(void)argv;
	if (kmln_eq(o->format, "json")) {
		root = kmln_json_object();
		list = kmln_json_set(root, "projects", kmln_json_array());
	}
	for (size_t i = 0; r >= 0 && i < names.count; i++) {
		struct kmln_store store;
		struct kmln_origin origin;
		struct counts counts;

		r = kmln_store_init(&store, pool, names.items[i], err);
		if (r == 0)
			r = kmln_origin_read(&store, &origin, err);
		/* removed in this very moment */
		if (r == 0)
			continue;
		if (r > 0)
			r = count(&store, &counts, err);
		if (r == 0)
			show(&store, &origin, &counts, list);
	}
	if (r < 0 || !root)
		return r < 0 ? r : 0;
	r = kmln_json_print_free(root, stdout, err);
	root = NULL;
	return r;
}

const struct kmln_command kmln_command_list = {
	.name = "list",
	.args = "",
	.summary = "List the projects that were built here",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.run = run,
};
