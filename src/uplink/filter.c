// SPDX-License-Identifier: GPL-2.0-or-later
/* Looks at frames byte by byte; each offset is checked against the frame's size before it is read.
 */
#include "uplink/filter.h"

#include <string.h>

#define ETHER_SIZE 14
#define ARP_SIZE 28
#define IP4_SIZE 20
#define IP6_SIZE 40
#define UDP_SIZE 8

enum { ICMP = 1, TCP = 6, UDP = 17, ICMP6 = 58 };
enum { PORT_DNS = 53, PORT_DHCP = 67 };

static const uint8_t loopback4[4] = {127, 0, 0, 1};
static const uint8_t loopback6[16] = {[15] = 1};

/* One packet of either family, its lengths checked. */
struct packet {
	int family, protocol;
	uint8_t *head, *source, *target; /* in the frame */
	size_t address; /* bytes of one */
	uint8_t *body; /* behind the header */
	size_t size; /* of the body */
};

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static bool same(const void *a, const void *b, size_t size)
{
	return memcmp(a, b, size) == 0;
}

static uint16_t source_port(const struct packet *packet)
{
	return packet->size >= UDP_SIZE ? get16(packet->body) : 0;
}

static uint16_t target_port(const struct packet *packet)
{
	return packet->size >= UDP_SIZE ? get16(packet->body + 2) : 0;
}

static bool read_packet4(struct packet *packet, uint8_t *head, size_t size)
{
	size_t header, total;

	if (size < IP4_SIZE || head[0] >> 4 != 4)
		return false;
	header = (size_t)(head[0] & 15) * 4;
	total = get16(head + 2);
	if (header < IP4_SIZE || total < header || total > size)
		return false;
	*packet = (struct packet){
		AF_INET, head[9], head, head + 12, head + 16, 4, head + header, total - header};
	/* more fragments, or not the first */
	return !(get16(head + 6) & 0x3fff);
}

static bool read_packet6(struct packet *packet, uint8_t *head, size_t size)
{
	size_t total;

	if (size < IP6_SIZE || head[0] >> 4 != 6)
		return false;
	total = (size_t)get16(head + 4) + IP6_SIZE;
	if (total > size)
		return false;
	*packet = (struct packet){AF_INET6, head[6], head, head + 8, head + 24, 16, head + IP6_SIZE,
		total - IP6_SIZE};
	return true;
}

static bool read_packet(struct packet *packet, uint8_t *frame, size_t size)
{
	uint16_t kind = get16(frame + 12);

	if (kind == 0x0800)
		return read_packet4(packet, frame + ETHER_SIZE, size - ETHER_SIZE);
	if (kind == 0x86dd)
		return read_packet6(packet, frame + ETHER_SIZE, size - ETHER_SIZE);
	return false;
}

/* A sum of the Internet (RFC 1624): what stood in 16-bit words becomes something else. */
static void mend_sum(uint8_t *sum, const uint8_t *old, const uint8_t *new, size_t size)
{
	uint32_t total = (uint16_t)~get16(sum);

	for (size_t i = 0; i < size; i += 2)
		total += (uint16_t)~get16(old + i) + (uint32_t)get16(new + i);
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	total = ~total & 0xffff;
	sum[0] = (uint8_t)(total >> 8);
	sum[1] = (uint8_t)total;
}

/* Another address into a UDP packet; `at` is its source or its target. */
static void change_address(struct packet *packet, uint8_t *at, const void *address)
{
	uint8_t *sum = packet->body + 6;
	bool head = packet->family == AF_INET;

	if (head)
		mend_sum(packet->head + 10, at, address, packet->address);
	/* on IPv4 a sum of 0 means that there is none */
	if (!head || get16(sum)) {
		mend_sum(sum, at, address, packet->address);
		if (!get16(sum))
			memset(sum, 0xff, 2);
	}
	memcpy(at, address, packet->address);
}

