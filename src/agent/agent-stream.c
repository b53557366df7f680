// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is opened on the line: each stream has its own pipes and its own credit both ways, so none
 * can hold another up. A stream ends when its program has ended and all that it had written is
 * read; what others hold its output open for is not waited for.
 */
#include "agent/agent.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

/* Input is given back as credit in pieces of this size. */
#define CREDIT_PIECE 32768
/* From the first word to end until it is made to, milliseconds. */
#define END_LIMIT 3000
#define ANSWER_MAX KMLN_FRAME_MAX

static void put(struct agent *agent, enum kmln_frame_type type, uint32_t stream, const void *data,
	size_t size)
{
	kmln_frame_put(&agent->line.out, type, stream, data, size);
}

/* Takes the answer over. */
static void put_close(struct agent *agent, uint32_t stream, struct kmln_json *answer)
{
	KMLN_JSON struct kmln_json *owned = answer;
	KMLN_BUF struct kmln_buf text = {0};

	kmln_json_line(answer, &text);
	if (text.size > KMLN_FRAME_MAX) {
		static const char long_one[] =
			"{\"error\":\"the answer is too long for a frame\",\"code\":\"E2BIG\"}";

		put(agent, KMLN_FRAME_CLOSE, stream, long_one, sizeof(long_one) - 1);
		return;
	}
	put(agent, KMLN_FRAME_CLOSE, stream, text.data, text.size);
}

/* ---- the table ---- */

struct agent_stream *agent_stream_new(struct agent *agent)
{
	struct agent_stream *stream;

	if (agent->stream_count == AGENT_STREAMS)
		return NULL;
	stream = kmln_malloc(sizeof(*stream));
	*stream = (struct agent_stream){
		.in = -1, .out = -1, .errors = -1, .result = -1, .credit = KMLN_FRAME_CREDIT};
	agent->streams[agent->stream_count++] = stream;
	return stream;
}

struct agent_stream *agent_stream_find(struct agent *agent, uint32_t id, bool captured)
{
	for (size_t i = 0; i < agent->stream_count; i++)
		if (agent->streams[i]->id == id &&
			(agent->streams[i]->kind == AGENT_CAPTURE) == captured)
			return agent->streams[i];
	return NULL;
}

static void forget(struct agent *agent, struct agent_stream *stream)
{
	for (size_t i = 0; i < agent->stream_count; i++)
		if (agent->streams[i] == stream)
			agent->streams[i] = agent->streams[--agent->stream_count];
	kmln_close_cleanup(&stream->in);
	kmln_close_cleanup(&stream->out);
	kmln_close_cleanup(&stream->errors);
	kmln_close_cleanup(&stream->result);
	kmln_buf_fini(&stream->input);
	kmln_buf_fini(&stream->answer);
	kmln_buf_fini(&stream->captured[0]);
	kmln_buf_fini(&stream->captured[1]);
	free(stream);
}

/* ---- ending ---- */

static void end_group(struct agent *agent, pid_t group)
{
	/* before its pipes are closed: the end of its input is no END */
	kill(-group, SIGTERM);
	kill(-group, SIGHUP);
	kill(-group, SIGCONT);
	if (agent->ending_count == AGENT_ENDINGS) {
		kill(-group, SIGKILL);
		return;
	}
	agent->endings[agent->ending_count].group = group;
	agent->endings[agent->ending_count++].at = agent->now + END_LIMIT;
}

int agent_endings(struct agent *agent)
{
	int64_t next = -1;

	for (size_t i = 0; i < agent->ending_count;) {
		bool gone = kill(-agent->endings[i].group, 0) < 0 && errno == ESRCH;

		if (!gone && agent->endings[i].at <= agent->now) {
			kill(-agent->endings[i].group, SIGKILL);
			gone = true;
		}
		if (gone) {
			agent->endings[i] = agent->endings[--agent->ending_count];
			continue;
		}
		if (next < 0 || agent->endings[i].at - agent->now < next)
			next = agent->endings[i].at - agent->now;
		i++;
	}
	return (int)next;
}

void agent_stream_abandon(struct agent *agent, struct agent_stream *stream)
{
	/* a leader that has ended leaves its number to a group that may be there or not */
	if (stream->pid && !stream->ended)
		end_group(agent, stream->pid);
	forget(agent, stream);
}

void agent_streams_abandon(struct agent *agent)
{
	for (size_t i = agent->stream_count; i-- > 0;)
		if (agent->streams[i]->kind != AGENT_CAPTURE)
			agent_stream_abandon(agent, agent->streams[i]);
}

void agent_streams_reap(struct agent *agent)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < agent->stream_count; i++)
			if (agent->streams[i]->pid == pid && !agent->streams[i]->ended) {
				agent->streams[i]->ended = true;
				agent->streams[i]->status = status;
			}
}

