// SPDX-License-Identifier: GPL-2.0-or-later
/* The control socket; see server.h. */
#include "node/server.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "node/node.h"
#include "node/stream.h"

#define SOCKET "control"
/* Milliseconds for the last answers. */
#define LINGER 1000

int kmln_server_open(struct kmln_server *server, int folder, struct kmln_error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->listener < 0)
		return kmln_fail_sys(err, errno, "socket");
	/* the folder's own path may be too long for an address */
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" SOCKET, folder);
	if (unlinkat(folder, SOCKET, 0) < 0 && errno != ENOENT)
		return kmln_fail_sys(err, errno, SOCKET);
	if (bind(server->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(server->listener, KMLN_PEERS) < 0)
		return kmln_fail_sys(err, errno, SOCKET);
	return 0;
}

void kmln_server_shut(struct kmln_server *server, int folder)
{
	if (server->listener >= 0)
		unlinkat(folder, SOCKET, 0);
	kmln_close_cleanup(&server->listener);
}

static bool is_ours(int fd)
{
	struct ucred who;
	socklen_t size = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && who.uid == geteuid();
}

void kmln_server_accept(struct kmln_node *node)
{
	struct kmln_server *server = &node->server;
	int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct kmln_peer *peer;

	if (fd < 0)
		return;
	if (!is_ours(fd) || server->count >= KMLN_PEERS) {
		close(fd);
		return;
	}
	peer = kmln_malloc(sizeof(*peer));
	*peer = (struct kmln_peer){
		.next = server->peers,
		.node = node,
		.fd = fd,
		.tail = SIZE_MAX,
	};
	server->peers = peer;
	server->count++;
}

/* ---- towards a peer ---- */

/* Many small pieces of one stream become one frame: what a peer leaves unread then takes no more
 * room than its credit. */
static bool extend(struct kmln_peer *peer, const struct kmln_stream *stream, int type,
	const void *data, size_t size)
{
	unsigned char *head;
	size_t old;

	if (peer->tail >= peer->out.size)
		return false;
	head = (unsigned char *)peer->out.data + peer->tail;
	old = peer->out.size - peer->tail - KMLN_FRAME_HEAD;
	if (head[1] != type || old + size > KMLN_FRAME_MAX ||
		(head[4] | (uint32_t)head[5] << 8 | (uint32_t)head[6] << 16 |
			(uint32_t)head[7] << 24) != stream->number)
		return false;
	head[2] = (unsigned char)(old + size);
	head[3] = (unsigned char)((old + size) >> 8);
	kmln_buf_add(&peer->out, data, size);
	return true;
}

void kmln_stream_send(
	struct kmln_stream *stream, enum kmln_frame_type type, const void *data, size_t size)
{
	struct kmln_peer *peer = stream->peer;
	const bool counted = type == KMLN_FRAME_DATA || type == KMLN_FRAME_ERROR_DATA;

	if (peer->fd < 0)
		return;
	if (counted)
		stream->credit -= (uint32_t)size;
	if (counted && extend(peer, stream, (int)type, data, size))
		return;
	peer->tail = peer->out.size;
	kmln_frame_put(&peer->out, type, stream->number, data, size);
}

void kmln_stream_allow(struct kmln_stream *stream, uint32_t more)
{
	stream->allowed += more;
	if (stream->peer->fd < 0 || !more)
		return;
	stream->peer->tail = SIZE_MAX;
	kmln_frame_put_number(&stream->peer->out, KMLN_FRAME_CREDIT_MORE, stream->number, more);
}

/* Takes it from its peer and frees it. */
static void drop(struct kmln_stream *stream)
{
	struct kmln_stream **link = &stream->peer->streams;

	while (*link != stream)
		link = &(*link)->next;
	*link = stream->next;
	stream->peer->count--;
	kmln_stream_forget(stream);
	free(stream);
}

void kmln_stream_close(struct kmln_stream *stream, const void *answer, size_t size)
{
	kmln_stream_send(stream, KMLN_FRAME_CLOSE, answer, size);
	drop(stream);
}

static void close_with(struct kmln_stream *stream, struct kmln_json *object)
{
	KMLN_BUF struct kmln_buf text = {0};

	kmln_json_line(object, &text);
	kmln_json_free(&object);
	if (text.size <= KMLN_FRAME_MAX)
		kmln_stream_close(stream, text.data, text.size);
	else
		kmln_stream_refuse(stream, EMSGSIZE, "the answer is too long");
}

void kmln_stream_answer(struct kmln_stream *stream, struct kmln_json *value)
{
	struct kmln_json *object = kmln_json_object();

	kmln_json_set(object, "return", value);
	close_with(stream, object);
}

void kmln_stream_refuse(struct kmln_stream *stream, int code, const char *text)
{
	struct kmln_json *object = kmln_json_object();

	kmln_json_set(object, "error", kmln_json_text(text));
	kmln_json_set(object, "code", kmln_json_text(kmln_code_name(code)));
	close_with(stream, object);
}

