// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kmln status: what lives of a project, asked of the kernel and of the nodes. It takes no lock and
 * changes nothing.
 */
#include "cli/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/life.h"
#include "cli/status.h"

/* Milliseconds that nodes are given to answer. */
#define ANSWER_LIMIT 2000
#define WATCH_MS 1000

struct options {
	struct kmln_which which;
	const char *format;
	bool watch;
};

static const struct kmln_opt opts[] = {
	{"file", 'f', KMLN_OPT_FILE, "FILE",
		"the project file (default: the one here or above); it may have mistakes",
		offsetof(struct options, which.file), NULL},
	{"project", 'p', KMLN_OPT_TEXT, "PROJECT", "a project that was built here, by its name",
		offsetof(struct options, which.project), NULL},
	{"watch", 0, KMLN_OPT_FLAG, NULL, "go on, until Ctrl-C; without a terminal show changes",
		offsetof(struct options, watch), NULL},
	KMLN_OPT_FORMAT(struct options),
	KMLN_OPT_END,
};

static bool all_ready(const struct kmln_life_view *views, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (views[i].state != KMLN_STATE_READY || views[i].loose)
			return false;
	return count > 0;
}

static int show_once(const struct options *o, struct kmln_life *life, struct kmln_error *err)
{
	struct kmln_life_view *views = NULL;
	size_t count = 0;
	bool ready;
	int r = kmln_life_look(life, ANSWER_LIMIT, &views, &count, err);

	ready = r == 0 && all_ready(views, count);
	if (r == 0 && kmln_eq(o->format, "json")) {
		r = kmln_json_print_free(kmln_status_json(life, views, count), stdout, err);
	} else if (r == 0) {
		KMLN_BUF struct kmln_buf text = {0};

		kmln_status_table(views, count, &text);
		fwrite(text.data, 1, text.size, stdout);
	}
	kmln_life_views_free(views, count);
	/* the table has said it */
	return r == 0 && !ready ? kmln_fail(err, KMLN_ENO, "%s", "") : r;
}

/* What has changed since the last look, a line a node. */
static void show_changes(const struct kmln_life *life, const struct kmln_life_view *views,
	size_t count, struct kmln_strv *before)
{
	KMLN_STRV struct kmln_strv now = {0};

	(void)life;
	for (size_t i = 0; i < count; i++) {
		KMLN_BUF struct kmln_buf line = {0};

		kmln_status_line(&views[i], &line);
		kmln_strv_add(&now, line.data);
		if (!kmln_strv_has(before, line.data))
			printf("%s\n", line.data);
	}
	fflush(stdout);
	kmln_strv_fini(before);
	*before = now;
	now = (struct kmln_strv){0};
}

static int watch(const struct options *o, int argc, char **argv, struct kmln_error *err)
{
	KMLN_STRV struct kmln_strv before = {0};
	const bool terminal = isatty(STDOUT_FILENO);
	int r = 0;

	while (r == 0 && !ferror(stdout)) {
		/* the project may be built anew meanwhile */
		KMLN_ALIVE struct kmln_alive alive = KMLN_ALIVE_NONE;
		struct kmln_life_view *views = NULL;
		size_t count = 0;

		r = kmln_alive_open(&alive, &o->which, KMLN_ALIVE_SEEN, err);
		if (r == 0)
			r = kmln_life_want(&alive.life, argv, (size_t)argc, false, err);
		if (r == 0)
			r = kmln_life_look(&alive.life, ANSWER_LIMIT, &views, &count, err);
		if (r == 0 && terminal) {
			KMLN_BUF struct kmln_buf text = {0};

			kmln_buf_str(&text, "\033[H\033[J");
			kmln_status_table(views, count, &text);
			fwrite(text.data, 1, text.size, stdout);
			fflush(stdout);
		} else if (r == 0) {
			show_changes(&alive.life, views, count, &before);
		}
		kmln_life_views_free(views, count);
		if (r == 0)
			usleep(WATCH_MS * 1000);
	}
	return r;
}

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	KMLN_ALIVE struct kmln_alive alive = KMLN_ALIVE_NONE;
	const struct options *o = values;
	int r;

	if (o->watch && kmln_eq(o->format, "json"))
		return kmln_fail(err, KMLN_EUSAGE, "--watch shows text");
	if (o->watch)
		return watch(o, argc, argv, err);
	r = kmln_alive_open(&alive, &o->which, KMLN_ALIVE_SEEN, err);
	if (r == 0)
		r = kmln_life_want(&alive.life, argv, (size_t)argc, false, err);
	if (r == 0 && !alive.life.count)
		return kmln_fail(err, KMLN_ENO, "there is no project %s here", alive.store.project);
	return r < 0 ? r : show_once(o, &alive.life, err);
}

const struct kmln_command kmln_command_status = {
	.name = "status",
	.args = "[HOST...]",
	.summary = "Show what lives of a project",
	.details =
		"Where each host runs and why there, its state, how long it is up, what it uses.\n"
		"The exit status is 0 where all that was asked for is ready, else 4.",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.max_args = -1,
	.run = run,
};
