/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A node's control socket: who asks (peers), and what they asked for (streams). Frames of peers are
 * taken here and handed to stream.c; what goes back to a peer is queued here. A peer is a process
 * of the same user; it is trusted to be ours, not to be quick: what it is sent is bounded by the
 * credit that it gave.
 */
#ifndef KMLN_NODE_SERVER_H
#define KMLN_NODE_SERVER_H

#include "channel/frame.h"
#include "text/json.h"

#define KMLN_PEERS 64
/* Of one peer at a time. */
#define KMLN_STREAMS 64

struct kmln_node;
struct kmln_peer;
struct kmln_lane;

enum kmln_stream_kind {
	KMLN_STREAM_WATCH,
	KMLN_STREAM_CONSOLE,
	KMLN_STREAM_END,
	KMLN_STREAM_AGENT, /* goes to the agent in the guest */
};

struct kmln_stream {
	struct kmln_stream *next; /* of the same peer */
	struct kmln_peer *peer;
	uint32_t number;
	enum kmln_stream_kind kind;
	uint32_t credit; /* bytes that the peer takes */
	uint32_t allowed; /* bytes that the peer may send */
	uint64_t position; /* CONSOLE: what comes next */
	uint32_t typed; /* CONSOLE: bytes taken and not given back as credit */
	bool due; /* WATCH: something has changed */
	struct kmln_lane *lane; /* AGENT */
};

struct kmln_peer {
	struct kmln_peer *next;
	struct kmln_node *node;
	int fd; /* -1: it has gone */
	struct kmln_frame_reader in;
	struct kmln_buf out;
	size_t tail; /* where the last frame begins in `out`; SIZE_MAX: it is on its way */
	struct kmln_stream *streams;
	unsigned count;
};

struct kmln_server {
	int listener;
	struct kmln_peer *peers;
	unsigned count;
};
#define KMLN_SERVER_NONE ((struct kmln_server){.listener = -1})

/* Listens in the folder (a descriptor); what another run left there is taken away. */
int kmln_server_open(struct kmln_server *server, int folder, struct kmln_error *err);
/* No more can be asked, and the socket's name is gone; answers can still be sent. */
void kmln_server_shut(struct kmln_server *server, int folder);
/* Sends what is left for up to a second, and frees all. */
void kmln_server_close(struct kmln_node *node);

void kmln_server_accept(struct kmln_node *node);
/* Both mark a peer that has gone by its fd. */
void kmln_peer_read(struct kmln_peer *peer);
void kmln_peer_write(struct kmln_peer *peer);
/* Frees peers that have gone. */
void kmln_server_sweep(struct kmln_node *node);

/* Queues a frame. DATA and ERROR_DATA take credit, which must be there. */
void kmln_stream_send(
	struct kmln_stream *stream, enum kmln_frame_type type, const void *data, size_t size);
/* The peer may send so many bytes more. */
void kmln_stream_allow(struct kmln_stream *stream, uint32_t more);
/* Both end the stream: {"return": value}, which is taken over, and {"error": text, "code": name}.
 */
void kmln_stream_answer(struct kmln_stream *stream, struct kmln_json *value);
void kmln_stream_refuse(struct kmln_stream *stream, int code, const char *text);
/* Ends it with an answer that is there already. */
void kmln_stream_close(struct kmln_stream *stream, const void *answer, size_t size);

#endif
