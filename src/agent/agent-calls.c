// SPDX-License-Identifier: GPL-2.0-or-later
/* The commands of the QEMU Guest Agent protocol, and kmln's own: the table, and running programs.
 */
#include "agent/agent.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "text/base64.h"

/* Programs of guest-exec that are kept until somebody asks. */
#define CAPTURED_MAX 16

static struct kmln_json *sync_id(
	struct agent *agent, const struct kmln_json *arguments, struct kmln_error *err)
{
	(void)agent;
	(void)err;
	return kmln_json_copy(kmln_json_member(arguments, "id"));
}

static struct kmln_json *ping(
	struct agent *agent, const struct kmln_json *arguments, struct kmln_error *err)
{
	(void)agent;
	(void)arguments;
	(void)err;
	return kmln_json_object();
}

static agent_call_fn info;

static const struct {
	const char *name;
	agent_call_fn *call;
	bool silent; /* answers only when it fails */
} table[] = {
	{"guest-sync-delimited", sync_id, false},
	{"guest-sync", sync_id, false},
	{"guest-ping", ping, false},
	{"guest-info", info, false},
	{"guest-exec", agent_call_exec, false},
	{"guest-exec-status", agent_call_exec_status, false},
	{"guest-file-open", agent_call_open, false},
	{"guest-file-read", agent_call_read, false},
	{"guest-file-write", agent_call_write, false},
	{"guest-file-seek", agent_call_seek, false},
	{"guest-file-flush", agent_call_flush, false},
	{"guest-file-close", agent_call_close, false},
	{"guest-shutdown", agent_call_shutdown, true},
	{"guest-get-osinfo", agent_call_osinfo, false},
	{"guest-get-host-name", agent_call_host_name, false},
	{"guest-get-time", agent_call_time, false},
	{"guest-network-get-interfaces", agent_call_interfaces, false},
	{"kmln-port", agent_call_port, false},
	{"kmln-address", agent_call_address, false},
};

static void add_command(struct kmln_json *list, const char *name, bool silent)
{
	struct kmln_json *item = kmln_json_add(list, kmln_json_object());

	kmln_json_set(item, "name", kmln_json_text(name));
	kmln_json_set(item, "enabled", kmln_json_bool(true));
	kmln_json_set(item, "success-response", kmln_json_bool(!silent));
}

static struct kmln_json *info(
	struct agent *agent, const struct kmln_json *arguments, struct kmln_error *err)
{
	struct kmln_json *answer = kmln_json_object(), *list;

	(void)agent;
	(void)arguments;
	(void)err;
	/* clients compare it with versions of qemu-ga */
	kmln_json_set(answer, "version", kmln_json_text("2.0.0-kmln"));
	list = kmln_json_set(answer, "supported_commands", kmln_json_array());
	for (size_t i = 0; i < KMLN_COUNT(table); i++)
		add_command(list, table[i].name, table[i].silent);
	add_command(list, "kmln-frames", false);
	return answer;
}

struct kmln_json *agent_call(struct agent *agent, const char *execute,
	const struct kmln_json *arguments, struct kmln_error *err)
{
	for (size_t i = 0; i < KMLN_COUNT(table); i++)
		if (strcmp(execute, table[i].name) == 0)
			return table[i].call(agent, arguments, err);
	kmln_fail(err, KMLN_EUSAGE, "the command %s has not been found", execute);
	return NULL;
}

/* ---- programs ---- */

static size_t count_captured(const struct agent *agent, struct agent_stream **oldest)
{
	size_t count = 0;

	*oldest = NULL;
	for (size_t i = 0; i < agent->stream_count; i++) {
		struct agent_stream *stream = agent->streams[i];

		if (stream->kind != AGENT_CAPTURE)
			continue;
		count++;
		if (stream->ended && !*oldest)
			*oldest = stream;
	}
	return count;
}

