// SPDX-License-Identifier: GPL-2.0-or-later
/* Addresses and nets of both families. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "project/model.h"
#include "project/types.h"

static unsigned whole(const struct kmln_ip *ip)
{
	return ip->family == KMLN_IPV4 ? 32 : 128;
}

void kmln_ip_text(char text[KMLN_IP_TEXT], const struct kmln_ip *ip, bool bits)
{
	size_t n;

	inet_ntop(ip->family == KMLN_IPV4 ? AF_INET : AF_INET6, ip->bytes, text, KMLN_IP_TEXT);
	n = strlen(text);
	if (bits)
		snprintf(text + n, KMLN_IP_TEXT - n, "/%u", ip->bits);
}

bool kmln_ip_parse(const char *text, struct kmln_ip *ip)
{
	const char *slash = strchr(text, '/');
	char address[KMLN_IP_TEXT];
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	uint64_t bits;

	memset(ip, 0, sizeof(*ip));
	if (n >= sizeof(address))
		return false;
	memcpy(address, text, n);
	address[n] = '\0';
	ip->family = strchr(address, ':') ? KMLN_IPV6 : KMLN_IPV4;
	if (inet_pton(ip->family == KMLN_IPV4 ? AF_INET : AF_INET6, address, ip->bytes) != 1)
		return false;
	bits = whole(ip);
	if (slash && (!kmln_parse_decimal(slash + 1, &bits) || bits > whole(ip)))
		return false;
	ip->bits = (unsigned char)bits;
	ip->given = true;
	return true;
}

bool kmln_ip_equal(const struct kmln_ip *a, const struct kmln_ip *b)
{
	return a->given && b->given && a->family == b->family &&
	       memcmp(a->bytes, b->bytes, whole(a) / 8) == 0;
}

struct kmln_ip kmln_ip_net(const struct kmln_ip *ip)
{
	struct kmln_ip net = *ip;

	for (unsigned i = 0; i < whole(ip) / 8; i++) {
		unsigned from = i * 8, keep = ip->bits > from ? ip->bits - from : 0;

		if (keep < 8)
			net.bytes[i] &= (unsigned char)(0xff << (8 - keep));
	}
	return net;
}

bool kmln_ip_inside(const struct kmln_ip *ip, const struct kmln_ip *net)
{
	struct kmln_ip probe = *ip, start;

	if (!ip->given || !net->given || ip->family != net->family)
		return false;
	probe.bits = net->bits;
	probe = kmln_ip_net(&probe);
	start = kmln_ip_net(net);
	return memcmp(probe.bytes, start.bytes, whole(net) / 8) == 0;
}

struct kmln_ip kmln_ip_broadcast(const struct kmln_ip *ip)
{
	struct kmln_ip last = kmln_ip_net(ip);

	for (unsigned bit = ip->bits; bit < whole(ip); bit++)
		last.bytes[bit / 8] |= (unsigned char)(0x80 >> bit % 8);
	return last;
}

bool kmln_ip_count(struct kmln_ip *ip, uint64_t number)
{
	for (unsigned i = whole(ip) / 8; i-- && number;) {
		number += ip->bytes[i];
		ip->bytes[i] = (unsigned char)number;
		number >>= 8;
	}
	return number == 0;
}

bool kmln_ip_mask(const char *text, unsigned *bits)
{
	struct kmln_ip ip;
	uint32_t mask;

	if (!kmln_ip_parse(text, &ip) || ip.family != KMLN_IPV4 || strchr(text, '/'))
		return false;
	mask = (uint32_t)ip.bytes[0] << 24 | (uint32_t)ip.bytes[1] << 16 |
	       (uint32_t)ip.bytes[2] << 8 | ip.bytes[3];
	*bits = (unsigned)__builtin_popcount(mask);
	return mask == (*bits ? UINT32_MAX << (32 - *bits) : 0);
}
