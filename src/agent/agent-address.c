// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kmln-address: an interface, named by its hardware address, gets just these addresses and
 * gateways, at once and by the kernel alone. What the guest's own files say of its next boot is not
 * touched.
 */
#include "agent/agent.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"

struct message {
	struct nlmsghdr head;
	char rest[512];
};

struct address {
	int family;
	unsigned char bytes[16];
	unsigned bits;
};

static size_t length_of(int family)
{
	return family == AF_INET6 ? 16 : 4;
}

static bool read_address(const char *text, bool with_bits, struct address *address)
{
	const char *slash = strchr(text, '/');
	char plain[INET6_ADDRSTRLEN];
	size_t n = slash ? (size_t)(slash - text) : strlen(text);

	if (n >= sizeof(plain) || (slash != NULL) != with_bits)
		return false;
	memcpy(plain, text, n);
	plain[n] = '\0';
	address->family = strchr(plain, ':') ? AF_INET6 : AF_INET;
	address->bits = slash ? (unsigned)atoi(slash + 1) : 0;
	return inet_pton(address->family, plain, address->bytes) == 1 &&
	       address->bits <= 8 * length_of(address->family);
}

/* ---- netlink ---- */

static void *begin(struct message *message, uint16_t type, uint16_t flags, size_t size)
{
	memset(message, 0, sizeof(*message));
	message->head.nlmsg_len = (uint32_t)NLMSG_LENGTH(size);
	message->head.nlmsg_type = type;
	message->head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	return NLMSG_DATA(&message->head);
}

static void attribute(struct message *message, uint16_t type, const void *data, size_t size)
{
	char *at = (char *)message + NLMSG_ALIGN(message->head.nlmsg_len);
	struct rtattr head = {.rta_len = (uint16_t)RTA_LENGTH(size), .rta_type = type};

	memcpy(at, &head, sizeof(head));
	memcpy(at + RTA_LENGTH(0), data, size);
	message->head.nlmsg_len =
		(uint32_t)(NLMSG_ALIGN(message->head.nlmsg_len) + RTA_ALIGN(head.rta_len));
}

/* The kernel's answer: 0, or a negative code. */
static int ask(int fd, const struct message *message)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char rest[1024];
	} answer;

	if (send(fd, message, message->head.nlmsg_len, 0) < 0)
		return -errno;
	if (recv(fd, &answer, sizeof(answer), 0) < (ssize_t)NLMSG_LENGTH(sizeof(int)))
		return -EIO;
	return answer.head.nlmsg_type == NLMSG_ERROR ? answer.error.error : 0;
}

static int change_address(int fd, uint16_t type, int index, const struct address *address)
{
	struct message message;
	struct ifaddrmsg *body = begin(&message, type,
		type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_REPLACE : 0, sizeof(*body));
	struct in_addr broadcast;

	body->ifa_family = (unsigned char)address->family;
	body->ifa_prefixlen = (unsigned char)address->bits;
	body->ifa_index = (unsigned)index;
	attribute(&message, IFA_LOCAL, address->bytes, length_of(address->family));
	attribute(&message, IFA_ADDRESS, address->bytes, length_of(address->family));
	if (type == RTM_NEWADDR && address->family == AF_INET && address->bits < 31) {
		memcpy(&broadcast, address->bytes, 4);
		broadcast.s_addr |= htonl(address->bits ? 0xffffffffu >> address->bits : ~0u);
		attribute(&message, IFA_BROADCAST, &broadcast, 4);
	}
	return ask(fd, &message);
}

static int bring_up(int fd, int index)
{
	struct message message;
	struct ifinfomsg *body = begin(&message, RTM_NEWLINK, 0, sizeof(*body));

	body->ifi_index = index;
	body->ifi_flags = body->ifi_change = IFF_UP;
	return ask(fd, &message);
}

static int set_gateway(int fd, int index, const struct address *gateway)
{
	struct message message;
	struct rtmsg *body =
		begin(&message, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*body));

	body->rtm_family = (unsigned char)gateway->family;
	body->rtm_table = RT_TABLE_MAIN;
	body->rtm_protocol = RTPROT_STATIC;
	body->rtm_scope = RT_SCOPE_UNIVERSE;
	body->rtm_type = RTN_UNICAST;
	attribute(&message, RTA_GATEWAY, gateway->bytes, length_of(gateway->family));
	attribute(&message, RTA_OIF, &index, sizeof(index));
	return ask(fd, &message);
}

/* ---- what is there ---- */

static bool is_mac(const struct sockaddr_ll *link, const char *mac)
{
	unsigned b[6];

	if (link->sll_halen != 6 ||
		sscanf(mac, "%x:%x:%x:%x:%x:%x", b, b + 1, b + 2, b + 3, b + 4, b + 5) != 6)
		return false;
	for (int i = 0; i < 6; i++)
		if (b[i] != link->sll_addr[i])
			return false;
	return true;
}

