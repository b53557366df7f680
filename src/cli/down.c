// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kmln down and kmln stop: ending a project, or hosts of it. Both need nothing but what is found of
 * it on this host: its file may have mistakes, or be gone.
 */
#include "cli/commands.h"

#include "base/log.h"
#include "cli/life.h"

struct options {
	struct kmln_which which;
	uint64_t timeout;
	bool now;
};

#define OPT_DOWN \
	{"file", 'f', KMLN_OPT_FILE, "FILE", \
		"the project file (default: the one here or above); it may have mistakes", \
		offsetof(struct options, which.file), NULL}, \
		{"project", 'p', KMLN_OPT_TEXT, "PROJECT", \
			"a project that was built here, by its name", \
			offsetof(struct options, which.project), NULL}, \
		{"timeout", 0, KMLN_OPT_NUMBER, "SECONDS", \
			"how long a guest may take to shut down (default 60)", \
			offsetof(struct options, timeout), NULL}, \
	{ \
		"now", 0, KMLN_OPT_FLAG, NULL, "as if the power were cut", \
			offsetof(struct options, now), NULL \
	}

static const struct kmln_opt opts[] = {
	OPT_DOWN,
	KMLN_OPT_END,
};

static int stop(struct kmln_alive *alive, const struct options *o, bool all, int argc, char **argv,
	struct kmln_error *err)
{
	struct kmln_life_stop wish = {.now = o->now, .hooks = all};
	int r = kmln_seconds(o->timeout, KMLN_SHUTDOWN_LIMIT, &wish.timeout, err);

	if (r == 0)
		r = kmln_alive_open(alive, &o->which, KMLN_ALIVE_FOUND, err);
	if (r == 0)
		r = kmln_life_want(&alive->life, argv, (size_t)argc, false, err);
	/* a project that was never here has no folder for a lock */
	if (r == 0 && !kmln_store_exists(&alive->store) && !alive->life.count)
		return kmln_fail(
			err, KMLN_ENO, "there is no project %s here", alive->store.project);
	if (r == 0)
		r = kmln_alive_lock(alive, err);
	return r < 0 ? r : kmln_alive_stop(alive, &wish, err);
}

static int run_down(const void *values, int argc, char **argv, struct kmln_error *err)
{
	KMLN_ALIVE struct kmln_alive alive = KMLN_ALIVE_NONE;
	struct kmln_error after;
	int r = stop(&alive, values, true, argc, argv, err);

	/* also where a line of the user's failed */
	if (alive.lock >= 0 && kmln_life_clear(&alive.life, &after) < 0 && r == 0) {
		*err = after;
		r = -after.code;
	}
	return r;
}

static int run_stop(const void *values, int argc, char **argv, struct kmln_error *err)
{
	KMLN_ALIVE struct kmln_alive alive = KMLN_ALIVE_NONE;

	return stop(&alive, values, false, argc, argv, err);
}

const struct kmln_command kmln_command_down = {
	.name = "down",
	.args = "",
	.summary = "Stop a project whole",
	.details = "Hosts shut down in the reverse of the order in which they started, then\n"
		   "switches and what hangs on them end. Only the project's disks stay behind.",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.max_args = 0,
	.run = run_down,
};

const struct kmln_command kmln_command_stop = {
	.name = "stop",
	.args = "HOST...",
	.summary = "Stop hosts of a project",
	.details = "Switches go on. `kmln start` starts them again.",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.min_args = 1,
	.max_args = -1,
	.run = run_stop,
};
