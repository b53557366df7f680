// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kmln-uplink: joins a VDE switch to the outside by libslirp, for one cluster's guests. One
 * process, one poll loop; it sleeps while nothing happens. It ends when its standard input ends (so
 * it cannot outlive whoever holds the other end), on SIGTERM, SIGINT or SIGHUP, or when the switch
 * goes.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "uplink/join.h"
#include "uplink/stack.h"
#include "uplink/walls.h"

/* Frames that are taken before libslirp's sockets have their next turn. */
#define BURST 64

/* Of one turn, in this order; libslirp's come behind. */
enum { INPUT, SIGNALS, CONTROL, DATA };

static const char usage[] =
	"Usage: kmln-uplink --switch FOLDER [OPTIONS]\n"
	"\n"
	"Joins a VDE switch to the outside.\n"
	"\n"
	"  --net4 NETWORK      IPv4 network of the switch, like 10.9.0.0/24\n"
	"  --gateway4 ADDRESS  the uplink's own address in it\n"
	"  --dns4 ADDRESS      where it answers DNS\n"
	"  --dhcp4 FIRST       give out 16 addresses from FIRST on\n"
	"  --net6 PREFIX/64    IPv6 network of the switch\n"
	"  --gateway6 ADDRESS, --dns6 ADDRESS\n"
	"                      as above\n"
	"  --forward tcp|udp:HOSTPORT:GUESTADDRESS:GUESTPORT\n"
	"                      a port of the host's loopback that leads into a guest\n";

static void send_frame(void *opaque, const void *frame, size_t size)
{
	kmln_join_send(opaque, frame, size);
}

/* Descriptors 0 to 2 must be open: what is opened later would else take their place. */
static int check_streams(struct kmln_error *err)
{
	static const char *const names[] = {"input", "output", "error"};

	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			return kmln_fail_sys(err, errno, "standard %s", names[fd]);
	return 0;
}

static int open_signals(int *signals, struct kmln_error *err)
{
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	*signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
	return *signals < 0 ? kmln_fail_sys(err, errno, "signalfd") : 0;
}

/* True when it has ended. */
static bool input_ended(void)
{
	char dropped[4096];
	ssize_t n = read(STDIN_FILENO, dropped, sizeof(dropped));

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void take_frames(struct kmln_stack *stack, struct kmln_join *join)
{
	uint8_t frame[KMLN_FRAME_MAX + 1]; /* one more, so that longer ones show */
	size_t size;

	for (int i = 0; i < BURST && (size = kmln_join_receive(join, frame, sizeof(frame))); i++)
		if (size <= KMLN_FRAME_MAX)
			kmln_stack_input(stack, frame, size);
	kmln_stack_flush(stack);
}

/*
 * With no descriptor left a connection that waits at a forward cannot be taken, and poll() says so
 * at once, again and again.
 */
static void rest_when_full(const struct kmln_polls *polls)
{
	if (polls->count > KMLN_UPLINK_DESCRIPTORS - 64)
		poll(NULL, 0, 10);
}

static int serve(
	struct kmln_stack *stack, struct kmln_join *join, int signals, struct kmln_error *err)
{
	struct kmln_polls polls = {0};
	int r = 1;

	while (r > 0) {
		int timeout, happened;

		polls.count = 0;
		kmln_polls_add(&polls, STDIN_FILENO, POLLIN);
		kmln_polls_add(&polls, signals, POLLIN);
		kmln_polls_add(&polls, join->control, POLLIN);
		kmln_polls_add(&polls, join->data, POLLIN);
		timeout = kmln_stack_fill(stack, &polls);
		happened = poll(polls.fds, polls.count, timeout);
		if (happened < 0 && errno != EINTR && errno != EAGAIN)
			r = kmln_fail_sys(err, errno, "poll");
		else if (happened > 0 && polls.fds[SIGNALS].revents)
			r = 0;
		else if (happened > 0 && polls.fds[INPUT].revents && input_ended())
			r = 0;
		else if (happened > 0 && (polls.fds[CONTROL].revents ||
						 polls.fds[DATA].revents & (POLLERR | POLLHUP)))
			r = kmln_fail(err, EPIPE, "the switch has gone");
		if (r <= 0)
			break;
		kmln_stack_work(stack, &polls, happened < 0);
		if (happened > 0 && polls.fds[DATA].revents)
			take_frames(stack, join);
		rest_when_full(&polls);
	}
	kmln_polls_fini(&polls);
	return r;
}

static int run(const struct kmln_uplink *uplink, struct kmln_pool *pool, struct kmln_error *err)
{
	KMLN_JOIN struct kmln_join join = {.data = -1};
	struct kmln_stack stack = {.send = send_frame, .opaque = &join};
	KMLN_FD int signals = -1;
	int r;

	if ((r = check_streams(err)) < 0 || (r = open_signals(&signals, err)) < 0 ||
		(r = kmln_join_open(&join, uplink->folder, err)) < 0)
		return r;
	r = kmln_stack_open(&stack, uplink, pool, err);
	if (r >= 0)
		r = kmln_uplink_walls(err);
	if (r >= 0)
		r = kmln_write_all(STDOUT_FILENO, "ready\n", 6, err);
	if (r >= 0)
		r = serve(&stack, &join, signals, err);
	kmln_stack_close(&stack);
	return r;
}

int main(int argc, char **argv)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_uplink uplink;
	struct kmln_error err = {0};
	int r = kmln_uplink_options(&uplink, pool, argc, argv, &err);

	if (r >= 0 && uplink.help)
		return fputs(usage, stdout) < 0 || fflush(stdout) != 0;
	if (r >= 0)
		r = run(&uplink, pool, &err);
	if (r >= 0)
		return 0;
	fprintf(stderr, "kmln-uplink: %s\n", err.text);
	return kmln_exit_status(&err);
}
