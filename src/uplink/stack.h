/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TCP/IP stack that answers guests: libslirp, set up so that it offers nothing but the way
 * outside. The host's loopback is closed, there is no TFTP and no SMB, and DHCP only where it was
 * asked for. It lives in the caller's poll loop: fill, poll, work.
 */
#ifndef KMLN_UPLINK_STACK_H
#define KMLN_UPLINK_STACK_H

#include <poll.h>

#include "uplink/filter.h"

struct Slirp;

/* The descriptors of one turn of the poll loop. */
struct kmln_polls {
	struct pollfd *fds;
	size_t count, room;
};

size_t kmln_polls_add(struct kmln_polls *polls, int fd, short events);
void kmln_polls_fini(struct kmln_polls *polls);

#define KMLN_TIMERS 4

struct kmln_stack {
	struct Slirp *slirp;
	struct kmln_filter filter;
	struct kmln_polls *polls; /* during fill and work */
	/* Takes a frame for the switch; one that finds no room may be dropped. */
	void (*send)(void *opaque, const void *frame, size_t size);
	void *opaque;
	struct kmln_timer {
		bool used;
		int64_t expires; /* ms; 0: not set */
		void (*call)(void *opaque);
		void *opaque;
	} timers[KMLN_TIMERS];
};

/* Milliseconds of a clock that never goes back. */
int64_t kmln_now(void);

/*
 * Opens the stack and its forwards, which listen from here on. `send` and `opaque` are set before;
 * the structure must not move afterwards. The uplink and the pool are borrowed.
 */
int kmln_stack_open(struct kmln_stack *stack, const struct kmln_uplink *uplink,
	struct kmln_pool *pool, struct kmln_error *err);
/* Adds what the stack waits for; returns the ms until it must be called again, -1: none. */
int kmln_stack_fill(struct kmln_stack *stack, struct kmln_polls *polls);
/* After poll() over what was filled; `failed`: poll() itself did. */
void kmln_stack_work(struct kmln_stack *stack, struct kmln_polls *polls, bool failed);
/* A frame from the switch, changed on the way. Comes behind the work, which tells libslirp the
 * time. */
void kmln_stack_input(struct kmln_stack *stack, uint8_t *frame, size_t size);
/* After frames: an address that they made known lets packets go that waited for it. */
void kmln_stack_flush(struct kmln_stack *stack);
void kmln_stack_close(struct kmln_stack *stack);

#endif