static const void *gateway_of(const struct kmln_filter *filter, int family)
{
	return family == AF_INET ? (const void *)&filter->uplink->net4.gateway
				 : (const void *)&filter->uplink->net6.gateway;
}

static const void *loopback_of(int family)
{
	return family == AF_INET ? loopback4 : loopback6;
}

/* The peers of the UDP forward to this guest and port, or NULL. */
static struct kmln_peers *find_peers(struct kmln_filter *filter, const struct packet *packet,
	const uint8_t *guest, uint16_t port)
{
	for (size_t i = 0; i < filter->uplink->forward_count; i++) {
		const struct kmln_forward *forward = &filter->uplink->forwards[i];
		const void *address = forward->family == AF_INET ? (const void *)&forward->guest4
								 : (const void *)&forward->guest6;

		if (forward->udp && forward->family == packet->family &&
			forward->guest_port == port && same(address, guest, packet->address))
			return &filter->peers[i];
	}
	return NULL;
}

static void remember(struct kmln_peers *peers, uint16_t port, int64_t now)
{
	size_t oldest = 0;

	for (size_t i = 0; i < KMLN_PEERS; i++) {
		if (peers->peer[i].port == port) {
			peers->peer[i].seen = now;
			return;
		}
		if (!peers->peer[i].port || (peers->peer[oldest].port &&
						    peers->peer[i].seen < peers->peer[oldest].seen))
			oldest = i;
	}
	peers->peer[oldest].port = port;
	peers->peer[oldest].seen = now;
}

/* Whether a packet from a guest to the gateway answers a process of the host's. */
static bool remembered(struct kmln_filter *filter, const struct packet *packet, int64_t now)
{
	const struct kmln_peers *peers =
		find_peers(filter, packet, packet->source, source_port(packet));
	uint16_t port = target_port(packet);

	for (size_t i = 0; peers && port && i < KMLN_PEERS; i++)
		if (peers->peer[i].port == port)
			return now - peers->peer[i].seen < KMLN_PEER_MS;
	return false;
}

/* To one of the uplink's own addresses. */
static bool pass_own(struct kmln_filter *filter, struct packet *packet, bool dns, int64_t now)
{
	bool dhcp = packet->family == AF_INET && filter->uplink->net4.dhcp.s_addr;

	switch (packet->protocol) {
	case TCP: /* at the gateway: what belongs to a forward; libslirp refuses the rest */
		return !dns || target_port(packet) == PORT_DNS;
	case UDP:
		if (packet->size < UDP_SIZE)
			return false;
		if (dns)
			return target_port(packet) == PORT_DNS;
		if (dhcp && target_port(packet) == PORT_DHCP)
			return true;
		if (!remembered(filter, packet, now))
			return false;
		change_address(packet, packet->target, loopback_of(packet->family));
		return true;
	case ICMP:
		return packet->family == AF_INET;
	default:
		return false;
	}
}

static bool pass4(struct kmln_filter *filter, struct packet *packet, bool flooded, int64_t now)
{
	const struct kmln_net4 *net = &filter->uplink->net4;
	struct in_addr source, target;
	uint32_t first, all;

	memcpy(&source, packet->source, 4);
	memcpy(&target, packet->target, 4);
	all = ntohl(target.s_addr);
	first = all >> 24;
	if (!net->on)
		return false;
	if (all == INADDR_BROADCAST)
		return net->dhcp.s_addr && packet->protocol == UDP &&
		       target_port(packet) == PORT_DHCP;
	if (flooded || (source.s_addr & net->mask.s_addr) != net->net.s_addr ||
		source.s_addr == net->gateway.s_addr || source.s_addr == net->dns.s_addr)
		return false;
	if (target.s_addr == net->gateway.s_addr || target.s_addr == net->dns.s_addr)
		return pass_own(filter, packet, target.s_addr == net->dns.s_addr, now);
	if ((target.s_addr & net->mask.s_addr) == net->net.s_addr)
		return false;
	/* this host, its loopback, links (no router carries them), groups, broadcasts */
	if (first == 0 || first == 127 || all >> 16 == 0xa9fe || first >= 224)
		return false;
	return packet->protocol == ICMP || packet->protocol == TCP || packet->protocol == UDP;
}

