// SPDX-License-Identifier: GPL-2.0-or-later
/* The asking end of a node's control socket; see control.h. */
#include "cluster/control.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

/* Milliseconds until a node that was asked to end is killed. */
#define END_LIMIT 5000
/* errno values that have a name. */
#define CODES 134

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

pid_t kmln_node_keeper(const char *folder)
{
	KMLN_FREE char *path = kmln_printf("%s/lock", folder);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct kmln_error ignored;
	KMLN_FD int fd = kmln_open(path, O_RDWR | O_NOFOLLOW, 0, &ignored);

	if (fd < 0 || fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		return 0;
	/* a holder in another PID namespace has no number here, but it lives */
	return lock.l_pid > 0 ? lock.l_pid : 1;
}

/* The holder's pidfd, or -1: asked again behind it, so that it is not somebody who got the number
 * later. */
static int open_keeper(const char *folder)
{
	pid_t pid = kmln_node_keeper(folder);
	int fd = pid > 1 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	if (fd >= 0 && kmln_node_keeper(folder) != pid)
		kmln_close_cleanup(&fd);
	return fd;
}

int kmln_node_kill(const char *folder, struct kmln_error *err)
{
	static const int signals[] = {SIGTERM, SIGKILL};

	for (size_t i = 0; i < KMLN_COUNT(signals) && kmln_node_keeper(folder); i++) {
		KMLN_FD int fd = open_keeper(folder);
		struct pollfd end = {fd, POLLIN, 0};

		if (fd < 0)
			continue;
		if (syscall(SYS_pidfd_send_signal, fd, signals[i], NULL, 0) < 0 && errno != ESRCH)
			return kmln_fail_sys(err, errno, "%s: its keeper", folder);
		while (poll(&end, 1, END_LIMIT) < 0 && errno == EINTR)
			;
	}
	if (kmln_node_keeper(folder))
		return kmln_fail(err, EBUSY, "%s: its keeper does not end", folder);
	return 0;
}

/* The address of the socket in a folder however long its path: through a descriptor. */
static void address_of(struct sockaddr_un *address, int folder)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/control", folder);
}

int kmln_control_open(struct kmln_control *control, const char *folder, struct kmln_error *err)
{
	struct kmln_error ignored;
	KMLN_FD int at = kmln_open(folder, O_PATH | O_DIRECTORY, 0, &ignored);
	struct sockaddr_un address;
	int r;

	*control = KMLN_CONTROL_NONE;
	if (at < 0 && ignored.code == ENOENT)
		return kmln_fail(err, KMLN_ENO, "it does not run");
	if (at < 0)
		return kmln_fail(err, ignored.code, "%s", ignored.text);
	address_of(&address, at);
	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->fd < 0)
		return kmln_fail_sys(err, errno, "socket");
	do
		r = connect(control->fd, (struct sockaddr *)&address, sizeof(address));
	while (r < 0 && errno == EINTR);
	if (r < 0) {
		r = errno;
		kmln_close_cleanup(&control->fd);
		if (r == ENOENT || r == ECONNREFUSED)
			return kmln_fail(err, KMLN_ENO, "it does not run");
		/* nobody takes those in who wait there already */
		if (r == EAGAIN)
			return kmln_fail(err, ETIMEDOUT, "its keeper does not answer");
		return kmln_fail_sys(err, r, "%s/control", folder);
	}
	return 0;
}

void kmln_control_close(struct kmln_control *control)
{
	kmln_close_cleanup(&control->fd);
	kmln_buf_fini(&control->out);
	kmln_buf_fini(&control->in.bytes);
	control->rest_size = 0;
}

int kmln_control_ask(struct kmln_control *control, struct kmln_json *request, uint32_t *stream,
	struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf text = {0};

	kmln_json_line(request, &text);
	kmln_json_free(&request);
	if (text.size > KMLN_FRAME_MAX)
		return kmln_fail(err, E2BIG, "%zu bytes are too much to ask in one piece (%d)",
			text.size, KMLN_FRAME_MAX);
	*stream = ++control->last;
	kmln_control_put(control, KMLN_FRAME_OPEN, *stream, text.data, text.size);
	return 0;
}

