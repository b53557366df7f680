// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kmln _connect: standard input and output are a TCP connection to a port of a guest, made by its
 * agent: no network is needed. It is what ssh is told to use as its ProxyCommand.
 */
#include "cli/commands.h"

#include <stddef.h>
#include <stdlib.h>

#include "cli/reach.h"
#include "cli/talk.h"

struct options {
	const char *project;
};

static const struct kmln_opt opts[] = {
	{"project", 'p', KMLN_OPT_TEXT, "PROJECT", "the project, by its name",
		offsetof(struct options, project), NULL},
	KMLN_OPT_END,
};

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct options *o = values;
	KMLN_REACH struct kmln_reach reach = {0};
	KMLN_CLEANUP(kmln_talker_fini)
	struct kmln_talker talker = {.control = KMLN_CONTROL_NONE};
	struct kmln_talk talk = {.talkers = &talker, .count = 1, .input = true};
	const struct kmln_json *result;
	struct kmln_json *request = NULL;
	enum kmln_talk_end end;
	char *rest;
	long port = strtol(argv[1], &rest, 10);
	int r;

	(void)argc;
	if (*rest || port < 1 || port > 65535)
		return kmln_fail(err, KMLN_EUSAGE, "'%s' is not the number of a port", argv[1]);
	r = kmln_reach_open(&reach, NULL, o->project, false, err);
	if (r == 0)
		r = kmln_reach_host(&reach, argv[0], &talker.host, err);
	if (r == 0)
		r = kmln_reach_connect(&reach, talker.host, &talker.control, err);
	if (r < 0)
		return r;
	request = kmln_request("connect");
	kmln_json_set(request, "port", kmln_json_number((uint64_t)port));
	r = kmln_stream_open(&talker.stream, &talker.control, request, err);
	if (r == 0)
		r = kmln_talk(&talk, &end, err);
	if (r == 0 && talker.gone) {
		*err = talker.failure;
		return kmln_wrap(err, "%s", talker.host);
	}
	if (r == 0 && kmln_stream_result(&talker.stream, &result, err) < 0)
		return kmln_reach_explain(&reach, talker.host, err);
	return r;
}

const struct kmln_command kmln_command_connect = {
	.name = "_connect",
	.args = "HOST PORT",
	.summary = "Connect standard input and output with a port in a guest",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.min_args = 2,
	.max_args = 2,
	.hidden = true,
	.run = run,
};
