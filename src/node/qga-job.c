// SPDX-License-Identifier: GPL-2.0-or-later
/* What qemu-ga does for lanes; see qga-job.h. */
#include "node/qga-job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/node.h"
#include "text/base64.h"

/* Milliseconds between two looks at a program that runs. */
#define FIRST_LOOK 20
#define LONGEST_LOOK 500

/* ---- programs ---- */

char *kmln_qga_ask_program(struct kmln_lane *lane, struct kmln_json *words, struct kmln_json *env)
{
	struct kmln_qga_job *job = lane->job;
	struct kmln_json *arguments = kmln_json_object(), *rest;
	KMLN_JSON struct kmln_json *argv = words;

	if (job->step == KMLN_QGA_POLL) {
		kmln_json_set(arguments, "pid", kmln_json_signed(job->number));
		kmln_json_free(&env);
		return kmln_qga_question("guest-exec-status", arguments);
	}
	kmln_json_set(arguments, "path", kmln_json_copy(kmln_json_item(argv, 0)));
	rest = kmln_json_set(arguments, "arg", kmln_json_array());
	for (size_t i = 1; i < kmln_json_count(argv); i++)
		kmln_json_add(rest, kmln_json_copy(kmln_json_item(argv, i)));
	if (env)
		kmln_json_set(arguments, "env", env);
	kmln_json_set(arguments, "capture-output", kmln_json_bool(true));
	return kmln_qga_question("guest-exec", arguments);
}

static void read_output(const struct kmln_json *answer, const char *key, struct kmln_buf *out)
{
	const char *text = kmln_json_get(answer, key);

	if (text && !kmln_base64_read(text, out))
		out->size = 0;
}

void kmln_qga_heard_program(struct kmln_lane *lane, const struct kmln_json *answer)
{
	struct kmln_qga_job *job = lane->job;

	if (job->step != KMLN_QGA_POLL) {
		job->number = kmln_json_integer(answer, "pid", -1);
		job->step = KMLN_QGA_POLL;
		job->pause = FIRST_LOOK;
	} else if (kmln_json_true(answer, "exited")) {
		job->status = kmln_json_integer(answer, "exitcode", -1);
		job->signal = kmln_json_integer(answer, "signal", -1);
		read_output(answer, "out-data", &job->output);
		read_output(answer, "err-data", &job->errors);
		job->step = KMLN_QGA_TELL;
		return;
	} else if (job->pause < LONGEST_LOOK) {
		job->pause *= 2;
	}
	job->ask_at = lane->agent->node->now + job->pause;
}

static char *exec_ask(struct kmln_lane *lane)
{
	struct kmln_qga_job *job = lane->job;
	const struct kmln_json *env = kmln_json_member(job->request, "env");
	const struct kmln_json *argv = kmln_json_member(job->request, "argv");
	struct kmln_json *result;

	if (!kmln_json_words(kmln_json_item(argv, 0))) {
		kmln_lane_refuse(lane, EINVAL, "which program?");
		return NULL;
	}
	if (job->step != KMLN_QGA_TELL)
		return kmln_qga_ask_program(
			lane, kmln_json_copy(argv), env ? kmln_json_copy(env) : NULL);
	if (!kmln_qga_hand_on(lane, &job->output, KMLN_FRAME_DATA) ||
		!kmln_qga_hand_on(lane, &job->errors, KMLN_FRAME_ERROR_DATA))
		return NULL;
	result = kmln_json_object();
	if (job->signal >= 0)
		kmln_json_set(result, "signal", kmln_json_signed(job->signal));
	else
		kmln_json_set(result, "status", kmln_json_signed(job->status));
	kmln_qga_return(lane, result);
	return NULL;
}

const struct kmln_qga_kind kmln_qga_exec = {exec_ask, kmln_qga_heard_program};

static char *port_ask(struct kmln_lane *lane)
{
	static const char script[] = "cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | "
				     "grep -Eqi \"^ *[0-9]+: [0-9A-F]+:$1 [0-9A-F:]+ 0A \"";
	struct kmln_qga_job *job = lane->job;
	int64_t port = kmln_json_integer(kmln_json_member(job->request, "arguments"), "port", 0);
	struct kmln_json *argv;
	char hex[8];

	if (job->step == KMLN_QGA_TELL) {
		kmln_qga_return(lane, kmln_json_bool(job->status == 0));
		return NULL;
	}
	snprintf(hex, sizeof(hex), "%04X", (unsigned)port & 0xffff);
	argv = kmln_json_array();
	kmln_json_add(argv, kmln_json_text("/bin/sh"));
	kmln_json_add(argv, kmln_json_text("-c"));
	kmln_json_add(argv, kmln_json_text(script));
	kmln_json_add(argv, kmln_json_text("sh"));
	kmln_json_add(argv, kmln_json_text(hex));
	return kmln_qga_ask_program(lane, argv, NULL);
}

