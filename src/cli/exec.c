// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln exec: a command in one guest, as if it ran here; or in several at once. */
#include "cli/commands.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/utf8.h"
#include "cli/exec-words.h"
#include "cli/project.h"
#include "cli/reach.h"
#include "cli/talk.h"
#include "run/terminal.h"

/* kmln itself has failed. */
#define OWN_FAILURE 125
/* What JSON holds of each output of each host. */
#define OUTPUT_MAX (16u << 20)

struct options {
	const char *file, *project, *user, *folder, *format;
	bool allow_include, all, input, no_input, terminal;
	uint64_t timeout;
	struct kmln_strv environment;
	int hosts; /* of the arguments; the others are the command */
};

static const struct kmln_opt opts[] = {
	KMLN_OPT_CLUSTER(struct options),
	{"all", 'a', KMLN_OPT_FLAG, NULL, "in all hosts of the project",
		offsetof(struct options, all), NULL},
	{"input", 'i', KMLN_OPT_FLAG, NULL, "each of several hosts gets the standard input",
		offsetof(struct options, input), NULL},
	{"no-input", 'n', KMLN_OPT_FLAG, NULL, "the command's standard input is empty",
		offsetof(struct options, no_input), NULL},
	{"terminal", 't', KMLN_OPT_FLAG, NULL, "the command gets a terminal (one host)",
		offsetof(struct options, terminal), NULL},
	{"user", 'u', KMLN_OPT_TEXT, "USER", "the command runs as this user (default: root)",
		offsetof(struct options, user), NULL},
	{"workdir", 'w', KMLN_OPT_TEXT, "PATH", "and in this folder of the guest",
		offsetof(struct options, folder), NULL},
	{"env", 'e', KMLN_OPT_STEPS, "NAME=VALUE", "and with this in its environment; repeatable",
		offsetof(struct options, environment), NULL},
	{"timeout", 0, KMLN_OPT_NUMBER, "SECONDS", "end what still runs then",
		offsetof(struct options, timeout), NULL},
	KMLN_OPT_FORMAT(struct options),
	KMLN_OPT_END,
};

/* What was said, for JSON. */
struct heard {
	struct kmln_buf bytes[2];
	bool cut[2];
};

struct run {
	const struct options *options;
	struct kmln_reach reach;
	struct kmln_strv hosts;
	struct kmln_talker *talkers;
	struct heard *heard; /* NULL: not JSON */
};

static void run_fini(struct run *run)
{
	for (size_t i = 0; run->talkers && i < run->hosts.count; i++) {
		kmln_talker_fini(&run->talkers[i]);
		for (int k = 0; run->heard && k < 2; k++)
			kmln_buf_fini(&run->heard[i].bytes[k]);
	}
	free(run->talkers);
	free(run->heard);
	kmln_strv_fini(&run->hosts);
	kmln_reach_fini(&run->reach);
}

static int parse(void *values, int argc, char **argv, int *args, bool *help, struct kmln_error *err)
{
	struct options *o = values;

	return kmln_exec_words(
		&kmln_command_exec, values, &o->all, argc, argv, &o->hosts, args, help, err);
}

static int check(const struct options *o, int words, char **command, struct kmln_error *err)
{
	size_t hosts = (size_t)o->hosts;

	if (o->all && hosts)
		return kmln_fail(err, KMLN_EUSAGE, "--all, and hosts as well");
	if (!o->all && !hosts)
		return kmln_fail(err, KMLN_EUSAGE,
			"which host? kmln exec HOST COMMAND, kmln exec HOST... -- COMMAND");
	if (words <= o->hosts)
		return kmln_fail(err, KMLN_EUSAGE, "which command?");
	if (o->terminal && (o->all || hosts > 1))
		return kmln_fail(err, KMLN_EUSAGE, "a terminal is for one host");
	if (o->terminal && kmln_eq(o->format, "json"))
		return kmln_fail(err, KMLN_EUSAGE, "a terminal cannot be shown as JSON");
	if (o->input && o->no_input)
		return kmln_fail(err, KMLN_EUSAGE, "--input and --no-input");
	if (o->timeout > INT32_MAX / 1000)
		return kmln_fail(err, KMLN_EUSAGE, "--timeout: that is too long");
	for (size_t i = 0; i < o->environment.count; i++)
		if (!strchr(o->environment.items[i] + strlen("env="), '='))
			return kmln_fail(err, KMLN_EUSAGE, "--env %s: NAME=VALUE is wanted",
				o->environment.items[i] + strlen("env="));
	for (int i = o->hosts; i < words; i++)
		for (const char *c = command[i]; *c; c += kmln_utf8_length(c))
			if (!kmln_utf8_length(c))
				return kmln_fail(err, KMLN_EUSAGE,
					"'%s' is not UTF-8, and cannot be said to a guest",
					command[i]);
	return 0;
}