static void answer_with_status(struct agent *agent, struct agent_stream *stream)
{
	struct kmln_json *answer = kmln_json_object(), *value;

	value = kmln_json_set(answer, "return", kmln_json_object());
	if (stream->kind == AGENT_EXEC && WIFSIGNALED(stream->status)) {
		kmln_json_set(value, "signal", kmln_json_signed(WTERMSIG(stream->status)));
	} else if (stream->kind == AGENT_EXEC) {
		kmln_json_set(value, "status", kmln_json_signed(WEXITSTATUS(stream->status)));
	} else if (stream->kind == AGENT_WORK) {
		struct kmln_error err;

		kmln_json_free(&answer);
		kmln_fail(&err, EIO, "what did it was ended");
		answer = agent_error(&err);
	}
	put_close(agent, stream->id, answer);
}

/* All is read that there was; true: the stream is gone. */
static bool finish(struct agent *agent, struct agent_stream *stream)
{
	if (stream->kind == AGENT_CONNECT) {
		if (stream->out >= 0 || stream->in >= 0)
			return false;
	} else if (!stream->ended || stream->out >= 0 || stream->errors >= 0 ||
		   stream->result >= 0) {
		return false;
	}
	/* it is asked for */
	if (stream->kind == AGENT_CAPTURE)
		return false;
	if (stream->answer.size)
		put(agent, KMLN_FRAME_CLOSE, stream->id, stream->answer.data, stream->answer.size);
	else
		answer_with_status(agent, stream);
	forget(agent, stream);
	return true;
}

/* ---- towards the guest ---- */

static void give_credit(struct agent *agent, struct agent_stream *stream, size_t size)
{
	stream->owed += (uint32_t)size;
	if (stream->kind == AGENT_CAPTURE || stream->owed < CREDIT_PIECE)
		return;
	kmln_frame_put_number(&agent->line.out, KMLN_FRAME_CREDIT_MORE, stream->id, stream->owed);
	stream->owed = 0;
}

/* Nobody takes input any more: what comes is dropped, and is no reason to wait. */
static void drop_input(struct agent *agent, struct agent_stream *stream)
{
	size_t left = stream->input.size - stream->passed;

	stream->input.size = stream->passed = 0;
	kmln_close_cleanup(&stream->in);
	give_credit(agent, stream, left);
}

static void end_input(struct agent_stream *stream)
{
	static const char end_of_transmission = 4;

	if (stream->kind == AGENT_CONNECT)
		shutdown(stream->in, SHUT_WR);
	else if (stream->pty && write(stream->in, &end_of_transmission, 1) < 0 && errno == EAGAIN)
		return;
	kmln_close_cleanup(&stream->in);
}

/*
 * A worker is woken for a whole piece only: on a slow line each little one would cost two changes
 * of processes.
 */
static bool is_worth_passing(const struct agent_stream *stream)
{
	size_t left = stream->input.size - stream->passed;

	return stream->kind != AGENT_WORK || stream->input_ended || left >= CREDIT_PIECE;
}

static void pass_input(struct agent *agent, struct agent_stream *stream)
{
	size_t left = stream->input.size - stream->passed;

	if (!is_worth_passing(stream))
		return;
	if (stream->in < 0) {
		drop_input(agent, stream);
		return;
	}
	if (left) {
		ssize_t n = write(stream->in, stream->input.data + stream->passed, left);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			drop_input(agent, stream);
			return;
		}
		stream->passed += (size_t)n;
		give_credit(agent, stream, (size_t)n);
	}
	if (stream->passed == stream->input.size) {
		stream->input.size = stream->passed = 0;
		if (stream->input_ended)
			end_input(stream);
	}
}

static void take_input(
	struct agent *agent, struct agent_stream *stream, const struct kmln_frame *frame)
{
	size_t held = stream->input.size - stream->passed + stream->owed;

	if (stream->input_ended || held + frame->size > KMLN_FRAME_CREDIT) {
		struct kmln_error err;

		kmln_fail(&err, EPROTO, "more was sent than there was credit for");
		put_close(agent, stream->id, agent_error(&err));
		agent_stream_abandon(agent, stream);
		return;
	}
	if (stream->passed) {
		memmove(stream->input.data, stream->input.data + stream->passed,
			stream->input.size - stream->passed);
		stream->input.size -= stream->passed;
		stream->passed = 0;
	}
	kmln_buf_add(&stream->input, frame->data, frame->size);
	if (!stream->connecting)
		pass_input(agent, stream);
}

/* ---- towards the host ---- */

static void take_captured(struct agent_stream *stream, int which, const char *data, size_t size)
{
	struct kmln_buf *to = &stream->captured[which];
	size_t room = AGENT_CAPTURE_MAX - to->size;

	stream->cut[which] |= size > room;
	kmln_buf_add(to, data, size < room ? size : room);
}