const struct kmln_qga_kind kmln_qga_port = {port_ask, kmln_qga_heard_program};

/* ---- commands of its own protocol ---- */

static char *call_ask(struct kmln_lane *lane)
{
	const struct kmln_json *request = lane->job->request;
	const struct kmln_json *arguments = kmln_json_member(request, "arguments");
	const char *name = kmln_json_get(request, "execute");

	if (!name) {
		kmln_lane_refuse(lane, EINVAL, "which command?");
		return NULL;
	}
	return kmln_qga_question(name, arguments ? kmln_json_copy(arguments) : NULL);
}

static void call_heard(struct kmln_lane *lane, const struct kmln_json *answer)
{
	kmln_qga_return(lane, kmln_json_copy(answer));
}

const struct kmln_qga_kind kmln_qga_call = {call_ask, call_heard};

/* ---- files ---- */

static char *open_file(const char *path, const char *mode)
{
	struct kmln_json *arguments = kmln_json_object();

	kmln_json_set(arguments, "path", kmln_json_text(path));
	kmln_json_set(arguments, "mode", kmln_json_text(mode));
	return kmln_qga_question("guest-file-open", arguments);
}

static struct kmln_json *handle_of(const struct kmln_qga_job *job)
{
	struct kmln_json *arguments = kmln_json_object();

	kmln_json_set(arguments, "handle", kmln_json_signed(job->number));
	return arguments;
}

/* What answers `guest-file-open`: a number alone. */
static void opened(struct kmln_qga_job *job, const struct kmln_json *answer)
{
	KMLN_JSON struct kmln_json *object = kmln_json_object();

	kmln_json_set(object, "number", kmln_json_copy(answer));
	job->number = kmln_json_integer(object, "number", -1);
	job->step = KMLN_QGA_MOVE;
}

static char *get_ask(struct kmln_lane *lane)
{
	struct kmln_qga_job *job = lane->job;
	struct kmln_json *arguments;

	if (job->step == KMLN_QGA_BEGIN)
		return open_file(kmln_json_get(job->request, "path"), "r");
	if (!kmln_qga_hand_on(lane, &job->output, KMLN_FRAME_DATA))
		return NULL;
	arguments = handle_of(job);
	if (job->whole)
		return kmln_qga_question("guest-file-close", arguments);
	kmln_json_set(arguments, "count", kmln_json_number(KMLN_QGA_PIECE));
	return kmln_qga_question("guest-file-read", arguments);
}

static void get_heard(struct kmln_lane *lane, const struct kmln_json *answer)
{
	struct kmln_qga_job *job = lane->job;
	struct kmln_json *result;

	if (job->step == KMLN_QGA_BEGIN) {
		opened(job, answer);
	} else if (!job->whole) {
		read_output(answer, "buf-b64", &job->output);
		job->size += job->output.size;
		job->whole = kmln_json_true(answer, "eof") || !job->output.size;
	} else {
		result = kmln_json_object();
		/* qemu-ga does not tell the mode: what a new file has */
		kmln_json_set(result, "mode", kmln_json_number(0644));
		kmln_json_set(result, "size", kmln_json_number(job->size));
		kmln_qga_return(lane, result);
	}
}

const struct kmln_qga_kind kmln_qga_get = {get_ask, get_heard};

/* The complete file gets its mode and its name, or goes. */
static struct kmln_json *finish_put(const struct kmln_qga_job *job)
{
	static const char script[] = "chmod \"$1\" \"$2\" && mv -fT \"$2\" \"$3\" || "
				     "{ rm -f \"$2\"; exit 1; }";
	struct kmln_json *argv = kmln_json_array();
	char mode[16];

	snprintf(mode, sizeof(mode), "%o",
		(unsigned)kmln_json_integer(job->request, "mode", 0644) & 07777);
	kmln_json_add(argv, kmln_json_text("/bin/sh"));
	kmln_json_add(argv, kmln_json_text("-c"));
	kmln_json_add(argv, kmln_json_text(script));
	kmln_json_add(argv, kmln_json_text("sh"));
	kmln_json_add(argv, kmln_json_text(mode));
	kmln_json_add(argv, kmln_json_text(job->temporary));
	kmln_json_add(argv, kmln_json_text(kmln_json_get(job->request, "path")));
	return argv;
}

static char *write_piece(struct kmln_qga_job *job)
{
	KMLN_BUF struct kmln_buf text = {0};
	struct kmln_json *arguments = handle_of(job);
	const size_t n = job->input.size < KMLN_QGA_PIECE ? job->input.size : KMLN_QGA_PIECE;

	kmln_base64_add(&text, job->input.data, n);
	kmln_json_set(arguments, "buf-b64", kmln_json_text(text.data));
	return kmln_qga_question("guest-file-write", arguments);
}

