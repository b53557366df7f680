// SPDX-License-Identifier: GPL-2.0-or-later
/* What peers asked for; see stream.h. */
#include "node/stream.h"

#include <string.h>

#include "node/node.h"
#include "node/status.h"

/* A second between two lines to a watcher while the node gets ready. */
#define WATCH_TICK 1000
#define SHUTDOWN_SECONDS 60
#define TO_TYPE_ALL (1u << 20)

/* ---- the agent's ---- */

static void agent_got(void *owner, const struct kmln_frame *frame)
{
	struct kmln_stream *stream = owner;

	if (frame->type == KMLN_FRAME_CREDIT_MORE)
		kmln_stream_allow(stream, kmln_frame_number(frame));
	else
		kmln_stream_send(stream, frame->type, frame->data, frame->size);
}

static void agent_closed(void *owner, const char *answer, size_t size)
{
	struct kmln_stream *stream = owner;

	stream->lane = NULL;
	kmln_stream_close(stream, answer, size);
}

static const struct kmln_lane_ops agent_ops = {.got = agent_got, .closed = agent_closed};

/* ---- all ---- */

static void open_end(struct kmln_stream *stream, const struct kmln_json *request)
{
	const char *how = kmln_json_get(request, "how");
	int64_t seconds = kmln_json_integer(request, "seconds", SHUTDOWN_SECONDS);

	stream->kind = KMLN_STREAM_END;
	if (kmln_eq(how, "cut"))
		kmln_node_ask_end(stream->peer->node, 0);
	else if (kmln_eq(how, "shutdown") && seconds > 0 && seconds <= 86400)
		kmln_node_ask_end(stream->peer->node, (unsigned)seconds);
	else
		kmln_stream_refuse(stream, EINVAL, "how is it to end?");
}

static void open_console(struct kmln_stream *stream, const struct kmln_json *request)
{
	int64_t replay = kmln_json_integer(request, "replay", 0);

	stream->kind = KMLN_STREAM_CONSOLE;
	stream->position =
		kmln_screen_from(&stream->peer->node->screen, replay > 0 ? (uint64_t)replay : 0);
}

void kmln_stream_open(
	struct kmln_stream *stream, const struct kmln_json *request, const char *text, size_t size)
{
	struct kmln_node *node = stream->peer->node;
	const char *what = kmln_json_get(request, "do");

	if (kmln_eq(what, "status")) {
		kmln_stream_answer(stream, kmln_node_status(node));
	} else if (kmln_eq(what, "watch")) {
		stream->kind = KMLN_STREAM_WATCH;
		stream->due = true;
	} else if (kmln_eq(what, "console")) {
		open_console(stream, request);
	} else if (kmln_eq(what, "end")) {
		open_end(stream, request);
	} else if (!what) {
		kmln_stream_refuse(stream, EINVAL, "nothing is asked for");
	} else {
		stream->kind = KMLN_STREAM_AGENT;
		kmln_agent_open(&node->agent, &stream->lane, text, size, &agent_ops, stream);
	}
}

static void type(struct kmln_stream *stream, const struct kmln_frame *frame)
{
	struct kmln_screen *screen = &stream->peer->node->screen;

	if (screen->to_type.size + frame->size <= TO_TYPE_ALL)
		kmln_buf_add(&screen->to_type, frame->data, frame->size);
	stream->typed += frame->size;
}

void kmln_stream_take(struct kmln_stream *stream, const struct kmln_frame *frame)
{
	if (stream->kind == KMLN_STREAM_AGENT && stream->lane) {
		if (frame->type == KMLN_FRAME_CREDIT_MORE)
			kmln_lane_credit(stream->lane, kmln_frame_number(frame));
		else
			kmln_lane_send(stream->lane, frame->type, frame->data, frame->size);
	} else if (stream->kind == KMLN_STREAM_CONSOLE && frame->type == KMLN_FRAME_DATA) {
		type(stream, frame);
	}
}

void kmln_stream_forget(struct kmln_stream *stream)
{
	if (stream->lane)
		kmln_lane_abort(stream->lane);
	stream->lane = NULL;
}

static void show(struct kmln_node *node, struct kmln_stream *stream)
{
	char piece[4096];
	size_t n = 1;

	/* no more at a time than what a peer takes */
	while (n && stream->credit && stream->peer->out.size < KMLN_FRAME_CREDIT) {
		size_t room = stream->credit < sizeof(piece) ? stream->credit : sizeof(piece);

		n = kmln_screen_read(&node->screen, &stream->position, piece, room);
		if (n)
			kmln_stream_send(stream, KMLN_FRAME_DATA, piece, n);
	}
	if (stream->typed && !node->screen.to_type.size) {
		kmln_stream_allow(stream, stream->typed);
		stream->typed = 0;
	}
}

static void tell(struct kmln_node *node, struct kmln_stream *stream)
{
	KMLN_JSON struct kmln_json *status = NULL;
	KMLN_BUF struct kmln_buf line = {0};

	if (!stream->due || stream->peer->out.size > KMLN_FRAME_CREDIT)
		return;
	status = kmln_node_status(node);
	kmln_json_line(status, &line);
	kmln_buf_str(&line, "\n");
	if (line.size > stream->credit || line.size > KMLN_FRAME_MAX)
		return;
	kmln_stream_send(stream, KMLN_FRAME_DATA, line.data, line.size);
	stream->due = false;
}

void kmln_streams_work(struct kmln_node *node)
{
	const bool tick = !node->ready && node->now >= node->watch_next;
	bool watched = false;

	for (struct kmln_peer *peer = node->server.peers; peer; peer = peer->next) {
		for (struct kmln_stream *s = peer->streams; s && peer->fd >= 0; s = s->next) {
			if (s->kind == KMLN_STREAM_CONSOLE)
				show(node, s);
			if (s->kind != KMLN_STREAM_WATCH)
				continue;
			watched = true;
			s->due = s->due || tick;
			tell(node, s);
		}
	}
	if (!watched || node->ready)
		return;
	if (tick)
		node->watch_next = node->now + WATCH_TICK;
	kmln_node_wake(node, node->watch_next);
}

void kmln_streams_ended(struct kmln_node *node)
{
	for (struct kmln_peer *peer = node->server.peers; peer; peer = peer->next) {
		struct kmln_stream *next;

		for (struct kmln_stream *s = peer->streams; s; s = next) {
			struct kmln_json *how;

			next = s->next;
			if (s->kind != KMLN_STREAM_END)
				continue;
			how = kmln_json_object();
			kmln_json_set(
				how, "how", kmln_json_text(node->was_cut ? "cut" : "shutdown"));
			kmln_stream_answer(s, how);
		}
	}
}