void kmln_control_put(struct kmln_control *control, enum kmln_frame_type type, uint32_t stream,
	const void *data, size_t size)
{
	kmln_frame_put(&control->out, type, stream, data, size);
}

int kmln_control_flush(struct kmln_control *control, struct kmln_error *err)
{
	struct kmln_buf *out = &control->out;
	size_t sent = 0;
	int r = 1;

	while (r == 1 && sent < out->size) {
		ssize_t n = send(control->fd, out->data + sent, out->size - sent, MSG_NOSIGNAL);

		if (n > 0)
			sent += (size_t)n;
		else if (n < 0 && errno == EAGAIN)
			r = 0;
		else if (n < 0 && errno != EINTR)
			r = kmln_fail(err, EPIPE, "the node has ended");
	}
	if (sent) {
		memmove(out->data, out->data + sent, out->size - sent);
		out->size -= sent;
	}
	return r;
}

/* Reads a piece: 1, 0 where there is none, or a negative code. */
static int receive(struct kmln_control *control, struct kmln_error *err)
{
	ssize_t n;

	do
		n = read(control->fd, control->piece, sizeof(control->piece));
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		return kmln_fail(err, EPIPE, "the node has ended");
	control->rest = control->piece;
	control->rest_size = (size_t)n;
	return 1;
}

int kmln_control_take(
	struct kmln_control *control, struct kmln_frame *frame, struct kmln_error *err)
{
	for (;;) {
		int r;

		if (kmln_frame_take(&control->in, &control->rest, &control->rest_size)) {
			*frame = control->in.frame;
			return 1;
		}
		if (control->in.broken)
			return kmln_fail(err, EPROTO, "what the node says is no frame");
		r = receive(control, err);
		if (r <= 0)
			return r;
	}
}

int kmln_control_code(const char *name)
{
	/* the other name of EOPNOTSUPP */
	if (kmln_eq(name, "ENOTSUP"))
		return ENOTSUP;
	for (int code = 1; name && code < CODES; code++)
		if (kmln_eq(strerrorname_np(code), name))
			return code;
	return EIO;
}

int kmln_control_answer(
	const struct kmln_frame *frame, struct kmln_json **answer, struct kmln_error *err)
{
	KMLN_JSON struct kmln_json *object = NULL;
	const char *words;
	int r = kmln_json_parse(frame->data, frame->size, &object, err);

	if (r < 0)
		return kmln_wrap(err, "the answer");
	words = kmln_json_get(object, "error");
	if (words)
		return kmln_fail(
			err, kmln_control_code(kmln_json_get(object, "code")), "%s", words);
	*answer = kmln_json_copy(kmln_json_member(object, "return"));
	return 0;
}

/* Waits until the node has said or can be told something. */
static int wait_for(const struct kmln_control *control, int64_t deadline, struct kmln_error *err)
{
	struct pollfd fd = {control->fd, control->out.size ? POLLIN | POLLOUT : POLLIN, 0};
	int64_t left = deadline - now();

	if (deadline && left <= 0)
		return kmln_fail(err, ETIMEDOUT, "no answer");
	if (poll(&fd, 1, !deadline ? -1 : left > 60000 ? 60000 : (int)left) < 0 && errno != EINTR)
		return kmln_fail_sys(err, errno, "poll");
	return 0;
}

int kmln_control_call(const char *folder, struct kmln_json *request, unsigned limit_ms,
	struct kmln_json **answer, struct kmln_error *err)
{
	KMLN_JSON struct kmln_json *owned = request;
	KMLN_CONTROL struct kmln_control control = KMLN_CONTROL_NONE;
	int64_t deadline = limit_ms ? now() + limit_ms : 0;
	uint32_t stream = 0;
	int r = kmln_control_open(&control, folder, err);

	if (r == 0) {
		owned = NULL;
		r = kmln_control_ask(&control, request, &stream, err);
	}
	while (r >= 0) {
		struct kmln_frame frame;

		r = kmln_control_take(&control, &frame, err);
		if (r > 0 && frame.type == KMLN_FRAME_CLOSE && frame.stream == stream)
			return kmln_control_answer(&frame, answer, err);
		if (r == 0)
			r = kmln_control_flush(&control, err) < 0
				    ? -err->code
				    : wait_for(&control, deadline, err);
	}
	return r;
}
