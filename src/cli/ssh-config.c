// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln ssh-config: the hosts of a project for ssh's own configuration, and so for scp, git ... */
#include "cli/ssh.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct kmln_ssh_options *o = values;
	KMLN_REACH struct kmln_reach reach = {0};
	KMLN_STRV struct kmln_strv hosts = {0};
	const char *home = getenv("KMLN_HOME"), *own = NULL;
	int r = kmln_reach_open(&reach, o->file, o->project, o->allow_include, err);

	if (r == 0)
		r = kmln_reach_hosts(&reach, argv, (size_t)argc, argc == 0, &hosts, err);
	if (r == 0)
		r = kmln_own_path(reach.pool, &own, err);
	for (size_t i = 0; r == 0 && i < hosts.count; i++) {
		KMLN_STRV struct kmln_strv settings = {0};

		kmln_ssh_settings(&reach.store, hosts.items[i], o->user ? o->user : "root", own,
			home && *home ? home : NULL, &settings);
		printf("%sHost %s\n", i ? "\n" : "",
			kmln_ssh_name(reach.pool, hosts.items[i], reach.store.project));
		for (size_t k = 0; k < settings.count; k++)
			printf("    %s\n", settings.items[k]);
	}
	return r;
}

const struct kmln_command kmln_command_ssh_config = {
	.name = "ssh-config",
	.args = "[HOST...]",
	.summary = "Print the settings by which ssh reaches hosts",
	.opts = kmln_ssh_opts,
	.opts_size = sizeof(struct kmln_ssh_options),
	.max_args = -1,
	.complete_hosts = true,
	.run = run,
};
