/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the peers of a node asked for, carried out: status, watch, console, end; and the way to the
 * agent for all else. */
#ifndef KMLN_NODE_STREAM_H
#define KMLN_NODE_STREAM_H

#include "node/server.h"

/* Begins what was asked for; `text` is the request as it came. It may close the stream at once. */
void kmln_stream_open(
	struct kmln_stream *stream, const struct kmln_json *request, const char *text, size_t size);
/* A frame for an open stream: DATA within what was allowed, END, CREDIT_MORE, CONTROL. May close
 * it. */
void kmln_stream_take(struct kmln_stream *stream, const struct kmln_frame *frame);
/* It is being freed. */
void kmln_stream_forget(struct kmln_stream *stream);
/* Sends what is due on all streams; once a turn. */
void kmln_streams_work(struct kmln_node *node);
/* Answers all that wait for the end. */
void kmln_streams_ended(struct kmln_node *node);

#endif