static const char *find_interface(const struct ifaddrs *all, const char *mac)
{
	for (const struct ifaddrs *i = all; i; i = i->ifa_next)
		if (i->ifa_addr && i->ifa_addr->sa_family == AF_PACKET &&
			is_mac((const void *)i->ifa_addr, mac))
			return i->ifa_name;
	return NULL;
}

static bool is_wanted(const struct kmln_json *list, const struct address *there)
{
	struct address wanted;

	for (size_t i = 0; i < kmln_json_count(list); i++) {
		const char *text = kmln_json_words(kmln_json_item(list, i));

		if (text && read_address(text, true, &wanted) && wanted.family == there->family &&
			wanted.bits == there->bits &&
			memcmp(wanted.bytes, there->bytes, length_of(there->family)) == 0)
			return true;
	}
	return false;
}

static unsigned bits_of(const unsigned char *mask, size_t size)
{
	unsigned bits = 0;

	for (size_t i = 0; i < size; i++)
		bits += (unsigned)__builtin_popcount(mask[i]);
	return bits;
}

/* True for an address that somebody gave it: not one of the link's own. */
static bool read_there(const struct ifaddrs *at, struct address *there)
{
	const unsigned char *bytes, *mask;

	if (!at->ifa_addr || !at->ifa_netmask)
		return false;
	there->family = at->ifa_addr->sa_family;
	if (there->family == AF_INET) {
		bytes = (const void *)&((const struct sockaddr_in *)(const void *)at->ifa_addr)
				->sin_addr;
		mask = (const void *)&((const struct sockaddr_in *)(const void *)at->ifa_netmask)
			       ->sin_addr;
	} else if (there->family == AF_INET6) {
		bytes = (const void *)&((const struct sockaddr_in6 *)(const void *)at->ifa_addr)
				->sin6_addr;
		mask = (const void *)&((const struct sockaddr_in6 *)(const void *)at->ifa_netmask)
			       ->sin6_addr;
		if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)
			return false;
	} else {
		return false;
	}
	memcpy(there->bytes, bytes, length_of(there->family));
	there->bits = bits_of(mask, length_of(there->family));
	return true;
}

static int take_others(int fd, const struct ifaddrs *all, const char *name,
	const struct kmln_json *wanted, struct kmln_error *err)
{
	struct address there = {0};

	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		int r;

		if (strcmp(i->ifa_name, name) != 0 || !read_there(i, &there) ||
			is_wanted(wanted, &there))
			continue;
		r = change_address(fd, RTM_DELADDR, (int)if_nametoindex(name), &there);
		if (r < 0 && r != -EADDRNOTAVAIL)
			return kmln_fail_sys(err, -r, "taking an address of %s", name);
	}
	return 0;
}

static int add_all(int fd, const char *name, const struct kmln_json *list, bool gateways,
	struct kmln_error *err)
{
	for (size_t i = 0; i < kmln_json_count(list); i++) {
		const char *text = kmln_json_words(kmln_json_item(list, i));
		struct address address = {0};
		int index = (int)if_nametoindex(name), r;

		if (!text || !read_address(text, !gateways, &address))
			return kmln_fail(err, EINVAL, "%s: no address", text ? text : "null");
		r = gateways ? set_gateway(fd, index, &address)
			     : change_address(fd, RTM_NEWADDR, index, &address);
		if (r < 0)
			return kmln_fail_sys(err, -r, "%s: %s", name, text);
	}
	return 0;
}

static int change(const struct ifaddrs *all, const char *name, const struct kmln_json *arguments,
	struct kmln_error *err)
{
	const struct kmln_json *addresses = kmln_json_member(arguments, "addresses"),
			       *gateways = kmln_json_member(arguments, "gateways");
	KMLN_FD int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int r;

	if (fd < 0)
		return kmln_fail_sys(err, errno, "netlink");
	r = bring_up(fd, (int)if_nametoindex(name));
	if (r < 0)
		return kmln_fail_sys(err, -r, "%s", name);
	/* new ones first: the last address of a net takes its routes with it */
	r = add_all(fd, name, addresses, false, err);
	if (r == 0)
		r = take_others(fd, all, name, addresses, err);
	return r < 0 ? r : add_all(fd, name, gateways, true, err);
}

struct kmln_json *agent_call_address(
	struct agent *agent, const struct kmln_json *arguments, struct kmln_error *err)
{
	const char *mac = kmln_json_get(arguments, "mac"), *name;
	struct ifaddrs *all;
	int r;

	(void)agent;
	if (getifaddrs(&all) < 0) {
		kmln_fail_sys(err, errno, "the interfaces");
		return NULL;
	}
	name = mac ? find_interface(all, mac) : NULL;
	r = name ? change(all, name, arguments, err)
		 : kmln_fail(
			   err, ENODEV, "no interface has the hardware address %s", mac ? mac : "");
	freeifaddrs(all);
	return r < 0 ? NULL : kmln_json_object();
}
