// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The loop that carries out actions; see machine.h. One turn() waits for whatever happens first and
 * moves bytes; each step turns until it has what it wants. Memory is bounded: what is not yet
 * shown or typed holds back its source.
 */
#include "run/machine.h"

#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "run/console.h"
#include "run/daemon.h"
#include "run/judge.h"
#include "run/process.h"
#include "run/terminal.h"
#include "run/typing.h"

#define TO_USER_LIMIT 65536
#define TO_GUEST_LIMIT 4096
#define WALLS_LIMIT 512

/* Milliseconds. */
#define TICK 25 /* how often is looked whether more can be typed */
#define LAST_WORDS 1000 /* a kernel that panicked may speak on for so long */
#define NEVER INT64_MAX

struct machine {
	const struct kmln_spawn *spawn;
	struct kmln_process process;
	struct kmln_daemon daemon; /* serves its disk; or not started */
	struct kmln_console console, words;
	struct kmln_buf walls, to_user, to_guest;
	int signals; /* signalfd */
	struct kmln_typing typing;
	int64_t started;
	int64_t panicked; /* 0, or when it was seen */
	bool attached, raw, input_ended;
	bool ended; /* the process has; what it wrote may still be to be read */
	bool lost; /* the daemon ended before it */
	bool quit; /* the user wants no more */
	int number; /* of the signal that ended us; 0 */
};

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Takes bytes off the front. */
static void take(struct kmln_buf *buf, size_t size)
{
	memmove(buf->data, buf->data + size, buf->size - size);
	buf->size -= size;
}

static void type(struct machine *m, int64_t time)
{
	bool unfinished = m->console.text.size > m->console.line;
	size_t size = kmln_typing_room(&m->typing, unfinished, time);
	ssize_t n;

	if (size > m->to_guest.size)
		size = m->to_guest.size;
	if (!size || m->process.console < 0)
		return;
	n = write(m->process.console, m->to_guest.data, size);
	if (n > 0) {
		kmln_typing_typed(&m->typing, m->to_guest.data, (size_t)n, time);
		take(&m->to_guest, (size_t)n);
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		m->to_guest.size = 0;
	}
}

/* Reads what there is; closes at the end. Once the process has ended, an empty source is at its
 * end as well: nobody of ours can hold its other side. */
static ssize_t receive(struct machine *m, int *fd, char *piece, size_t room)
{
	ssize_t n = *fd >= 0 ? read(*fd, piece, room) : 0;

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) ||
		(n < 0 && errno == EAGAIN && m->ended))
		kmln_close_cleanup(fd);
	return n;
}

static void hear(struct machine *m, int64_t time)
{
	char piece[16384];
	ssize_t n = receive(m, &m->process.console, piece, sizeof(piece));

	if (n <= 0)
		return;
	kmln_typing_heard(&m->typing, (size_t)n, time);
	kmln_console_add(&m->console, piece, (size_t)n);
	kmln_buf_add(&m->to_user, piece, (size_t)n);
}

static void read_words(struct machine *m)
{
	char piece[4096];
	ssize_t n = receive(m, &m->process.words, piece, sizeof(piece));

	if (n > 0)
		kmln_console_add(&m->words, piece, (size_t)n);
}

static void read_walls(struct machine *m)
{
	char piece[256];
	ssize_t n = receive(m, &m->process.walls, piece, sizeof(piece));

	if (n > 0 && m->walls.size < WALLS_LIMIT)
		kmln_buf_add(&m->walls, piece, (size_t)n);
}

static void read_keys(struct machine *m)
{
	char piece[1024];
	ssize_t n = read(0, piece, sizeof(piece));
	const char *quit;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		/* the guest's line stays open: it is not told that there is no more to come */
		m->input_ended = true;
		return;
	}
	quit = m->raw ? memchr(piece, KMLN_MACHINE_QUIT, (size_t)n) : NULL;
	m->quit = quit != NULL;
	kmln_buf_add(&m->to_guest, piece, quit ? (size_t)(quit - piece) : (size_t)n);
}

static void read_signal(struct machine *m)
{
	struct signalfd_siginfo info;

	if (read(m->signals, &info, sizeof(info)) == sizeof(info))
		m->number = (int)info.ssi_signo;
}

