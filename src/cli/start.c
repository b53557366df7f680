// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln start: starting hosts of a project that is built, as it was built. */
#include "cli/commands.h"

#include "cli/life.h"

struct options {
	struct kmln_which which;
	uint64_t timeout, jobs;
};

static const struct kmln_opt opts[] = {
	{"file", 'f', KMLN_OPT_FILE, "FILE",
		"the project file (default: the one here or above); only its name counts",
		offsetof(struct options, which.file), NULL},
	{"project", 'p', KMLN_OPT_TEXT, "PROJECT", "a project that was built here, by its name",
		offsetof(struct options, which.project), NULL},
	KMLN_OPT_READY(struct options),
	KMLN_OPT_JOBS(struct options),
	KMLN_OPT_END,
};

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	KMLN_ALIVE struct kmln_alive alive = KMLN_ALIVE_NONE;
	const struct options *o = values;
	struct kmln_life_start wish = {
		.jobs = o->jobs < UINT32_MAX ? (unsigned)o->jobs : 0, .hooks = true};
	int r = kmln_seconds(o->timeout, KMLN_READY_LIMIT, &wish.timeout, err);

	if (r == 0)
		r = kmln_alive_open(&alive, &o->which, KMLN_ALIVE_BUILT, err);
	if (r == 0)
		r = kmln_life_want(&alive.life, argv, (size_t)argc, true, err);
	if (r == 0)
		r = kmln_alive_lock(&alive, err);
	return r < 0 ? r : kmln_alive_start(&alive, &wish, err);
}

const struct kmln_command kmln_command_start = {
	.name = "start",
	.args = "HOST...",
	.summary = "Start hosts of a project that is built",
	.details = "With what they are plugged into. Nothing is built or changed; `kmln up` does.",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