/* guest-exec's words in those of exec. */
static struct kmln_json *translate(const struct kmln_json *arguments)
{
	struct kmln_json *request = kmln_json_object(), *argv;
	const struct kmln_json *words = kmln_json_member(arguments, "arg"),
			       *env = kmln_json_member(arguments, "env");

	argv = kmln_json_set(request, "argv", kmln_json_array());
	if (kmln_json_get(arguments, "path"))
		kmln_json_add(argv, kmln_json_text(kmln_json_get(arguments, "path")));
	for (size_t i = 0; i < kmln_json_count(words); i++)
		kmln_json_add(argv, kmln_json_copy(kmln_json_item(words, i)));
	if (env)
		kmln_json_set(request, "env", kmln_json_copy(env));
	return request;
}

struct kmln_json *agent_call_exec(
	struct agent *agent, const struct kmln_json *arguments, struct kmln_error *err)
{
	const char *input = kmln_json_get(arguments, "input-data");
	KMLN_JSON struct kmln_json *request = translate(arguments);
	struct agent_stream *stream, *oldest;
	struct kmln_json *answer;
	KMLN_BUF struct kmln_buf bytes = {0};

	if (input && !kmln_base64_read(input, &bytes)) {
		kmln_fail(err, EINVAL, "input-data is no base64");
		return NULL;
	}
	if (count_captured(agent, &oldest) >= CAPTURED_MAX && oldest)
		agent_stream_abandon(agent, oldest);
	if (count_captured(agent, &oldest) >= CAPTURED_MAX || !(stream = agent_stream_new(agent))) {
		kmln_fail(err, EAGAIN, "%d programs at once are enough", CAPTURED_MAX);
		return NULL;
	}
	stream->kind = AGENT_CAPTURE;
	if (agent_start_program(stream, request, err) < 0) {
		agent_stream_abandon(agent, stream);
		return NULL;
	}
	stream->id = (uint32_t)stream->pid;
	stream->input = bytes;
	bytes = (struct kmln_buf){0};
	stream->input_ended = true;
	answer = kmln_json_object();
	kmln_json_set(answer, "pid", kmln_json_signed(stream->pid));
	return answer;
}

static void set_output(struct kmln_json *answer, const struct kmln_buf *bytes, bool cut,
	const char *key, const char *cut_key)
{
	KMLN_BUF struct kmln_buf text = {0};

	if (!bytes->size)
		return;
	kmln_base64_add(&text, bytes->data, bytes->size);
	kmln_json_set(answer, key, kmln_json_text(text.data));
	if (cut)
		kmln_json_set(answer, cut_key, kmln_json_bool(true));
}

struct kmln_json *agent_call_exec_status(
	struct agent *agent, const struct kmln_json *arguments, struct kmln_error *err)
{
	int64_t pid = kmln_json_integer(arguments, "pid", -1);
	struct agent_stream *stream =
		pid > 0 && pid < INT32_MAX ? agent_stream_find(agent, (uint32_t)pid, true) : NULL;
	struct kmln_json *answer;
	bool exited;

	if (!stream) {
		kmln_fail(err, ENOENT, "there is no such process");
		return NULL;
	}
	exited = stream->ended && stream->out < 0 && stream->errors < 0 && stream->result < 0;
	answer = kmln_json_object();
	kmln_json_set(answer, "exited", kmln_json_bool(exited));
	if (!exited)
		return answer;
	if (WIFSIGNALED(stream->status))
		kmln_json_set(answer, "signal", kmln_json_signed(WTERMSIG(stream->status)));
	else
		kmln_json_set(answer, "exitcode", kmln_json_signed(WEXITSTATUS(stream->status)));
	set_output(answer, &stream->captured[0], stream->cut[0], "out-data", "out-truncated");
	set_output(answer, &stream->captured[1], stream->cut[1], "err-data", "err-truncated");
	agent_stream_abandon(agent, stream);
	return answer;
}
