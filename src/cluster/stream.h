/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One stream to a node or to the agent behind it (docs/life.md): what may be sent, what was taken,
 * how it ended. For loops that poll, and, at the end, for those who do one thing after the other.
 * The other side may be hostile: nothing is kept but its last answer.
 */
#ifndef KMLN_CLUSTER_STREAM_H
#define KMLN_CLUSTER_STREAM_H

#include "cluster/control.h"

struct kmln_stream {
	struct kmln_control *control; /* borrowed; NULL: not open */
	uint32_t id;
	uint32_t credit; /* bytes that may be sent */
	uint32_t used; /* bytes that were taken, and not given back as credit yet */
	bool closed; /* the other side has closed it */
	struct kmln_json *answer; /* what it returned then; owned */
	struct kmln_error failure; /* or how it failed */
	unsigned limit_ms; /* of silence, where one waits for it; 0: for ever */
};
#define KMLN_STREAM KMLN_CLEANUP(kmln_stream_fini)

/* Opens it by a request, which is taken over. */
int kmln_stream_open(struct kmln_stream *stream, struct kmln_control *control,
	struct kmln_json *request, struct kmln_error *err);
/* Closes it where the other side has not: what runs for it ends. */
void kmln_stream_fini(struct kmln_stream *stream);

/* How much may be sent now: 0 while too much waits to be sent. */
size_t kmln_stream_room(const struct kmln_stream *stream);
/* `size` is at most kmln_stream_room(). */
void kmln_stream_send(struct kmln_stream *stream, const void *data, size_t size);
/* No more will be sent. */
void kmln_stream_end(struct kmln_stream *stream);
void kmln_stream_signal(struct kmln_stream *stream, int number);
void kmln_stream_resize(struct kmln_stream *stream, unsigned rows, unsigned columns);

/*
 * Looks at a frame that came. True: it is this stream's, and is output (DATA, ERROR_DATA), which
 * counts as used.
 */
bool kmln_stream_take(struct kmln_stream *stream, const struct kmln_frame *frame);
/* How a closed stream ended: 0 and what it returned (valid as long as the stream), or its error. */
int kmln_stream_result(
	const struct kmln_stream *stream, const struct kmln_json **result, struct kmln_error *err);

/*
 * Waits for output: 1 and the frame (valid until the next call), 0 once it has closed. ETIMEDOUT
 * after limit_ms of silence.
 */
int kmln_stream_read(struct kmln_stream *stream, struct kmln_frame *frame, struct kmln_error *err);
/* Sends all, waiting for credit. EPIPE where the stream closes meanwhile: see its result. */
int kmln_stream_write(
	struct kmln_stream *stream, const char *data, size_t size, struct kmln_error *err);
/* Waits until it has closed, whatever still comes; its result. */
int kmln_stream_finish(
	struct kmln_stream *stream, const struct kmln_json **result, struct kmln_error *err);

#endif
