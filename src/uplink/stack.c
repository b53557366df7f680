// SPDX-License-Identifier: GPL-2.0-or-later
/* The one home of libslirp. */
#include "uplink/stack.h"

#include <arpa/inet.h>
#include <limits.h>
#include <slirp/libslirp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

#define MS 1000000ll

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 * MS + now.tv_nsec;
}

int64_t kmln_now(void)
{
	return now_ns() / MS;
}

size_t kmln_polls_add(struct kmln_polls *polls, int fd, short events)
{
	if (polls->count == polls->room) {
		polls->room = polls->room ? polls->room * 2 : 64;
		polls->fds = kmln_realloc(polls->fds, polls->room * sizeof(*polls->fds));
	}
	polls->fds[polls->count] = (struct pollfd){.fd = fd, .events = events};
	return polls->count++;
}

void kmln_polls_fini(struct kmln_polls *polls)
{
	free(polls->fds);
	*polls = (struct kmln_polls){0};
}

/* --- what libslirp calls */

static ssize_t send_packet(const void *data, size_t size, void *opaque)
{
	struct kmln_stack *stack = opaque;
	uint8_t frame[KMLN_FRAME_MAX];

	if (size > sizeof(frame))
		return (ssize_t)size;
	memcpy(frame, data, size);
	kmln_filter_out(&stack->filter, frame, size, kmln_now());
	stack->send(stack->opaque, frame, size);
	return (ssize_t)size;
}

static void guest_error(const char *text, void *opaque)
{
	(void)opaque;
	kmln_debug("%s", text);
}

static int64_t clock_get_ns(void *opaque)
{
	(void)opaque;
	return now_ns();
}

static void *timer_new(SlirpTimerCb call, void *call_opaque, void *opaque)
{
	struct kmln_stack *stack = opaque;

	for (size_t i = 0; i < KMLN_TIMERS; i++) {
		struct kmln_timer *timer = &stack->timers[i];

		if (timer->used)
			continue;
		*timer = (struct kmln_timer){.used = true, .call = call, .opaque = call_opaque};
		return timer;
	}
	abort(); /* libslirp has one, for router advertisements */
}

static void timer_free(void *timer, void *opaque)
{
	(void)opaque;
	*(struct kmln_timer *)timer = (struct kmln_timer){0};
}

static void timer_mod(void *timer, int64_t expires, void *opaque)
{
	(void)opaque;
	((struct kmln_timer *)timer)->expires = expires;
}

/* all descriptors are given anew for each turn */
static void poll_fd(int fd, void *opaque)
{
	(void)fd;
	(void)opaque;
}

/* work is looked for in each turn */
static void notify(void *opaque)
{
	(void)opaque;
}

static const SlirpCb calls = {
	.send_packet = send_packet,
	.guest_error = guest_error,
	.clock_get_ns = clock_get_ns,
	.timer_new = timer_new,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = poll_fd,
	.unregister_poll_fd = poll_fd,
	.notify = notify,
};

/* SLIRP_POLL_X and POLLX */
static const struct {
	int slirp;
	short host;
} events[] = {
	{SLIRP_POLL_IN, POLLIN},
	{SLIRP_POLL_OUT, POLLOUT},
	{SLIRP_POLL_PRI, POLLPRI},
	{SLIRP_POLL_ERR, POLLERR},
	{SLIRP_POLL_HUP, POLLHUP},
};

static int add_poll(int fd, int wanted, void *opaque)
{
	struct kmln_stack *stack = opaque;
	short host = 0;

	for (size_t i = 0; i < KMLN_COUNT(events); i++)
		host |= wanted & events[i].slirp ? events[i].host : 0;
	return (int)kmln_polls_add(stack->polls, fd, host);
}

static int get_revents(int index, void *opaque)
{
	struct kmln_stack *stack = opaque;
	int happened = 0;

	if (index < 0 || (size_t)index >= stack->polls->count)
		return 0;
	for (size_t i = 0; i < KMLN_COUNT(events); i++)
		happened |= stack->polls->fds[index].revents & events[i].host ? events[i].slirp : 0;
	return happened;
}

/* --- what the program calls */

