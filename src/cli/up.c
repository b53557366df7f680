// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kmln up: a project as its file says, running. What is missing is built, what has changed is
 * changed, what does not run is started; the rest is left alone.
 */
#include "cli/commands.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/renew.h"
#include "text/json.h"

struct options {
	const char *file, *project, *format, *platform;
	uint64_t timeout, jobs;
	bool allow_include, dry_run, yes, replatform, unconfined;
};

static const char *const platform_names[] = {"auto", "kvm", "uml", "qemu", NULL};

static const struct kmln_opt opts[] = {
	KMLN_OPT_CLUSTER(struct options),
	{"yes", 'y', KMLN_OPT_FLAG, NULL, "stop what must be stopped, without a question",
		offsetof(struct options, yes), NULL},
	{"platform", 0, KMLN_OPT_CHOICE, "PLATFORM",
		"for hosts that leave it open: kvm, uml, qemu, or auto (default)",
		offsetof(struct options, platform), platform_names},
	{"replatform", 0, KMLN_OPT_FLAG, NULL, "decide anew where hosts run that leave it open",
		offsetof(struct options, replatform), NULL},
	KMLN_OPT_READY(struct options),
	KMLN_OPT_JOBS(struct options),
	KMLN_OPT_SHOW_ONLY(struct options),
	KMLN_OPT_UNCONFINED(struct options),
	KMLN_OPT_FORMAT(struct options),
	KMLN_OPT_END,
};

static int show(const struct options *o, const struct kmln_renew *renew, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf text = {0};

	if (kmln_eq(o->format, "json"))
		return kmln_json_print_free(kmln_renew_json(renew), stdout, err);
	kmln_renew_text(renew, "up", &text);
	if (text.size)
		fwrite(text.data, 1, text.size, stdout);
	else
		kmln_note("nothing to do");
	return 0;
}

/* Who is asked is shown it with the question. */
static void say_what_changes(const struct kmln_renew *renew, bool yes)
{
	KMLN_BUF struct kmln_buf text = {0};

	if (!renew->stop_count || (renew->hosts_stop && !yes))
		return;
	kmln_renew_text(renew, "up", &text);
	for (char *rest = text.data, *line; (line = strsep(&rest, "\n")) && *line;)
		kmln_note("%s", line);
}

/* What to say of a project in which nothing was done. */
static void say_nothing_done(const struct kmln_life *life, const struct kmln_renew *renew)
{
	size_t hosts = 0;

	for (size_t i = 0; i < life->count; i++) {
		if (life->nodes[i].started)
			return;
		hosts += life->nodes[i].wanted && life->nodes[i].role == KMLN_ROLE_HOST;
	}
	if (!renew->stop_count && kmln_build_plan_empty(&renew->building.plan))
		kmln_note("nothing to do: %zu %s of %s %s", hosts, hosts == 1 ? "host" : "hosts",
			life->store->project, hosts == 1 ? "is ready" : "are ready");
}

static int bring_up(struct kmln_alive *alive, const struct options *o,
	const struct kmln_renew_wish *wish, struct kmln_error *err)
{
	KMLN_RENEW struct kmln_renew renew = {0};
	const struct kmln_life_stop stop = {.timeout = KMLN_SHUTDOWN_LIMIT};
	struct kmln_life_start start = {
		.jobs = o->jobs < UINT32_MAX ? (unsigned)o->jobs : 0, .hooks = true};
	int r = kmln_seconds(o->timeout, KMLN_READY_LIMIT, &start.timeout, err);

	if (r == 0)
		r = kmln_renew_look(&renew, alive, wish, err);
	if (r == 0 && o->dry_run)
		return show(o, &renew, err);
	if (r == 0)
		say_what_changes(&renew, o->yes);
	if (r == 0)
		r = kmln_renew_ask(&renew, "up", o->yes, err);
	if (r == 0)
		r = kmln_renew_carry_out(&renew, &stop, err);
	if (r == 0)
		r = kmln_alive_start(alive, &start, err);
	if (r == 0)
		say_nothing_done(&alive->life, &renew);
	return r;
}

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	KMLN_ALIVE struct kmln_alive alive = KMLN_ALIVE_NONE;
	const struct options *o = values;
	const struct kmln_renew_wish wish = {
		.platform = o->platform,
		.replatform = o->replatform,
		.unconfined = o->unconfined,
		.dry_run = o->dry_run,
		.names = argv,
		.name_count = (size_t)argc,
	};
	int r = kmln_project_choose(
		&alive.loaded, o->file, o->project, NULL, o->allow_include, err);

	if (r == 0)
		r = kmln_alive_use(&alive, err);
	if (r == 0 && !o->dry_run)
		r = kmln_alive_lock(&alive, err);
	if (r == 0)
		r = kmln_life_add_found(&alive.life, err);
	return r < 0 ? r : bring_up(&alive, o, &wish, err);
}

const struct kmln_command kmln_command_up = {
	.name = "up",
	.args = "[HOST...]",
	.summary = "Build and start a project",
	.details = "What is missing is built, what changed is changed, what does not run is\n"
		   "started in its order; what runs as it should is left alone. Where hosts that\n"
		   "run must be stopped for it, the plan is shown and a question asked.",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.max_args = -1,
	.run = run,
};
