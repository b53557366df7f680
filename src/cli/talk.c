// SPDX-License-Identifier: GPL-2.0-or-later
/* The loop between our descriptors and streams; see talk.h. */
#include "cli/talk.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "run/terminal.h"

#define ESCAPE 0x1d /* Ctrl-] */
/* Nothing more is heard while so much waits for our own outputs, bytes. */
#define PENDING_MAX 65536
/* A pipe that can be written takes so many bytes without blocking. */
#define PIECE 4096

struct loop {
	struct kmln_talk *talk;
	struct pollfd *fds; /* input, outputs, signals, then the talkers */
	struct kmln_buf pending[2];
	size_t written[2]; /* of pending */
	bool regular[2]; /* files, which never block */
	int signals;
	bool input_over;
	unsigned escapes; /* seen in a row */
	unsigned wishes; /* signals of the user's to end it */
	int64_t escaped, wished; /* the first of them, ms */
	int64_t deadline; /* 0: none */
	bool over;
	enum kmln_talk_end end;
};

enum { INPUT, OUTPUT, ERRORS, SIGNALS, TALKERS };

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct kmln_json *kmln_request(const char *what)
{
	struct kmln_json *request = kmln_json_object();

	kmln_json_set(request, "do", kmln_json_text(what));
	return request;
}

void kmln_terminal_size(unsigned *rows, unsigned *columns)
{
	struct winsize size = {0};

	if (ioctl(1, TIOCGWINSZ, &size) < 0 || !size.ws_row)
		ioctl(0, TIOCGWINSZ, &size);
	*rows = size.ws_row ? size.ws_row : 24;
	*columns = size.ws_col ? size.ws_col : 80;
}

void kmln_talker_fini(struct kmln_talker *talker)
{
	kmln_stream_fini(&talker->stream);
	kmln_control_close(&talker->control);
	for (int i = 0; i < 2; i++)
		kmln_buf_fini(&talker->lines[i].line);
}

static bool talks(const struct kmln_talker *talker)
{
	return talker->stream.control && !talker->stream.closed && !talker->gone;
}

static void finish(struct loop *loop, enum kmln_talk_end end)
{
	loop->over = true;
	loop->end = end;
}

/* ---- our own outputs ---- */

static size_t waiting(const struct loop *loop)
{
	return loop->pending[0].size - loop->written[0] + loop->pending[1].size - loop->written[1];
}

static int write_piece(struct loop *loop, int which, struct kmln_error *err)
{
	struct kmln_buf *buf = &loop->pending[which];
	size_t left = buf->size - loop->written[which];
	ssize_t n;

	if (!loop->regular[which] && left > PIECE)
		left = PIECE;
	n = left ? write(which + 1, buf->data + loop->written[which], left) : 0;
	if (n < 0 && errno != EINTR && errno != EAGAIN)
		return kmln_fail_sys(err, errno, which ? "standard error" : "standard output");
	loop->written[which] += n > 0 ? (size_t)n : 0;
	if (loop->written[which] == buf->size)
		buf->size = loop->written[which] = 0;
	return 0;
}

/* ---- what comes from the nodes ---- */

static void pass(struct loop *loop, size_t index, const struct kmln_frame *frame)
{
	struct kmln_talk *talk = loop->talk;
	bool is_error = frame->type == KMLN_FRAME_ERROR_DATA;
	struct kmln_buf *out = &loop->pending[is_error];

	if (talk->take)
		talk->take(talk->data, index, is_error, frame->data, frame->size);
	else if (talk->prefixed)
		kmln_prefixer_add(
			&talk->talkers[index].lines[is_error], frame->data, frame->size, out);
	else
		kmln_buf_add(out, frame->data, frame->size);
}