static int add_forward(
	struct kmln_stack *stack, const struct kmln_forward *forward, struct kmln_error *err)
{
	const struct sockaddr_in host4 = {.sin_family = AF_INET,
		.sin_port = htons(forward->host_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct sockaddr_in guest4 = {.sin_family = AF_INET,
		.sin_port = htons(forward->guest_port),
		.sin_addr = forward->guest4};
	const struct sockaddr_in6 host6 = {.sin6_family = AF_INET6,
		.sin6_port = htons(forward->host_port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT};
	const struct sockaddr_in6 guest6 = {.sin6_family = AF_INET6,
		.sin6_port = htons(forward->guest_port),
		.sin6_addr = forward->guest6};
	int flags = forward->udp ? SLIRP_HOSTFWD_UDP : 0, r;

	if (forward->family == AF_INET6)
		r = slirp_add_hostxfwd(stack->slirp, (const struct sockaddr *)&host6, sizeof(host6),
			(const struct sockaddr *)&guest6, sizeof(guest6),
			flags | SLIRP_HOSTFWD_V6ONLY);
	else
		r = slirp_add_hostxfwd(stack->slirp, (const struct sockaddr *)&host4, sizeof(host4),
			(const struct sockaddr *)&guest4, sizeof(guest4), flags);
	if (r < 0)
		return kmln_fail_sys(err, errno, "--forward %s: %s port %u of %s", forward->text,
			forward->udp ? "UDP" : "TCP", forward->host_port,
			forward->family == AF_INET6 ? "::1" : "127.0.0.1");
	return 0;
}

int kmln_stack_open(struct kmln_stack *stack, const struct kmln_uplink *uplink,
	struct kmln_pool *pool, struct kmln_error *err)
{
	const struct kmln_net4 *net4 = &uplink->net4;
	const struct kmln_net6 *net6 = &uplink->net6;
	const SlirpConfig config = {
		.version = 4,
		.in_enabled = net4->on,
		.vnetwork = net4->net,
		.vnetmask = net4->mask,
		.vhost = net4->gateway,
		.vnameserver = net4->dns,
		.vdhcp_start = net4->dhcp,
		.disable_dhcp = !net4->dhcp.s_addr,
		.in6_enabled = net6->on,
		.vprefix_addr6 = net6->prefix,
		.vprefix_len = 64,
		.vhost6 = net6->gateway,
		.vnameserver6 = net6->dns,
		.if_mtu = KMLN_FRAME_MTU,
		.if_mru = KMLN_FRAME_MTU,
		.disable_host_loopback = true,
	};
	int r = 0;

	kmln_filter_init(&stack->filter, uplink, pool);
	stack->slirp = slirp_new(&config, &calls, stack);
	if (!stack->slirp)
		return kmln_fail(err, KMLN_ELACK,
			"libslirp does not take these settings (version %s)",
			slirp_version_string());
	for (size_t i = 0; i < uplink->forward_count && r >= 0; i++)
		r = add_forward(stack, &uplink->forwards[i], err);
	return r;
}

static void run_timers(struct kmln_stack *stack)
{
	int64_t now = kmln_now();

	for (size_t i = 0; i < KMLN_TIMERS; i++) {
		struct kmln_timer *timer = &stack->timers[i];

		if (!timer->used || !timer->expires || timer->expires > now)
			continue;
		timer->expires = 0;
		timer->call(timer->opaque);
	}
}

int kmln_stack_fill(struct kmln_stack *stack, struct kmln_polls *polls)
{
	uint32_t timeout = UINT32_MAX;
	int64_t now = kmln_now();

	stack->polls = polls;
	slirp_pollfds_fill(stack->slirp, &timeout, add_poll, stack);
	for (size_t i = 0; i < KMLN_TIMERS; i++) {
		const struct kmln_timer *timer = &stack->timers[i];
		int64_t left = timer->expires > now ? timer->expires - now : 0;

		if (timer->used && timer->expires && left < timeout)
			timeout = (uint32_t)left;
	}
	return timeout > INT_MAX ? -1 : (int)timeout;
}

void kmln_stack_flush(struct kmln_stack *stack)
{
	/* as if poll() had failed: no socket has its turn, only what is queued */
	slirp_pollfds_poll(stack->slirp, 1, get_revents, stack);
}

void kmln_stack_input(struct kmln_stack *stack, uint8_t *frame, size_t size)
{
	if (kmln_filter_in(&stack->filter, frame, size, kmln_now()))
		slirp_input(stack->slirp, frame, (int)size);
}

void kmln_stack_work(struct kmln_stack *stack, struct kmln_polls *polls, bool failed)
{
	stack->polls = polls;
	slirp_pollfds_poll(stack->slirp, failed, get_revents, stack);
	run_timers(stack);
}

void kmln_stack_close(struct kmln_stack *stack)
{
	if (stack->slirp)
		slirp_cleanup(stack->slirp);
	stack->slirp = NULL;
}