/* Reads a piece; closes *fd at its end, and where its program has ended and nothing is left. */
static void read_piece(struct agent *agent, struct agent_stream *stream, int *fd, int which)
{
	static char piece[KMLN_FRAME_MAX];
	size_t room = sizeof(piece);
	ssize_t n;

	if (stream->kind != AGENT_CAPTURE) {
		if (!stream->credit || agent_line_waiting(&agent->line) >= AGENT_OUT_MAX)
			return;
		room = stream->credit < room ? stream->credit : room;
	}
	n = read(*fd, piece, room);
	if (n < 0 && (errno == EINTR || (errno == EAGAIN && !stream->ended)))
		return;
	if (n <= 0) {
		kmln_close_cleanup(fd);
		if (stream->kind == AGENT_CONNECT)
			put(agent, KMLN_FRAME_END, stream->id, NULL, 0);
		return;
	}
	if (stream->kind == AGENT_CAPTURE) {
		take_captured(stream, which, piece, (size_t)n);
		return;
	}
	stream->credit -= (uint32_t)n;
	put(agent, which ? KMLN_FRAME_ERROR_DATA : KMLN_FRAME_DATA, stream->id, piece, (size_t)n);
}

static void read_answer(struct agent_stream *stream)
{
	char piece[4096];
	ssize_t n = read(stream->result, piece, sizeof(piece));

	if (n < 0 && (errno == EINTR || (errno == EAGAIN && !stream->ended)))
		return;
	if (n <= 0)
		kmln_close_cleanup(&stream->result);
	else if (stream->answer.size + (size_t)n <= ANSWER_MAX)
		kmln_buf_add(&stream->answer, piece, (size_t)n);
}

/* ---- the loop's part ---- */

static bool may_read(const struct agent *agent, const struct agent_stream *stream)
{
	return stream->kind == AGENT_CAPTURE ||
	       (stream->credit && agent_line_waiting(&agent->line) < AGENT_OUT_MAX &&
		       !stream->connecting);
}

size_t agent_streams_poll(struct agent *agent, struct pollfd *fds)
{
	size_t count = 0;

	for (size_t i = 0; i < agent->stream_count; i++) {
		const struct agent_stream *s = agent->streams[i];
		bool waits = s->connecting || s->input_ended ||
			     (s->input.size > s->passed && is_worth_passing(s));

		if (s->in >= 0 && waits)
			fds[count++] = (struct pollfd){s->in, POLLOUT, 0};
		if (s->out >= 0 && may_read(agent, s))
			fds[count++] = (struct pollfd){s->out, POLLIN, 0};
		if (s->errors >= 0 && may_read(agent, s))
			fds[count++] = (struct pollfd){s->errors, POLLIN, 0};
		if (s->result >= 0)
			fds[count++] = (struct pollfd){s->result, POLLIN, 0};
	}
	return count;
}

bool agent_streams_hurry(const struct agent *agent)
{
	for (size_t i = 0; i < agent->stream_count; i++) {
		const struct agent_stream *s = agent->streams[i];

		if (s->ended && may_read(agent, s) &&
			(s->out >= 0 || s->errors >= 0 || s->result >= 0))
			return true;
	}
	return false;
}

static bool is_up(const struct pollfd *fds, size_t count, int fd)
{
	for (size_t i = 0; i < count; i++)
		if (fds[i].fd == fd)
			return fds[i].revents != 0;
	return false;
}

/* True: the connection failed, and its stream is gone. */
static bool connected(struct agent *agent, struct agent_stream *stream)
{
	socklen_t size = sizeof(int);
	struct kmln_error err;
	int code = 0;

	stream->connecting = false;
	getsockopt(stream->in, SOL_SOCKET, SO_ERROR, &code, &size);
	if (!code)
		return false;
	kmln_fail_sys(&err, code, "127.0.0.1");
	put_close(agent, stream->id, agent_error(&err));
	forget(agent, stream);
	return true;
}

static void serve(
	struct agent *agent, struct agent_stream *s, const struct pollfd *fds, size_t count)
{
	if (s->in >= 0 && is_up(fds, count, s->in)) {
		if (s->connecting && connected(agent, s))
			return;
		pass_input(agent, s);
	}
	if (s->out >= 0 && (s->ended || is_up(fds, count, s->out)))
		read_piece(agent, s, &s->out, 0);
	if (s->errors >= 0 && (s->ended || is_up(fds, count, s->errors)))
		read_piece(agent, s, &s->errors, 1);
	if (s->result >= 0 && (s->ended || is_up(fds, count, s->result)))
		read_answer(s);
	finish(agent, s);
}