static struct kmln_json *make_request(const struct options *o, int count, char **words)
{
	struct kmln_json *request = kmln_request("exec"), *list;
	const char *term = getenv("TERM");
	unsigned rows, columns;

	list = kmln_json_set(request, "argv", kmln_json_array());
	for (int i = 0; i < count; i++)
		kmln_json_add(list, kmln_json_text(words[i]));
	if (o->environment.count)
		list = kmln_json_set(request, "env", kmln_json_array());
	for (size_t i = 0; i < o->environment.count; i++)
		kmln_json_add(list, kmln_json_text(o->environment.items[i] + strlen("env=")));
	if (o->user)
		kmln_json_set(request, "user", kmln_json_text(o->user));
	if (o->folder)
		kmln_json_set(request, "cwd", kmln_json_text(o->folder));
	if (!o->terminal)
		return request;
	kmln_terminal_size(&rows, &columns);
	kmln_json_set(request, "pty", kmln_json_bool(true));
	kmln_json_set(request, "rows", kmln_json_number(rows));
	kmln_json_set(request, "columns", kmln_json_number(columns));
	kmln_json_set(request, "term", kmln_json_text(term && *term ? term : "dumb"));
	return request;
}

static void start(struct run *run, size_t index, int count, char **words)
{
	struct kmln_talker *talker = &run->talkers[index];
	const struct options *o = run->options;
	bool alone = run->hosts.count == 1;
	int r;

	talker->host = run->hosts.items[index];
	for (int i = 0; i < 2; i++)
		talker->lines[i] = (struct kmln_prefixer){.name = talker->host,
			.color = kmln_color(i + 1, index),
			.harmless = isatty(i + 1)};
	r = kmln_reach_connect(&run->reach, talker->host, &talker->control, &talker->failure);
	if (r == 0)
		r = kmln_stream_open(&talker->stream, &talker->control,
			make_request(o, count, words), &talker->failure);
	talker->gone = r < 0;
	if (r == 0 && (o->no_input || (!alone && !o->input)))
		kmln_stream_end(&talker->stream);
}

static void take(void *data, size_t index, bool is_error, const char *bytes, size_t size)
{
	struct run *run = data;
	struct heard *heard = &run->heard[index];
	size_t room = OUTPUT_MAX - heard->bytes[is_error].size;

	heard->cut[is_error] |= size > room;
	kmln_buf_add(&heard->bytes[is_error], bytes, size < room ? size : room);
}

/* The exit status for a host; where kmln failed, its error is filled. */
static int status_of(struct run *run, struct kmln_talker *talker)
{
	const struct kmln_json *result = NULL;
	int64_t status, number;

	if (talker->failure.code)
		return OWN_FAILURE;
	if (!talker->stream.closed) {
		kmln_fail(&talker->failure, ETIMEDOUT,
			"%s: the command still ran after %llu s, and was ended", talker->host,
			(unsigned long long)run->options->timeout);
		return OWN_FAILURE;
	}
	if (kmln_stream_result(&talker->stream, &result, &talker->failure) < 0) {
		kmln_reach_explain(&run->reach, talker->host, &talker->failure);
		/* as shells have it */
		return talker->failure.code == ENOENT ? 127
		       : talker->failure.code == EACCES || talker->failure.code == ENOEXEC
			       ? 126
			       : OWN_FAILURE;
	}
	number = kmln_json_integer(result, "signal", 0);
	status = kmln_json_integer(result, "status", -1);
	if (number > 0 && number < 128)
		return 128 + (int)number;
	if (status >= 0 && status < 256)
		return (int)status;
	kmln_fail(&talker->failure, EPROTO, "%s: its agent gives no exit status", talker->host);
	return OWN_FAILURE;
}

static struct kmln_json *bytes_as_json(const struct kmln_buf *bytes)
{
	KMLN_BUF struct kmln_buf text = {0};

