/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may pass between a switch and libslirp. Guests are hostile: they put any bytes into a frame.
 * Only whole ARP, IPv4 and IPv6 packets of the given networks pass, to addresses that lie outside,
 * or to what the uplink itself answers. libslirp refuses connections to its own addresses, but
 * would carry a packet that a guest sends to 127.0.0.1 to the host's own 127.0.0.1; and at the
 * address of its DNS some versions open each port of the host's resolver. Neither passes here.
 *
 * Fragments do not pass: they have no ports to look at, and putting them together is where a stack
 * breaks.
 *
 * Answers of a UDP forward are let through here, since libslirp with the host's loopback closed
 * does not: a guest's datagram to the gateway passes only if it answers a process of the host's
 * that wrote to that very forward shortly before. Its address is changed to the host's loopback,
 * and back again on the way in.
 */
#ifndef KMLN_UPLINK_FILTER_H
#define KMLN_UPLINK_FILTER_H

#include "uplink/options.h"

#define KMLN_FRAME_MTU 1500
#define KMLN_FRAME_MAX (KMLN_FRAME_MTU + 14)

/* The ports of the host's processes that wrote to one forward, the oldest being forgotten. */
#define KMLN_PEERS 64
#define KMLN_PEER_MS 120000

struct kmln_peers {
	struct {
		uint16_t port; /* 0: none */
		int64_t seen; /* ms */
	} peer[KMLN_PEERS];
};

struct kmln_filter {
	const struct kmln_uplink *uplink; /* borrowed */
	struct kmln_peers *peers; /* one for each forward; from the pool */
};

void kmln_filter_init(
	struct kmln_filter *filter, const struct kmln_uplink *uplink, struct kmln_pool *pool);
/*
 * Whether a frame from the switch may go to libslirp; it may be changed then. `now` in ms of a
 * clock that never goes back.
 */
bool kmln_filter_in(struct kmln_filter *filter, uint8_t *frame, size_t size, int64_t now);
/* A frame from libslirp on its way to the switch; it may be changed. */
void kmln_filter_out(struct kmln_filter *filter, uint8_t *frame, size_t size, int64_t now);

#endif