static int show(struct machine *m, struct kmln_error *err)
{
	/* a pipe that polls as writable takes so much without blocking */
	size_t size = m->to_user.size < 4096 ? m->to_user.size : 4096;
	ssize_t n = write(1, m->to_user.data, size);

	if (n < 0 && errno != EINTR && errno != EAGAIN)
		return kmln_fail_sys(err, errno, "standard output");
	if (n > 0)
		take(&m->to_user, (size_t)n);
	return 0;
}

static int wait_time(const struct machine *m, int64_t deadline, int64_t time)
{
	int64_t left = deadline - time;

	if (m->to_guest.size && left > TICK)
		left = TICK;
	if (m->panicked && left > LAST_WORDS / 4)
		left = LAST_WORDS / 4;
	return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

static int turn(struct machine *m, int64_t deadline, struct kmln_error *err)
{
	bool room = m->to_user.size < TO_USER_LIMIT;
	bool keys = m->attached && !m->input_ended && m->to_guest.size < TO_GUEST_LIMIT;
	struct pollfd fds[] = {
		{m->signals, POLLIN, 0},
		{m->to_user.size ? 1 : -1, POLLOUT, 0},
		{room ? m->process.console : -1, POLLIN, 0},
		{m->process.words, POLLIN, 0},
		{m->process.walls, POLLIN, 0},
		{m->ended ? -1 : m->process.pidfd, POLLIN, 0},
		{keys ? 0 : -1, POLLIN, 0},
		{m->lost ? -1 : m->daemon.process.pidfd, POLLIN, 0},
		{m->daemon.process.words, POLLIN, 0},
		{m->daemon.process.console, POLLIN, 0},
	};
	int64_t time = now();
	/* after the end nothing announces that a source is empty */
	bool rest = m->ended && room && (m->process.console >= 0 || m->process.words >= 0);
	int limit = rest ? 0 : wait_time(m, deadline, time);

	if (poll(fds, KMLN_COUNT(fds), limit) < 0 && errno != EINTR)
		return kmln_fail_sys(err, errno, "poll");
	time = now();
	if (fds[0].revents)
		read_signal(m);
	if (fds[1].revents && show(m, err) < 0)
		return -err->code;
	/* asked before reading: what comes later than the end does not exist */
	m->ended = m->ended || fds[5].revents;
	if (room && (fds[2].revents || m->ended))
		hear(m, time);
	if (fds[3].revents || m->ended)
		read_words(m);
	if (fds[4].revents || m->ended)
		read_walls(m);
	if (fds[6].revents)
		read_keys(m);
	m->lost = m->lost || (fds[7].revents && !m->ended);
	if (fds[8].revents || fds[9].revents)
		kmln_daemon_hear(&m->daemon);
	type(m, time);
	if (!m->panicked &&
		(*m->console.panic || *m->words.panic ||
			(m->words.text.size && strstr(m->words.text.data, "KVM internal error"))))
		m->panicked = time;
	return 0;
}

/* Ended, and all that it wrote was read and shown. */
static bool over(const struct machine *m)
{
	return m->ended && m->process.console < 0 && m->process.words < 0 && m->process.walls < 0 &&
	       !m->to_user.size;
}

/* What the end of the machine means: 0 for a good one. It must have ended or panicked. */
static int judge(struct machine *m, struct kmln_error *err)
{
	return kmln_judge(&(struct kmln_ending){.spawn = m->spawn,
				  .walls = &m->walls,
				  .console = &m->console,
				  .words = &m->words,
				  .status = kmln_process_end(&m->process)},
		err);
}

/*
 * What ends any step. Returns 1 to go on, 0 where the user wants no more, or a negative code; the
 * machine's own end is no matter of this function.
 */
static int go_on(
	struct machine *m, const struct kmln_action *step, int64_t deadline, struct kmln_error *err)
{
	int64_t time = now();

	if (m->number)
		return kmln_fail(err, EINTR, "ended by the signal %s", sigabbrev_np(m->number));
	if (m->quit)
		return 0;
	/* the guest would go on without a disk, and fail at whatever it does next */
	if (m->lost)
		return kmln_daemon_lost(&m->daemon, "the machine has lost its disk", err);
	/* a person may still want to look, and ends it himself */
	if (m->panicked && !m->raw && time - m->panicked > LAST_WORDS)
		return judge(m, err);
	if (time < deadline)
		return 1;
	if (step->kind == KMLN_ACTION_EXPECT)
		return kmln_fail(err, ETIMEDOUT, "'%s' did not appear within %u seconds",
			step->text, step->timeout);
	return kmln_fail(err, ETIMEDOUT, "did not end within %u seconds", step->timeout);
}

static int64_t deadline_of(const struct machine *m, const struct kmln_action *step)
{
	return step->timeout ? m->started + (int64_t)step->timeout * 1000 : NEVER;
}

static int compile(const char *text, regex_t *regex, struct kmln_error *err)
{
	char words[128];
	int r = regcomp(regex, text, REG_EXTENDED);

	if (!r)
		return 0;
	regerror(r, regex, words, sizeof(words));
	return kmln_fail(
		err, KMLN_EUSAGE, "'%s' is no extended regular expression: %s", text, words);
}

static int expect(struct machine *m, const struct kmln_action *step, struct kmln_error *err)
{
	int64_t deadline = deadline_of(m, step);
	KMLN_CLEANUP(regfree) regex_t regex = {0};
	int r = compile(step->text, &regex, err);

	while (r == 0) {
		if (kmln_console_match(&m->console, &regex))
			return 1;
		if (over(m)) {
			r = judge(m, err);
			return r < 0 ? r
				     : kmln_fail(
					       err, EIO, "ended before '%s' appeared", step->text);
		}
		r = go_on(m, step, deadline, err);
		if (r <= 0)
			return r;
		r = turn(m, deadline, err);
	}
	return r;
}

/* Until all was typed: what comes next must see what it caused, not what was before. */
static int send_text(struct machine *m, const struct kmln_action *step, struct kmln_error *err)
{
	kmln_buf_str(&m->to_guest, step->text);
	while (m->to_guest.size && !m->ended) {
		int r = go_on(m, step, NEVER, err);

		if (r > 0)
			r = turn(m, NEVER, err) < 0 ? -err->code : 1;
		if (r <= 0)
			return r;
	}
	return 1;
}

static int wait_end(struct machine *m, const struct kmln_action *step, struct kmln_error *err)
{
	int64_t deadline = deadline_of(m, step);

	for (;;) {
		int r = turn(m, deadline, err);

		if (r < 0)
			return r;
		if (over(m))
			return judge(m, err);
		r = go_on(m, step, deadline, err);
		if (r <= 0)
			return r;
	}
}

static int attach(struct machine *m, const struct kmln_action *step, struct kmln_error *err)
{
	int r;

	m->raw = kmln_terminal_raw();
	m->attached = true;
	r = wait_end(m, step, err);
	m->attached = false;
	kmln_terminal_restore();
	if (m->raw && m->quit)
		kmln_note("ended by Ctrl-]");
	return r;
}

/* Ends it, and waits until nothing of it holds the console any more, and so its image. */
static void stop(struct machine *m)
{
	struct pollfd fd = {.events = POLLIN};
	int64_t deadline;
	char piece[4096];

	kmln_process_end(&m->process);
	m->ended = true;
	deadline = now() + LAST_WORDS;
	while ((fd.fd = m->process.console) >= 0 && now() < deadline) {
		/* reset is as good an end as any */
		if (poll(&fd, 1, LAST_WORDS / 4) > 0 && read(fd.fd, piece, sizeof(piece)) <= 0)
			return;
	}
}

static int serve(struct machine *m, const struct kmln_action *step, const sigset_t *mask,
	struct kmln_error *err)
{
	return kmln_daemon_serve(&m->daemon, step->spawn, mask, m->signals, err) < 0 ? -err->code
										     : 1;
}

static int start(struct machine *m, const struct kmln_action *step, const sigset_t *mask,
	struct kmln_error *err)
{
	m->spawn = step->spawn;
	m->started = now();
	m->typing.limit = step->spawn->type_ahead;
	return kmln_process_start(&m->process, step->spawn, mask, err) < 0 ? -err->code : 1;
}

/* Returns 1 to go on with the next step, 0 at a good end, or a negative code. */
static int carry_out(struct machine *m, const struct kmln_action *step, const sigset_t *mask,
	struct kmln_error *err)
{
	switch (step->kind) {
	case KMLN_ACTION_SERVE:
		return serve(m, step, mask, err);
	case KMLN_ACTION_SPAWN:
		return start(m, step, mask, err);
	case KMLN_ACTION_EXPECT:
		return expect(m, step, err);
	case KMLN_ACTION_SEND:
		return send_text(m, step, err);
	case KMLN_ACTION_ATTACH:
		return attach(m, step, err);
	case KMLN_ACTION_WAIT:
		return wait_end(m, step, err);
	case KMLN_ACTION_STOP:
		return 0;
	case KMLN_ACTION_PREPARE:
	case KMLN_ACTION_OVERLAY:
	case KMLN_ACTION_CREATE:
	case KMLN_ACTION_EDIT:
	case KMLN_ACTION_TAP:
	case KMLN_ACTION_RUN:
	case KMLN_ACTION_READY:
	case KMLN_ACTION_KINDS:
		break;
	}
	return kmln_fail(
		err, KMLN_EUSAGE, "one machine has no %s", kmln_action_kind_name(step->kind));
}

static void fini(struct machine *m)
{
	stop(m);
	kmln_process_cleanup(&m->process);
	/* after the machine: what it wrote last is finished first */
	kmln_daemon_stop(&m->daemon);
	kmln_console_fini(&m->console);
	kmln_console_fini(&m->words);
	kmln_buf_fini(&m->walls);
	kmln_buf_fini(&m->to_user);
	kmln_buf_fini(&m->to_guest);
	kmln_close_cleanup(&m->signals);
}

/* What the console shows but standard output has not got yet; what blocks is left. */
static void show_rest(struct machine *m)
{
	struct pollfd fd = {1, POLLOUT, 0};
	struct kmln_error ignored;

	while (m->to_user.size && poll(&fd, 1, 0) > 0 && show(m, &ignored) == 0)
		;
}

static int run(struct machine *m, const struct kmln_actions *actions, const sigset_t *mask,
	struct kmln_error *err)
{
	int r = 1;

	/* a mistake in the last pattern is known before the machine runs for an hour */
	for (size_t i = 0; r > 0 && i < actions->count; i++) {
		KMLN_CLEANUP(regfree) regex_t regex = {0};

		if (actions->items[i].kind == KMLN_ACTION_EXPECT)
			r = compile(actions->items[i].text, &regex, err) < 0 ? -err->code : 1;
	}
	for (size_t i = 0; r > 0 && i < actions->count; i++)
		r = carry_out(m, &actions->items[i], mask, err);
	return r < 0 ? r : 0;
}

int kmln_actions_run(
	const struct kmln_actions *actions, struct kmln_buf *tail, struct kmln_error *err)
{
	struct machine m = {
		.process = KMLN_PROCESS_NONE, .daemon = KMLN_DAEMON_NONE, .signals = -1};
	struct sigaction quiet = {.sa_handler = SIG_IGN}, pipe_before;
	sigset_t caught, mask;
	int r;

	sigemptyset(&caught);
	sigaddset(&caught, SIGINT);
	sigaddset(&caught, SIGTERM);
	sigaddset(&caught, SIGHUP);
	sigaddset(&caught, SIGQUIT);
	sigprocmask(SIG_BLOCK, &caught, &mask);
	/* a reader of ours that goes away must not end us before the terminal is given back */
	sigaction(SIGPIPE, &quiet, &pipe_before);
	m.signals = signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
	r = m.signals < 0 ? kmln_fail_sys(err, errno, "signalfd") : run(&m, actions, &mask, err);
	show_rest(&m);
	if (r < 0) {
		kmln_console_tail(&m.console, 20, tail);
		/* UML says much there that is of interest only where there is nothing else */
		if (!tail->size && m.walls.size)
			kmln_console_tail(&m.words, 5, tail);
	}
	fini(&m);
	sigaction(SIGPIPE, &pipe_before, NULL);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return r;
}
