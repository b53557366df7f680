// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln _hosts: the names of a project's hosts, one a line, for the completion of the shell. */
#include "cli/commands.h"

#include <stddef.h>
#include <stdio.h>

#include "cli/project.h"
#include "cli/reach.h"

struct options {
	const char *file, *project;
	bool allow_include;
};

static const struct kmln_opt opts[] = {
	KMLN_OPT_CLUSTER(struct options),
	KMLN_OPT_END,
};

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct options *o = values;
	KMLN_REACH struct kmln_reach reach = {0};
	KMLN_STRV struct kmln_strv hosts = {0};
	int r = kmln_reach_open(&reach, o->file, o->project, o->allow_include, err);

	(void)argc;
	(void)argv;
	if (r == 0)
		r = kmln_store_hosts(&reach.store, &hosts, err);
	for (size_t i = 0; i < hosts.count; i++)
		printf("%s\n", hosts.items[i]);
	return r;
}

const struct kmln_command kmln_command_hosts = {
	.name = "_hosts",
	.args = "",
	.summary = "Print the names of a project's hosts",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.hidden = true,
	.run = run,
};