static bool pass6(struct kmln_filter *filter, struct packet *packet, bool flooded, int64_t now)
{
	static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
	const struct kmln_net6 *net = &filter->uplink->net6;
	const uint8_t *source = packet->source, *target = packet->target;
	bool link, dns, own;

	if (!net->on)
		return false;
	/* neighbours and routers ask each other: on the link, and in groups of the link */
	link = target[0] == 0xfe && (target[1] & 0xc0) == 0x80;
	if (link || (target[0] == 0xff && target[1] == 0x02))
		return packet->protocol == ICMP6;
	if (flooded)
		return false;
	dns = same(target, &net->dns, 16);
	own = dns || same(target, &net->gateway, 16);
	/* an address of the link may ask for ours */
	if (own && packet->protocol == ICMP6)
		return true;
	if (!same(source, &net->prefix, 8) || same(source, &net->gateway, 16) ||
		same(source, &net->dns, 16))
		return false;
	if (own)
		return pass_own(filter, packet, dns, now);
	if (same(target, &net->prefix, 8))
		return false;
	/* else only what is routed: not ::1, not an IPv4 address in IPv6's clothes */
	if ((target[0] & 0xe0) != 0x20 && (target[0] & 0xfe) != 0xfc && !same(target, nat64, 12))
		return false;
	return packet->protocol == ICMP6 || packet->protocol == TCP || packet->protocol == UDP;
}

void kmln_filter_init(
	struct kmln_filter *filter, const struct kmln_uplink *uplink, struct kmln_pool *pool)
{
	*filter = (struct kmln_filter){.uplink = uplink};
	filter->peers = kmln_pool_array(pool, uplink->forward_count + 1, sizeof(*filter->peers));
}

bool kmln_filter_in(struct kmln_filter *filter, uint8_t *frame, size_t size, int64_t now)
{
	struct packet packet;
	bool flooded;

	if (size < ETHER_SIZE || size > KMLN_FRAME_MAX)
		return false;
	flooded = frame[0] & 1;
	/* To somebody else: a hub, or a switch that does not know yet where, gives it to all.
	 * libslirp's own addresses begin with 52:55 and, on IPv6, 52:56. */
	if (!flooded && (frame[0] != 0x52 || (frame[1] != 0x55 && frame[1] != 0x56)))
		return false;
	/* from a group, or from libslirp itself */
	if (frame[6] & 1 || (frame[6] == 0x52 && (frame[7] == 0x55 || frame[7] == 0x56)))
		return false;
	if (get16(frame + 12) == 0x0806)
		return size >= ETHER_SIZE + ARP_SIZE && filter->uplink->net4.on;
	if (!read_packet(&packet, frame, size))
		return false;
	return packet.family == AF_INET ? pass4(filter, &packet, flooded, now)
					: pass6(filter, &packet, flooded, now);
}

void kmln_filter_out(struct kmln_filter *filter, uint8_t *frame, size_t size, int64_t now)
{
	const void *gateway, *loopback;
	struct kmln_peers *peers;
	struct packet packet;

	if (size < ETHER_SIZE || !read_packet(&packet, frame, size) || packet.protocol != UDP ||
		packet.size < UDP_SIZE)
		return;
	gateway = gateway_of(filter, packet.family);
	loopback = loopback_of(packet.family);
	if (same(packet.source, loopback, packet.address))
		change_address(&packet, packet.source, gateway);
	if (!same(packet.source, gateway, packet.address))
		return;
	peers = find_peers(filter, &packet, packet.target, target_port(&packet));
	if (peers)
		remember(peers, source_port(&packet), now);
}