void kmln_peer_write(struct kmln_peer *peer)
{
	size_t sent = 0;

	while (peer->fd >= 0 && sent < peer->out.size) {
		ssize_t n =
			send(peer->fd, peer->out.data + sent, peer->out.size - sent, MSG_NOSIGNAL);

		if (n > 0)
			sent += (size_t)n;
		else if (n < 0 && errno == EAGAIN)
			break;
		else if (errno != EINTR)
			kmln_close_cleanup(&peer->fd);
	}
	if (!sent)
		return;
	peer->tail = peer->tail != SIZE_MAX && peer->tail >= sent ? peer->tail - sent : SIZE_MAX;
	memmove(peer->out.data, peer->out.data + sent, peer->out.size - sent);
	peer->out.size -= sent;
}

/* ---- from a peer ---- */

static struct kmln_stream *find(const struct kmln_peer *peer, uint32_t number)
{
	struct kmln_stream *stream = peer->streams;

	while (stream && stream->number != number)
		stream = stream->next;
	return stream;
}

/* False for what no peer of ours says. */
static bool open_stream(struct kmln_peer *peer, const struct kmln_frame *frame)
{
	KMLN_JSON struct kmln_json *request = NULL;
	struct kmln_error err = {0};
	struct kmln_stream *stream;

	if (find(peer, frame->stream) || !frame->stream || peer->count >= KMLN_STREAMS)
		return false;
	stream = kmln_malloc(sizeof(*stream));
	*stream = (struct kmln_stream){
		.next = peer->streams,
		.peer = peer,
		.number = frame->stream,
		.credit = KMLN_FRAME_CREDIT,
		.allowed = KMLN_FRAME_CREDIT,
	};
	peer->streams = stream;
	peer->count++;
	if (kmln_json_parse(frame->data, frame->size, &request, &err) < 0)
		kmln_stream_refuse(stream, EINVAL, err.text);
	else
		kmln_stream_open(stream, request, frame->data, frame->size);
	return true;
}

static bool take_frame(struct kmln_peer *peer, const struct kmln_frame *frame)
{
	struct kmln_stream *stream = find(peer, frame->stream);
	uint32_t more;

	if (frame->type == KMLN_FRAME_OPEN)
		return open_stream(peer, frame);
	/* what is on the way while an answer is */
	if (!stream)
		return true;
	switch (frame->type) {
	case KMLN_FRAME_DATA:
		if (frame->size > stream->allowed)
			return false;
		stream->allowed -= frame->size;
		break;
	case KMLN_FRAME_CREDIT_MORE:
		more = kmln_frame_number(frame);
		if (kmln_add_overflow(stream->credit, more, &stream->credit))
			return false;
		break;
	case KMLN_FRAME_END:
	case KMLN_FRAME_CONTROL:
		break;
	case KMLN_FRAME_CLOSE:
		drop(stream);
		return true;
	default:
		return false;
	}
	kmln_stream_take(stream, frame);
	return true;
}

void kmln_peer_read(struct kmln_peer *peer)
{
	char piece[KMLN_FRAME_MAX];
	const char *rest = piece;
	ssize_t n = read(peer->fd, piece, sizeof(piece));
	size_t size = n > 0 ? (size_t)n : 0;
	bool fine = n > 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	while (fine && kmln_frame_take(&peer->in, &rest, &size))
		fine = take_frame(peer, &peer->in.frame);
	if (!fine || peer->in.broken)
		kmln_close_cleanup(&peer->fd);
}

static void free_peer(struct kmln_peer *peer)
{
	while (peer->streams)
		drop(peer->streams);
	kmln_close_cleanup(&peer->fd);
	kmln_buf_fini(&peer->in.bytes);
	kmln_buf_fini(&peer->out);
	free(peer);
}

void kmln_server_sweep(struct kmln_node *node)
{
	struct kmln_peer **link = &node->server.peers;

	while (*link) {
		struct kmln_peer *peer = *link;

		if (peer->fd >= 0) {
			link = &peer->next;
			continue;
		}
		*link = peer->next;
		node->server.count--;
		free_peer(peer);
		/* the guest is told of what was given up in the next turn */
		kmln_node_wake(node, 0);
	}
}

void kmln_server_close(struct kmln_node *node)
{
	int64_t deadline = kmln_node_now() + LINGER, time;

	for (struct kmln_peer *peer = node->server.peers; peer; peer = peer->next) {
		struct pollfd fd = {peer->fd, POLLOUT, 0};

		kmln_peer_write(peer);
		while (peer->fd >= 0 && peer->out.size && (time = kmln_node_now()) < deadline) {
			poll(&fd, 1, (int)(deadline - time));
			kmln_peer_write(peer);
		}
		kmln_close_cleanup(&peer->fd);
	}
	kmln_server_sweep(node);
	kmln_close_cleanup(&node->server.listener);
}