void agent_streams_work(struct agent *agent, const struct pollfd *fds, size_t count)
{
	struct agent_stream *all[AGENT_STREAMS];
	size_t n = agent->stream_count;

	/* what ends leaves the table; each time another one is first */
	memcpy(all, agent->streams, n * sizeof(*all));
	for (size_t i = 0; i < n; i++)
		serve(agent, all[(i + agent->turn) % n], fds, count);
	agent->turn++;
}

/* ---- frames ---- */

static agent_work_fn *worker(const char *what)
{
	static const struct {
		const char *name;
		agent_work_fn *work;
	} workers[] = {{"get", agent_get}, {"put", agent_put}, {"list", agent_list}};

	for (size_t i = 0; i < KMLN_COUNT(workers); i++)
		if (kmln_eq(what, workers[i].name))
			return workers[i].work;
	return NULL;
}

static int answer_call(
	struct agent *agent, uint32_t id, const struct kmln_json *request, struct kmln_error *err)
{
	const char *execute = kmln_json_get(request, "execute");
	struct kmln_json *answer, *value;

	*err = (struct kmln_error){0};
	value = agent_call(
		agent, execute ? execute : "", kmln_json_member(request, "arguments"), err);
	if (!value && err->code)
		return -err->code;
	answer = kmln_json_object();
	kmln_json_set(answer, "return", value ? value : kmln_json_object());
	put_close(agent, id, answer);
	return 0;
}

static int start(
	struct agent *agent, uint32_t id, const struct kmln_json *request, struct kmln_error *err)
{
	const char *what = kmln_json_get(request, "do");
	agent_work_fn *work = worker(what);
	struct agent_stream *stream;
	int r;

	if (kmln_eq(what, "call"))
		return answer_call(agent, id, request, err);
	if (!work && !kmln_eq(what, "exec") && !kmln_eq(what, "connect"))
		return kmln_fail(err, ENOTSUP, "it cannot do \"%s\"", what ? what : "");
	stream = agent_stream_new(agent);
	if (!stream)
		return kmln_fail(err, EAGAIN, "%d things at once are enough", AGENT_STREAMS);
	stream->id = id;
	stream->kind = work ? AGENT_WORK : kmln_eq(what, "exec") ? AGENT_EXEC : AGENT_CONNECT;
	r = work			 ? agent_start_work(stream, work, request, err)
	    : stream->kind == AGENT_EXEC ? agent_start_program(stream, request, err)
					 : agent_start_connect(stream, request, err);
	if (r < 0)
		forget(agent, stream);
	return r;
}

static void open_stream(struct agent *agent, const struct kmln_frame *frame)
{
	KMLN_JSON struct kmln_json *request = NULL;
	struct kmln_error err;
	int r;

	if (agent_stream_find(agent, frame->stream, false))
		return;
	r = kmln_json_parse(frame->data, frame->size, &request, &err);
	if (r == 0)
		r = start(agent, frame->stream, request, &err);
	if (r < 0)
		put_close(agent, frame->stream, agent_error(&err));
}

static void control(struct agent_stream *stream, const struct kmln_frame *frame)
{
	KMLN_JSON struct kmln_json *request = NULL;
	struct kmln_error err;
	pid_t foreground;
	int64_t number;

	if (kmln_json_parse(frame->data, frame->size, &request, &err) < 0)
		return;
	if (stream->pty && stream->out >= 0 && kmln_json_member(request, "rows"))
		agent_set_size(stream->out, request);
	number = kmln_json_integer(request, "signal", 0);
	if (number <= 0 || number >= _NSIG || stream->kind != AGENT_EXEC || stream->ended)
		return;
	kill(-stream->pid, (int)number);
	if (stream->pty && stream->out >= 0 && ioctl(stream->out, TIOCGPGRP, &foreground) == 0 &&
		foreground > 1 && foreground != stream->pid)
		kill(-foreground, (int)number);
}

void agent_streams_frame(struct agent *agent, const struct kmln_frame *frame)
{
	struct agent_stream *stream;

	if (frame->type == KMLN_FRAME_OPEN) {
		open_stream(agent, frame);
		return;
	}
	/* one that has ended meanwhile is spoken to for a while */
	stream = agent_stream_find(agent, frame->stream, false);
	if (!stream)
		return;
	switch (frame->type) {
	case KMLN_FRAME_DATA:
		take_input(agent, stream, frame);
		break;
	case KMLN_FRAME_END:
		stream->input_ended = true;
		if (!stream->connecting)
			pass_input(agent, stream);
		break;
	case KMLN_FRAME_CREDIT_MORE:
		if (__builtin_add_overflow(
			    stream->credit, kmln_frame_number(frame), &stream->credit))
			stream->credit = UINT32_MAX;
		break;
	case KMLN_FRAME_CONTROL:
		control(stream, frame);
		break;
	case KMLN_FRAME_CLOSE:
		agent_stream_abandon(agent, stream);
		break;
	default:
		break;
	}
}
