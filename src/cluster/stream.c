// SPDX-License-Identifier: GPL-2.0-or-later
/* Streams: credit both ways, and how they end; see stream.h. */
#include "cluster/stream.h"

#include <poll.h>
#include <string.h>

/* What waits to be sent stays below this. */
#define BACKLOG (2 * KMLN_FRAME_CREDIT)

int kmln_stream_open(struct kmln_stream *stream, struct kmln_control *control,
	struct kmln_json *request, struct kmln_error *err)
{
	int r;

	*stream = (struct kmln_stream){.credit = KMLN_FRAME_CREDIT, .limit_ms = stream->limit_ms};
	r = kmln_control_ask(control, request, &stream->id, err);
	if (r == 0)
		stream->control = control;
	return r < 0 ? r : 0;
}

void kmln_stream_fini(struct kmln_stream *stream)
{
	struct kmln_error ignored;

	if (stream->control && !stream->closed && stream->control->fd >= 0) {
		kmln_control_put(stream->control, KMLN_FRAME_CLOSE, stream->id, NULL, 0);
		/* where it cannot be sent, the line is about to close anyway */
		kmln_control_flush(stream->control, &ignored);
	}
	kmln_json_free(&stream->answer);
	stream->control = NULL;
}

size_t kmln_stream_room(const struct kmln_stream *stream)
{
	if (!stream->control || stream->closed || stream->control->out.size >= BACKLOG)
		return 0;
	return stream->credit;
}

void kmln_stream_send(struct kmln_stream *stream, const void *data, size_t size)
{
	const char *from = data;

	for (size_t n; size; from += n, size -= n) {
		n = size < KMLN_FRAME_MAX ? size : KMLN_FRAME_MAX;
		kmln_control_put(stream->control, KMLN_FRAME_DATA, stream->id, from, n);
		stream->credit -= (uint32_t)n;
	}
}

void kmln_stream_end(struct kmln_stream *stream)
{
	if (stream->control && !stream->closed)
		kmln_control_put(stream->control, KMLN_FRAME_END, stream->id, NULL, 0);
}

static void control(struct kmln_stream *stream, const char *text)
{
	if (stream->control && !stream->closed)
		kmln_control_put(
			stream->control, KMLN_FRAME_CONTROL, stream->id, text, strlen(text));
}

void kmln_stream_signal(struct kmln_stream *stream, int number)
{
	KMLN_FREE char *text = kmln_printf("{\"signal\": %d}", number);

	control(stream, text);
}

void kmln_stream_resize(struct kmln_stream *stream, unsigned rows, unsigned columns)
{
	KMLN_FREE char *text = kmln_printf("{\"rows\": %u, \"columns\": %u}", rows, columns);

	control(stream, text);
}

/* Given back in pieces of some size: each costs a frame, and a byte on a slow line. */
static void take_output(struct kmln_stream *stream, size_t size)
{
	const uint32_t due = KMLN_FRAME_CREDIT / 4;
	unsigned char number[4];

	stream->used += (uint32_t)size;
	if (stream->used < due)
		return;
	for (int i = 0; i < 4; i++)
		number[i] = (unsigned char)(stream->used >> (8 * i));
	kmln_control_put(
		stream->control, KMLN_FRAME_CREDIT_MORE, stream->id, number, sizeof(number));
	stream->used = 0;
}

bool kmln_stream_take(struct kmln_stream *stream, const struct kmln_frame *frame)
{
	uint32_t more;

	if (!stream->control || stream->closed || frame->stream != stream->id)
		return false;
	switch (frame->type) {
	case KMLN_FRAME_DATA:
	case KMLN_FRAME_ERROR_DATA:
		take_output(stream, frame->size);
		return true;
	case KMLN_FRAME_CREDIT_MORE:
		more = kmln_frame_number(frame);
		/* more than fits is as good as much */
		if (kmln_add_overflow(stream->credit, more, &stream->credit))
			stream->credit = UINT32_MAX;
		return false;
	case KMLN_FRAME_CLOSE:
		stream->closed = true;
		kmln_control_answer(frame, &stream->answer, &stream->failure);
		return false;
	default:
		return false;
	}
}

int kmln_stream_result(
	const struct kmln_stream *stream, const struct kmln_json **result, struct kmln_error *err)
{
	if (stream->failure.code) {
		*err = stream->failure;
		return -err->code;
	}
	*result = stream->answer;
	return 0;
}

/* Waits for the line; ETIMEDOUT where nothing happens. */
static int wait_for(struct kmln_stream *stream, struct kmln_error *err)
{
	struct pollfd fd = {.fd = stream->control->fd, .events = POLLIN};
	int sent = kmln_control_flush(stream->control, err), r;

	if (sent < 0)
		return sent;
	fd.events = (short)(POLLIN | (sent ? 0 : POLLOUT));
	r = poll(&fd, 1, stream->limit_ms ? (int)stream->limit_ms : -1);
	if (r < 0 && errno != EINTR)
		return kmln_fail_sys(err, errno, "poll");
	if (r == 0)
		return kmln_fail(
			err, ETIMEDOUT, "no answer for %u seconds", stream->limit_ms / 1000);
	return 0;
}

int kmln_stream_read(struct kmln_stream *stream, struct kmln_frame *frame, struct kmln_error *err)
{
	int r;

	while (!stream->closed) {
		r = kmln_control_take(stream->control, frame, err);
		if (r < 0)
			return r;
		if (r == 0)
			r = wait_for(stream, err);
		else if (kmln_stream_take(stream, frame))
			return 1;
		if (r < 0)
			return r;
	}
	return 0;
}

/* Hears what has come, without waiting. Output of somebody who is written to is of no interest. */
static int hear(struct kmln_stream *stream, struct kmln_error *err)
{
	struct kmln_frame frame;
	int r = 1;

	while (!stream->closed && (r = kmln_control_take(stream->control, &frame, err)) > 0)
		kmln_stream_take(stream, &frame);
	return r < 0 ? r : 0;
}

int kmln_stream_write(
	struct kmln_stream *stream, const char *data, size_t size, struct kmln_error *err)
{
	while (size) {
		int r = hear(stream, err);
		size_t n = kmln_stream_room(stream);

		if (r < 0)
			return r;
		if (stream->closed)
			return kmln_fail(err, EPIPE, "it was closed");
		if (n > size)
			n = size;
		if (n) {
			kmln_stream_send(stream, data, n);
			data += n;
			size -= n;
			r = kmln_control_flush(stream->control, err);
		} else {
			r = wait_for(stream, err);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

int kmln_stream_finish(
	struct kmln_stream *stream, const struct kmln_json **result, struct kmln_error *err)
{
	struct kmln_frame frame;
	int r;

	while ((r = kmln_stream_read(stream, &frame, err)) > 0)
		;
	return r < 0 ? r : kmln_stream_result(stream, result, err);
}
