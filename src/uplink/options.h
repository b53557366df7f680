/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line of kmln-uplink: the switch, the addresses of the way outside, the forwards. What
 * it says is checked here against itself, so that the rest of the program meets only networks that
 * hold their gateway, and forwards that lead into a network.
 */
#ifndef KMLN_UPLINK_OPTIONS_H
#define KMLN_UPLINK_OPTIONS_H

#include <netinet/in.h>
#include <stdbool.h>

#include "base/mem.h"

/* All addresses in network order. */
struct kmln_net4 {
	bool on;
	struct in_addr net, mask, gateway, dns;
	struct in_addr dhcp; /* the first address given out; 0.0.0.0: none are */
};

struct kmln_net6 {
	bool on;
	struct in6_addr prefix, gateway, dns; /* the prefix has 64 bits */
};

struct kmln_forward {
	const char *text; /* as it was given; borrowed from the command line */
	bool udp;
	int family; /* AF_INET: listens on 127.0.0.1; AF_INET6: on ::1 */
	uint16_t host_port, guest_port; /* host order */
	struct in_addr guest4;
	struct in6_addr guest6;
};

#define KMLN_FORWARDS_MAX 256

struct kmln_uplink {
	const char *folder; /* of the switch; borrowed from the command line */
	struct kmln_net4 net4;
	struct kmln_net6 net6;
	struct kmln_forward *forwards;
	size_t forward_count;
	bool help; /* --help was asked for; nothing else is set */
};

/* The forwards come from `pool`. Fails with KMLN_EUSAGE, naming the option and what is wrong. */
int kmln_uplink_options(struct kmln_uplink *uplink, struct kmln_pool *pool, int argc, char **argv,
	struct kmln_error *err);

#endif
