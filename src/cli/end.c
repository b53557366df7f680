// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln _end: ends one node that is no host. For the scripts that stop switches, uplinks and wires.
 */
#include "cli/commands.h"
#include "cluster/control.h"
#include "cluster/store.h"

#include <stddef.h>
#include <string.h>

#define LIMIT_MS 10000

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_JSON struct kmln_json *answer = NULL;
	struct kmln_json *request;
	struct kmln_store store;
	const char *folder;
	int r = kmln_store_init(&store, pool, argv[0], err);

	(void)values;
	(void)argc;
	if (r < 0)
		return r;
	if (strchr(argv[1], '/') || argv[1][0] == '.')
		return kmln_fail(err, KMLN_EUSAGE, "'%s' is not the name of a node", argv[1]);
	folder = kmln_store_node_folder(&store, argv[1]);
	if (!kmln_node_keeper(folder))
		return kmln_taps_clear(&store, err);
	request = kmln_json_object();
	kmln_json_set(request, "do", kmln_json_text("end"));
	kmln_json_set(request, "how", kmln_json_text("cut"));
	r = kmln_control_call(folder, request, LIMIT_MS, &answer, err);
	/* one that does not answer, or ended by itself meanwhile */
	r = r < 0 && kmln_node_keeper(folder) ? kmln_node_kill(folder, err) : 0;
	return r < 0 ? r : kmln_taps_clear(&store, err);
}

const struct kmln_command kmln_command_end = {
	.name = "_end",
	.args = "PROJECT NODE",
	.summary = "End a node that is no host",
	.opts = (const struct kmln_opt[]){KMLN_OPT_END},
	.min_args = 2,
	.max_args = 2,
	.hidden = true,
	.run = run,
};