	/* a NUL would end the text */
	kmln_buf_add(&text, "", 0);
	for (size_t i = 0; i < bytes->size; i++)
		if (bytes->data[i])
			kmln_buf_add(&text, bytes->data + i, 1);
		else
			kmln_buf_str(&text, "\\x00");
	return kmln_json_text(text.data);
}

static void show_json(struct run *run, size_t index, int status, struct kmln_json_stream *json)
{
	const struct kmln_talker *talker = &run->talkers[index];
	const struct heard *heard = &run->heard[index];

	kmln_json_begin(json, NULL, '{');
	kmln_json_put(json, "host", kmln_json_text(talker->host));
	kmln_json_put(json, "status", kmln_json_number((uint64_t)status));
	kmln_json_put(json, "stdout", bytes_as_json(&heard->bytes[0]));
	kmln_json_put(json, "stderr", bytes_as_json(&heard->bytes[1]));
	if (heard->cut[0] || heard->cut[1])
		kmln_json_put(json, "cut", kmln_json_bool(true));
	if (talker->failure.code)
		kmln_json_put(json, "error", kmln_json_text(talker->failure.text));
	kmln_json_end(json);
}

/* Tells of failures; the first status that is not zero. */
static int finish(struct run *run, struct kmln_error *err)
{
	struct kmln_json_stream json = {.to = stdout};
	int first = 0;

	if (run->heard)
		kmln_json_begin(&json, NULL, '[');
	for (size_t i = 0; i < run->hosts.count; i++) {
		struct kmln_talker *talker = &run->talkers[i];
		int status = status_of(run, talker);

		if (run->heard)
			show_json(run, i, status, &json);
		else if (talker->failure.code && run->hosts.count > 1)
			kmln_warn("%s", talker->failure.text);
		else if (talker->failure.code)
			*err = talker->failure;
		first = first ? first : status;
	}
	if (run->heard)
		kmln_json_end(&json);
	return first;
}

static int talk(struct run *run, struct kmln_error *err)
{
	const struct options *o = run->options;
	bool alone = run->hosts.count == 1;
	struct kmln_talk talk = {.talkers = run->talkers,
		.count = run->hosts.count,
		.input = !o->no_input && (alone || o->input),
		.escapes = 3,
		.resize = o->terminal,
		.signals = true,
		.prefixed = !alone,
		.limit_ms = (unsigned)o->timeout * 1000,
		.take = run->heard ? take : NULL,
		.data = run};
	enum kmln_talk_end end;
	int r;

	talk.raw = o->terminal && talk.input && kmln_terminal_raw();
	r = kmln_talk(&talk, &end, err);
	kmln_terminal_restore();
	if (r < 0)
		return r;
	if (end != KMLN_TALK_DETACHED && end != KMLN_TALK_ENOUGH)
		return finish(run, err);
	kmln_fail(err, EINTR, "given up; what ran was ended");
	return 128 + SIGINT;
}

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct options *o = values;
	KMLN_CLEANUP(run_fini) struct run run = {.options = o};
	int r = check(o, argc, argv, err);

	if (r == 0)
		r = kmln_reach_open(&run.reach, o->file, o->project, o->allow_include, err);
	if (r == 0)
		r = kmln_reach_hosts(&run.reach, argv, (size_t)o->hosts, o->all, &run.hosts, err);
	if (r < 0)
		return r;
	run.talkers = calloc(run.hosts.count, sizeof(*run.talkers));
	if (kmln_eq(o->format, "json"))
		run.heard = calloc(run.hosts.count, sizeof(*run.heard));
	if (!run.talkers || (!run.heard && kmln_eq(o->format, "json")))
		abort();
	for (size_t i = 0; i < run.hosts.count; i++) {
		run.talkers[i].control = KMLN_CONTROL_NONE;
		start(&run, i, argc - o->hosts, argv + o->hosts);
	}
	return talk(&run, err);
}

const struct kmln_command kmln_command_exec = {
	.name = "exec",
	.args = "HOST COMMAND... | HOST... -- COMMAND...",
	.summary = "Run a command in running hosts",
	.details = "What stands behind the command belongs to it. Several hosts, or a host whose\n"
		   "options stand behind it, need a -- in front of the command.",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.max_args = -1,
	.failed_status = OWN_FAILURE,
	.complete_hosts = true,
	.parse = parse,
	.run = run,
};