/* Takes what has come; false once nothing more may be kept. */
static void hear(struct loop *loop, size_t index)
{
	struct kmln_talker *talker = &loop->talk->talkers[index];
	struct kmln_frame frame;
	int r = 0;

	while (talks(talker) && waiting(loop) < PENDING_MAX) {
		r = kmln_control_take(&talker->control, &frame, &talker->failure);
		if (r <= 0)
			break;
		if (kmln_stream_take(&talker->stream, &frame))
			pass(loop, index, &frame);
	}
	if (r == 0 && talks(talker))
		r = kmln_control_flush(&talker->control, &talker->failure);
	/* it may have said its last before the line broke */
	if (r < 0 && !talker->stream.closed)
		talker->gone = true;
	if (!talks(talker) && loop->talk->prefixed && !loop->talk->take)
		for (int i = 0; i < 2; i++)
			kmln_prefixer_end(&talker->lines[i], &loop->pending[i]);
}

/* ---- what comes from the user ---- */

/* The bytes that are passed on: all but Ctrl-]s that mean leaving. */
static size_t look_for_escape(struct loop *loop, const char *bytes, size_t size)
{
	for (size_t i = 0; loop->talk->raw && i < size; i++) {
		if (bytes[i] != ESCAPE) {
			loop->escapes = 0;
			continue;
		}
		if (!loop->escapes++ || now() - loop->escaped > 1000) {
			loop->escaped = now();
			loop->escapes = 1;
		}
		if (loop->escapes >= loop->talk->escapes) {
			finish(loop, KMLN_TALK_DETACHED);
			return i;
		}
	}
	return size;
}

/* How much may be read: what all of them can take. */
static size_t room(const struct loop *loop)
{
	size_t least = KMLN_FRAME_MAX;
	bool any = false;

	for (size_t i = 0; i < loop->talk->count; i++) {
		const struct kmln_talker *talker = &loop->talk->talkers[i];
		size_t one = kmln_stream_room(&talker->stream);

		if (!talks(talker))
			continue;
		any = true;
		if (one < least)
			least = one;
	}
	return any ? least : 0;
}

static void read_input(struct loop *loop)
{
	char bytes[KMLN_FRAME_MAX];
	ssize_t n = read(0, bytes, room(loop));
	size_t size;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	loop->input_over = n <= 0;
	size = n > 0 ? look_for_escape(loop, bytes, (size_t)n) : 0;
	for (size_t i = 0; i < loop->talk->count; i++) {
		struct kmln_talker *talker = &loop->talk->talkers[i];

		if (!talks(talker))
			continue;
		kmln_stream_send(&talker->stream, bytes, size);
		if (n <= 0 && !loop->talk->endless)
			kmln_stream_end(&talker->stream);
	}
}

static void pass_signal(struct loop *loop, int number)
{
	unsigned rows, columns;

	kmln_terminal_size(&rows, &columns);
	for (size_t i = 0; i < loop->talk->count; i++) {
		struct kmln_stream *stream = &loop->talk->talkers[i].stream;

		if (number == SIGWINCH)
			kmln_stream_resize(stream, rows, columns);
		else
			kmln_stream_signal(stream, number);
	}
	if (number == SIGWINCH)
		return;
	/* one who asks three times means it, whatever the command makes of it */
	if (!loop->wishes++ || now() - loop->wished > 3000) {
		loop->wished = now();
		loop->wishes = 1;
	}
	if (loop->wishes >= 3)
		finish(loop, KMLN_TALK_ENOUGH);
}

