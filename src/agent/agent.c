// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kmln-agent: the loop. It says hello until somebody speaks to it, then answers lines of the QEMU
 * Guest Agent protocol, then, once asked to, frames. A line that is lost or broken begins anew;
 * what ran for it is ended.
 */
#include "agent/agent.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

#define SECOND 1000
/* In one turn of the loop. */
#define READS 8
/* A frame that is not whole after this time never will be. */
#define FRAME_LIMIT (10 * SECOND)
/* How long a port whose other end nobody holds is left alone. */
#define PAUSE 200
/* How long a better line may still appear while the first one is used already. */
#define SETTLED (120 * SECOND)

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * SECOND + t.tv_nsec / 1000000;
}

/* ---- lines ---- */

/* Behind what is sent first when somebody may have read half a line before. */
static void put_line(struct agent *agent, struct kmln_json *object, bool marked)
{
	KMLN_JSON struct kmln_json *owned = object;

	if (marked)
		kmln_buf_str(&agent->line.out, "\xff");
	kmln_json_line(object, &agent->line.out);
	kmln_buf_str(&agent->line.out, "\n");
}

static void say_hello(struct agent *agent)
{
	struct kmln_json *hello = kmln_json_object(), *data;

	kmln_json_set(hello, "event", kmln_json_text("KMLN_HELLO"));
	data = kmln_json_set(hello, "data", kmln_json_object());
	kmln_json_set(data, "version", kmln_json_number(AGENT_VERSION));
	kmln_json_set(data, "boot", kmln_json_text(agent->boot));
	put_line(agent, hello, true);
	agent->hello_at = agent->now + SECOND;
}

static void start_anew(struct agent *agent)
{
	agent_streams_abandon(agent);
	agent->frames = agent->spoken = false;
	agent->frame_since = 0;
	kmln_buf_fini(&agent->reader.bytes);
	agent->reader = (struct kmln_frame_reader){0};
	kmln_buf_fini(&agent->lines.text);
	agent->lines = (struct agent_lines){0};
	agent->hello_at = agent->now;
}

static void lose_line(struct agent *agent)
{
	agent_line_close(&agent->line);
	start_anew(agent);
}

static void put_error(
	struct agent *agent, const struct kmln_json *id, const char *class, const char *words)
{
	struct kmln_json *object = kmln_json_object(), *error;

	error = kmln_json_set(object, "error", kmln_json_object());
	kmln_json_set(error, "class", kmln_json_text(class));
	kmln_json_set(error, "desc", kmln_json_text(words));
	if (id)
		kmln_json_set(object, "id", kmln_json_copy(id));
	put_line(agent, object, false);
}

static void put_return(
	struct agent *agent, const struct kmln_json *id, struct kmln_json *value, bool marked)
{
	struct kmln_json *object = kmln_json_object();

	kmln_json_set(object, "return", value);
	if (id)
		kmln_json_set(object, "id", kmln_json_copy(id));
	put_line(agent, object, marked);
}

static void switch_to_frames(struct agent *agent, const struct kmln_json *arguments)
{
	int64_t window = kmln_json_integer(arguments, "window", 0);
	struct kmln_json *value = kmln_json_object();

	kmln_json_set(value, "id", kmln_json_copy(kmln_json_member(arguments, "id")));
	put_return(agent, NULL, value, true);
	agent->window = (struct kmln_window_reader){
		.size = window < 0 || window > INT32_MAX ? 0 : (uint32_t)window};
	agent->frames = true;
}

static void take_request(struct agent *agent, const struct agent_request *request)
{
	const struct kmln_json *id = kmln_json_member(request->object, "id");
	bool delimited = kmln_eq(request->execute, "guest-sync-delimited");
	struct kmln_error err = {0};
	struct kmln_json *value;

	if (kmln_eq(request->execute, "kmln-frames")) {
		switch_to_frames(agent, request->arguments);
		return;
	}
	value = agent_call(agent, request->execute, request->arguments, &err);
	if (value)
		put_return(agent, id, value, delimited);
	else if (err.code)
		put_error(agent, id, err.code == KMLN_EUSAGE ? "CommandNotFound" : "GenericError",
			err.text);
}

static void take_line(struct agent *agent)
{
	struct agent_request request;
	struct kmln_error err;

	if (agent_request_read(agent->lines.text.data, agent->lines.text.size, &request, &err) <
		0) {
		/* an echo of its own hello, or rubbish: nobody has spoken to it */
		if (agent->spoken)
			put_error(agent, NULL, "GenericError", err.text);
		return;
	}
	agent->spoken = true;
	take_request(agent, &request);
	kmln_json_free(&request.object);
}

static void take_lines(struct agent *agent, const char **data, size_t *size)
{
	while (!agent->frames && agent_lines_take(&agent->lines, data, size))
		take_line(agent);
}

/* ---- frames ---- */

static void take_frames(struct agent *agent, const char **data, size_t *size)
{
	while (kmln_frame_take(&agent->reader, data, size))
		if (agent->reader.frame.stream)
			agent_streams_frame(agent, &agent->reader.frame);
	agent->frame_since = agent->reader.bytes.size ? agent->now : 0;
	if (agent->reader.broken)
		start_anew(agent);
}

static void take(struct agent *agent, const char *data, size_t size)
{
	while (size) {
		const char *before = data;

		if (!agent->frames) {
			take_lines(agent, &data, &size);
			continue;
		}
		take_frames(agent, &data, &size);
		if (agent->frames && kmln_window_take(&agent->window, (size_t)(data - before)))
			kmln_frame_put_number(
				&agent->line.out, KMLN_FRAME_ACK, 0, agent->window.taken);
	}
}

