// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln console: the console of a machine that runs, for as long as one likes. */
#include "cli/commands.h"

#include <stddef.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/project.h"
#include "cli/reach.h"
#include "cli/talk.h"
#include "run/terminal.h"

struct options {
	const char *file, *project;
	bool allow_include;
};

static const struct kmln_opt opts[] = {
	KMLN_OPT_CLUSTER(struct options),
	KMLN_OPT_END,
};

/* About a screen of what was there before. */
static unsigned screenful(void)
{
	unsigned rows, columns;

	kmln_terminal_size(&rows, &columns);
	return rows < 200 && columns < 500 ? rows * columns : 200 * 500;
}

static int attach(struct kmln_talker *talker, struct kmln_error *err)
{
	struct kmln_talk talk = {
		.talkers = talker, .count = 1, .input = true, .endless = true, .escapes = 1};
	enum kmln_talk_end end;
	int r;

	if (isatty(0))
		kmln_note("%s: the keys go to its console; Ctrl-] leaves it, and it goes on",
			talker->host);
	talk.raw = kmln_terminal_raw();
	r = kmln_talk(&talk, &end, err);
	kmln_terminal_restore();
	if (r < 0)
		return r;
	/* the guest's last line may have no end */
	if (isatty(2))
		write(2, "\r\n", 2);
	if (end == KMLN_TALK_DETACHED)
		kmln_note("%s goes on", talker->host);
	else
		kmln_note("%s has ended", talker->host);
	return 0;
}

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct options *o = values;
	KMLN_REACH struct kmln_reach reach = {0};
	KMLN_CLEANUP(kmln_talker_fini)
	struct kmln_talker talker = {.control = KMLN_CONTROL_NONE};
	struct kmln_json *request = NULL;
	int r;

	(void)argc;
	r = kmln_reach_open(&reach, o->file, o->project, o->allow_include, err);
	if (r == 0)
		r = kmln_reach_host(&reach, argv[0], &talker.host, err);
	if (r == 0)
		r = kmln_reach_connect(&reach, talker.host, &talker.control, err);
	if (r < 0)
		return r;
	request = kmln_request("console");
	kmln_json_set(request, "replay", kmln_json_number(screenful()));
	r = kmln_stream_open(&talker.stream, &talker.control, request, err);
	return r < 0 ? r : attach(&talker, err);
}

const struct kmln_command kmln_command_console = {
	.name = "console",
	.args = "HOST",
	.summary = "Attach to the console of a running host",
	.details = "Ctrl-] detaches; the host goes on. Several may be attached at once.",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 1,
	.complete_hosts = true,
	.run = run,
};