static void read_signal(struct loop *loop)
{
	struct signalfd_siginfo info;

	if (read(loop->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		pass_signal(loop, (int)info.ssi_signo);
}

static int open_signals(struct loop *loop, sigset_t *before, struct kmln_error *err)
{
	static const int passed[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction action;
	sigset_t set;

	sigemptyset(&set);
	if (loop->talk->resize)
		sigaddset(&set, SIGWINCH);
	for (size_t i = 0; loop->talk->signals && i < KMLN_COUNT(passed); i++)
		/* of nohup and of shells' background jobs */
		if (sigaction(passed[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(&set, passed[i]);
	loop->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (loop->signals < 0)
		return kmln_fail_sys(err, errno, "signalfd");
	sigprocmask(SIG_BLOCK, &set, before);
	return 0;
}

/* ---- all together ---- */

/* Sets what is waited for; false once nothing is left to wait for. */
static bool prepare(struct loop *loop)
{
	struct kmln_talk *talk = loop->talk;
	bool full = waiting(loop) >= PENDING_MAX, any = false;

	loop->fds[SIGNALS] = (struct pollfd){loop->signals, POLLIN, 0};
	for (int i = 0; i < 2; i++)
		loop->fds[OUTPUT + i] =
			(struct pollfd){loop->pending[i].size ? i + 1 : -1, POLLOUT, 0};
	for (size_t i = 0; i < talk->count; i++) {
		struct kmln_talker *talker = &talk->talkers[i];
		bool live = talks(talker);

		any = any || live;
		loop->fds[TALKERS + i] = (struct pollfd){live ? talker->control.fd : -1,
			(short)((full ? 0 : POLLIN) | (talker->control.out.size ? POLLOUT : 0)), 0};
	}
	loop->fds[INPUT] =
		(struct pollfd){talk->input && !loop->input_over && room(loop) ? 0 : -1, POLLIN, 0};
	return any || waiting(loop);
}

static int wait_for(struct loop *loop, struct kmln_error *err)
{
	int64_t left = loop->deadline ? loop->deadline - now() : -1;
	int n = loop->deadline && left <= 0 ? 0
					    : poll(loop->fds, TALKERS + loop->talk->count,
						      left > 60000 ? 60000 : (int)left);

	if (n < 0 && errno != EINTR)
		return kmln_fail_sys(err, errno, "poll");
	if (n < 0)
		memset(loop->fds, 0, (TALKERS + loop->talk->count) * sizeof(*loop->fds));
	if (loop->deadline && now() >= loop->deadline)
		finish(loop, KMLN_TALK_TIMEOUT);
	return 0;
}

static int turn(struct loop *loop, struct kmln_error *err)
{
	int r = wait_for(loop, err);

	for (int i = 0; r == 0 && i < 2; i++)
		if (loop->fds[OUTPUT + i].revents)
			r = write_piece(loop, i, err);
	if (r < 0)
		return r;
	if (loop->fds[SIGNALS].revents)
		read_signal(loop);
	if (loop->fds[INPUT].revents)
		read_input(loop);
	for (size_t i = 0; i < loop->talk->count; i++)
		hear(loop, i);
	return 0;
}

static void loop_fini(struct loop *loop)
{
	kmln_buf_fini(&loop->pending[0]);
	kmln_buf_fini(&loop->pending[1]);
	kmln_close_cleanup(&loop->signals);
}

int kmln_talk(struct kmln_talk *talk, enum kmln_talk_end *end, struct kmln_error *err)
{
	KMLN_FREE struct pollfd *fds = kmln_malloc((TALKERS + talk->count) * sizeof(*fds));
	KMLN_CLEANUP(loop_fini)
	struct loop loop = {.talk = talk,
		.fds = fds,
		.signals = -1,
		.deadline = talk->limit_ms ? now() + talk->limit_ms : 0};
	sigset_t before;
	int r = open_signals(&loop, &before, err);

	if (r < 0)
		return r;
	for (int i = 0; i < 2; i++) {
		struct stat st;

		loop.regular[i] = fstat(i + 1, &st) == 0 && S_ISREG(st.st_mode);
	}
	for (size_t i = 0; i < talk->count; i++)
		hear(&loop, i);
	while (r == 0 && !loop.over && prepare(&loop))
		r = turn(&loop, err);
	sigprocmask(SIG_SETMASK, &before, NULL);
	/* what has come is shown, whatever ended it */
	while (r == 0 && waiting(&loop) && loop.end != KMLN_TALK_ENOUGH) {
		prepare(&loop);
		poll(&loop.fds[OUTPUT], 2, -1);
		for (int i = 0; r == 0 && i < 2; i++)
			if (loop.fds[OUTPUT + i].revents)
				r = write_piece(&loop, i, err);
	}
	*end = loop.end;
	return r;
}