static void end_put(struct kmln_lane *lane)
{
	struct kmln_qga_job *job = lane->job;
	struct kmln_json *result;

	if (job->status) {
		kmln_buf_str(&job->errors, "");
		kmln_lane_refuse(lane, EIO, job->errors.data);
		return;
	}
	result = kmln_json_object();
	kmln_json_set(result, "size", kmln_json_number(job->size));
	kmln_qga_return(lane, result);
}

static char *put_ask(struct kmln_lane *lane)
{
	struct kmln_qga_job *job = lane->job;
	const char *path = kmln_json_get(job->request, "path");

	switch (job->step) {
	case KMLN_QGA_BEGIN:
		if (!path) {
			kmln_lane_refuse(lane, EINVAL, "which file?");
			return NULL;
		}
		if (!job->temporary)
			job->temporary = kmln_printf(
				"%s.kmln-%llx", path, (unsigned long long)lane->agent->node->now);
		return open_file(job->temporary, "w");
	case KMLN_QGA_MOVE:
		if (job->input.size)
			return write_piece(job);
		return job->whole ? kmln_qga_question("guest-file-close", handle_of(job)) : NULL;
	case KMLN_QGA_TELL:
		end_put(lane);
		return NULL;
	default:
		return kmln_qga_ask_program(lane, finish_put(job), NULL);
	}
}

static void put_heard(struct kmln_lane *lane, const struct kmln_json *answer)
{
	struct kmln_qga_job *job = lane->job;
	int64_t count;

	if (job->step == KMLN_QGA_BEGIN) {
		opened(job, answer);
	} else if (job->step != KMLN_QGA_MOVE) {
		kmln_qga_heard_program(lane, answer);
	} else if (job->input.size) {
		count = kmln_json_integer(answer, "count", 0);
		if (count <= 0 || (uint64_t)count > job->input.size) {
			kmln_lane_refuse(lane, EIO, "the guest's agent wrote nothing");
			return;
		}
		memmove(job->input.data, job->input.data + count, job->input.size - (size_t)count);
		job->input.size -= (size_t)count;
		job->size += (uint64_t)count;
		kmln_lane_allow(lane, (uint32_t)count);
	} else if (job->whole) {
		job->step = KMLN_QGA_SHUT;
	}
}

const struct kmln_qga_kind kmln_qga_put = {put_ask, put_heard};

/* ---- what was given up ---- */

static struct kmln_json *shell(const char *script, const char *word)
{
	struct kmln_json *argv = kmln_json_array();

	kmln_json_add(argv, kmln_json_text("/bin/sh"));
	kmln_json_add(argv, kmln_json_text("-c"));
	kmln_json_add(argv, kmln_json_text(script));
	kmln_json_add(argv, kmln_json_text("sh"));
	kmln_json_add(argv, kmln_json_text(word));
	return argv;
}

static char *end_ask(struct kmln_lane *lane)
{
	struct kmln_qga_job *job = lane->job;
	const bool file = job->was == &kmln_qga_put || job->was == &kmln_qga_get;
	char pid[24];

	if (file && !job->shut)
		return kmln_qga_question("guest-file-close", handle_of(job));
	job->step = KMLN_QGA_SHUT;
	if (file)
		return kmln_qga_ask_program(lane, shell("rm -f \"$1\"", job->temporary), NULL);
	snprintf(pid, sizeof(pid), "%lld", (long long)job->number);
	return kmln_qga_ask_program(lane, shell("kill -TERM \"$1\"; kill -HUP \"$1\"", pid), NULL);
}

/* The answer to the last question of before tells what there is to be ended. */
static bool heard_late(struct kmln_lane *lane, const struct kmln_json *answer)
{
	struct kmln_qga_job *job = lane->job;
	const bool begun = job->step == KMLN_QGA_BEGIN;

	job->late = false;
	if (job->was == &kmln_qga_put || job->was == &kmln_qga_get) {
		if (begun)
			opened(job, answer);
		return job->number >= 0;
	}
	if (begun)
		job->number = kmln_json_integer(answer, "pid", -1);
	return job->number > 0 && (begun || !kmln_json_true(answer, "exited"));
}

static void end_heard(struct kmln_lane *lane, const struct kmln_json *answer)
{
	struct kmln_qga_job *job = lane->job;
	bool more = false;

	if (job->late) {
		more = heard_late(lane, answer);
	} else if (!job->shut) {
		job->shut = true;
		more = job->was == &kmln_qga_put;
	}
	if (!more)
		kmln_qga_return(lane, kmln_json_object());
}

const struct kmln_qga_kind kmln_qga_end = {end_ask, end_heard};