/* ---- the loop ---- */

/* The line is at its end, or broken, or nobody holds the other one. */
static void hang_up(struct agent *agent, bool close_it)
{
	/* a port whose other end nobody holds stays open; a line is opened again */
	if (close_it)
		agent_line_close(&agent->line);
	kmln_buf_fini(&agent->line.out);
	agent->line.written = 0;
	agent->line.next_try = agent->now + PAUSE;
	start_anew(agent);
}

static void read_line(struct agent *agent, short events)
{
	static char piece[32768];

	/* a virtio port gives a page at a time: several are cheaper than a turn for each */
	for (int i = 0; i < READS; i++) {
		ssize_t n = read(agent->line.fd, piece, sizeof(piece));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN && (i || !(events & POLLHUP)))
			return;
		if (n <= 0) {
			hang_up(agent, agent->line.serial || (n < 0 && errno != EAGAIN));
			return;
		}
		take(agent, piece, (size_t)n);
	}
}

static bool is_line_busy(const struct agent *agent)
{
	/* the end of the last stream may not be on its way yet */
	return agent->frames && (agent->stream_count || agent_line_waiting(&agent->line) ||
					agent->now - agent->started > SETTLED);
}

static void look_at_line(struct agent *agent)
{
	if (!is_line_busy(agent) && agent_line_better(&agent->line, agent->now)) {
		lose_line(agent);
		agent->line.next_try = 0;
	}
	agent_line_open(&agent->line, agent->now);
	if (agent->line.fd < 0)
		return;
	if (agent->frames && agent->frame_since && agent->now - agent->frame_since > FRAME_LIMIT)
		start_anew(agent);
	if (!agent->frames && !agent->spoken && agent->now >= agent->hello_at &&
		!agent_line_waiting(&agent->line))
		say_hello(agent);
	if (agent_line_waiting(&agent->line) && !agent_line_flush(&agent->line))
		lose_line(agent);
}

/* Milliseconds until something is to be done without being asked; -1: never. */
static int pause_of(struct agent *agent)
{
	int next = agent_endings(agent);
	bool quiet = agent->line.fd >= 0 && agent->spoken && !agent->frame_since &&
		     (!agent->line.serial || agent->now - agent->started > SETTLED);

	if (agent_streams_hurry(agent))
		return 0;
	if (!quiet && (next < 0 || next > PAUSE))
		next = PAUSE;
	return next;
}

static struct pollfd line_events(const struct agent *agent)
{
	size_t waiting = agent_line_waiting(&agent->line);
	bool paused = !agent->line.serial && agent->now < agent->line.next_try && !agent->spoken;

	return (struct pollfd){
		.fd = paused ? -1 : agent->line.fd,
		.events = (short)((waiting < AGENT_WAITING_MAX ? POLLIN : 0) |
				  (waiting ? POLLOUT : 0)),
	};
}

static void turn(struct agent *agent)
{
	static struct pollfd fds[2 + 4 * AGENT_STREAMS];
	size_t count;

	agent->now = now();
	look_at_line(agent);
	fds[0] = (struct pollfd){agent->signals, POLLIN, 0};
	fds[1] = line_events(agent);
	count = agent_streams_poll(agent, fds + 2);
	if (poll(fds, count + 2, pause_of(agent)) < 0)
		return;
	agent->now = now();
	if (fds[0].revents) {
		struct signalfd_siginfo info;

		if (read(agent->signals, &info, sizeof(info)) > 0)
			agent_streams_reap(agent);
	}
	agent_streams_work(agent, fds + 2, count);
	if (fds[1].revents & (POLLIN | POLLHUP | POLLERR))
		read_line(agent, fds[1].revents);
}

/* ---- the beginning ---- */

/* Two readers of one line would each get half of it. The name goes with the process. */
static void be_the_only_one(void)
{
	static const char name[] = "\0kmln-agent";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, name, sizeof(name) - 1);
	while (fd >= 0 &&
		bind(fd, (struct sockaddr *)&address,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(name) - 1)) <
			0 &&
		errno == EADDRINUSE)
		sleep(1);
}

static void make_random(char *text, size_t size)
{
	unsigned char bytes[16] = {0};

	if (getrandom(bytes, sizeof(bytes), GRND_NONBLOCK) < 0) {
		/* early in a boot: it must differ from the last time, no more */
		struct timespec t;

		clock_gettime(CLOCK_REALTIME, &t);
		memcpy(bytes, &t, sizeof(t) < sizeof(bytes) ? sizeof(t) : sizeof(bytes));
		bytes[15] = (unsigned char)getpid();
	}
	for (size_t i = 0; i < sizeof(bytes) && 2 * i + 2 < size; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

static int wait_for_children(void)
{
	sigset_t child;

	/* what our own starter ignored is no matter of the programs that we start */
	for (int i = 1; i < _NSIG; i++)
		signal(i, SIG_DFL);
	for (size_t i = 0; i < KMLN_COUNT(agent_ignored); i++)
		signal(agent_ignored[i], SIG_IGN);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	return signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void open_standard(void)
{
	int fd = open("/dev/null", O_RDWR);

	while (fd >= 0 && fd < 3)
		fd = dup(fd);
	if (fd >= 3)
		close(fd);
}

int main(void)
{
	static struct agent agent = {.line.fd = -1};

	open_standard();
	setsid();
	umask(022);
	if (chdir("/") < 0)
		return 1;
	be_the_only_one();
	agent.signals = wait_for_children();
	if (agent.signals < 0)
		return 1;
	make_random(agent.boot, sizeof(agent.boot));
	agent.started = agent.now = now();
	for (;;)
		turn(&agent);
}
