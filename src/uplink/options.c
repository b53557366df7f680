// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads the command line of kmln-uplink. Numbers and addresses are taken strictly: what another
 * program might read differently is refused.
 */
#include "uplink/options.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* libslirp gives out so many addresses, from the first on. */
#define DHCP_ADDRESSES 16

enum option { SWITCH, NET4, GATEWAY4, DNS4, DHCP4, NET6, GATEWAY6, DNS6, FORWARD, OPTIONS };

static const char *const names[OPTIONS] = {
	[SWITCH] = "switch",
	[NET4] = "net4",
	[GATEWAY4] = "gateway4",
	[DNS4] = "dns4",
	[DHCP4] = "dhcp4",
	[NET6] = "net6",
	[GATEWAY6] = "gateway6",
	[DNS6] = "dns6",
	[FORWARD] = "forward",
};

/* A number of decimal digits alone, without a zero in front, from `least` to `most`. */
static bool read_number(const char *text, long least, long most, long *number)
{
	size_t length = strspn(text, "0123456789");

	if (!length || length > 5 || text[length] || (text[0] == '0' && length > 1))
		return false;
	*number = strtol(text, NULL, 10);
	return *number >= least && *number <= most;
}

static int bad_value(enum option option, const char *value, const char *why, struct kmln_error *err)
{
	return kmln_fail(err, KMLN_EUSAGE, "--%s %s: %s", names[option], value, why);
}

static int read_net4(struct kmln_net4 *net, const char *value, struct kmln_error *err)
{
	KMLN_FREE char *copy = kmln_strdup(value);
	char *slash = strchr(copy, '/');
	uint32_t first;
	long bits;

	if (slash)
		*slash++ = '\0';
	if (!slash || !read_number(slash, 0, 32, &bits) || inet_pton(AF_INET, copy, &net->net) != 1)
		return bad_value(NET4, value, "not a network like 10.9.0.0/24", err);
	if (bits < 8 || bits > 29)
		return bad_value(NET4, value, "a network here has from 8 to 29 bits", err);
	net->mask.s_addr = htonl(~0u << (32 - bits));
	if (net->net.s_addr & ~net->mask.s_addr)
		return bad_value(NET4, value, "an address, not the first of its network", err);
	first = ntohl(net->net.s_addr) >> 24;
	if (first == 0 || first == 127 || first >= 224)
		return bad_value(NET4, value, "no network for hosts", err);
	net->on = true;
	return 0;
}

static int read_net6(struct kmln_net6 *net, const char *value, struct kmln_error *err)
{
	KMLN_FREE char *copy = kmln_strdup(value);
	char *slash = strchr(copy, '/');
	const uint8_t *bytes = net->prefix.s6_addr;
	static const uint8_t none[8];

	if (slash)
		*slash++ = '\0';
	if (!kmln_eq(slash, "64") || inet_pton(AF_INET6, copy, &net->prefix) != 1)
		return bad_value(NET6, value, "not a network of 64 bits like fd00:9::/64", err);
	if (memcmp(bytes + 8, none, 8) != 0)
		return bad_value(NET6, value, "an address, not the first of its network", err);
	if ((bytes[0] & 0xe0) != 0x20 && (bytes[0] & 0xfe) != 0xfc)
		return bad_value(NET6, value, "neither in 2000::/3 nor in fc00::/7", err);
	net->on = true;
	return 0;
}

static bool in_net4(const struct kmln_net4 *net, struct in_addr address)
{
	uint32_t host = address.s_addr & ~net->mask.s_addr;

	return net->on && (address.s_addr & net->mask.s_addr) == net->net.s_addr && host &&
	       host != ~net->mask.s_addr;
}

static bool in_net6(const struct kmln_net6 *net, const struct in6_addr *address)
{
	/* the first address of the network belongs to whatever routes there */
	return net->on && memcmp(address, &net->prefix, 8) == 0 &&
	       !IN6_ARE_ADDR_EQUAL(address, &net->prefix);
}

static int read_address4(const struct kmln_net4 *net, enum option option, const char *value,
	struct in_addr *address, struct kmln_error *err)
{
	if (inet_pton(AF_INET, value, address) != 1)
		return bad_value(option, value, "not an IPv4 address", err);
	return in_net4(net, *address)
		       ? 0
		       : bad_value(option, value, "not the address of a host in --net4", err);
}

static int read_address6(const struct kmln_net6 *net, enum option option, const char *value,
	struct in6_addr *address, struct kmln_error *err)
{
	if (inet_pton(AF_INET6, value, address) != 1)
		return bad_value(option, value, "not an IPv6 address", err);
	return in_net6(net, address)
		       ? 0
		       : bad_value(option, value, "not the address of a host in --net6", err);
}

/* All of a family's options together, or none of them. */
static int check_together(
	const char *const *values, enum option net, bool *wanted, struct kmln_error *err)
{
	static const enum option with[2][2] = {{GATEWAY4, DNS4}, {GATEWAY6, DNS6}};
	const enum option *others = with[net == NET6];

	*wanted = values[net];
	for (int i = 0; i < 2; i++) {
		if (*wanted && !values[others[i]])
			return kmln_fail(
				err, KMLN_EUSAGE, "--%s needs --%s", names[net], names[others[i]]);
		if (!*wanted && values[others[i]])
			return kmln_fail(
				err, KMLN_EUSAGE, "--%s needs --%s", names[others[i]], names[net]);
	}
	return 0;
}

static int check_dhcp4(const struct kmln_net4 *net, const char *value, struct kmln_error *err)
{
	uint32_t first = ntohl(net->dhcp.s_addr), last = first + DHCP_ADDRESSES - 1;
	const struct in_addr end = {htonl(last)};

	if (!in_net4(net, end))
		return bad_value(DHCP4, value, "the 16 addresses from there on leave --net4", err);
	if ((ntohl(net->gateway.s_addr) >= first && ntohl(net->gateway.s_addr) <= last) ||
		(ntohl(net->dns.s_addr) >= first && ntohl(net->dns.s_addr) <= last))
		return bad_value(DHCP4, value,
			"the 16 addresses from there on hold --gateway4 or --dns4", err);
	return 0;
}

static int read_nets(struct kmln_uplink *uplink, const char *const *values, struct kmln_error *err)
{
	struct kmln_net4 *net4 = &uplink->net4;
	struct kmln_net6 *net6 = &uplink->net6;
	bool four, six;
	int r;

	if ((r = check_together(values, NET4, &four, err)) < 0 ||
		(r = check_together(values, NET6, &six, err)) < 0)
		return r;
	if (!four && !six)
		return kmln_fail(err, KMLN_EUSAGE, "neither --net4 nor --net6 is given");
	if (values[DHCP4] && !four)
		return kmln_fail(err, KMLN_EUSAGE, "--dhcp4 needs --net4");
	if (four) {
		if ((r = read_net4(net4, values[NET4], err)) < 0 ||
			(r = read_address4(net4, GATEWAY4, values[GATEWAY4], &net4->gateway, err)) <
				0 ||
			(r = read_address4(net4, DNS4, values[DNS4], &net4->dns, err)) < 0)
			return r;
		if (net4->gateway.s_addr == net4->dns.s_addr)
			return bad_value(DNS4, values[DNS4], "the same as --gateway4", err);
	}
	if (values[DHCP4]) {
		if ((r = read_address4(net4, DHCP4, values[DHCP4], &net4->dhcp, err)) < 0 ||
			(r = check_dhcp4(net4, values[DHCP4], err)) < 0)
			return r;
	}
	if (six) {
		if ((r = read_net6(net6, values[NET6], err)) < 0 ||
			(r = read_address6(net6, GATEWAY6, values[GATEWAY6], &net6->gateway, err)) <
				0 ||
			(r = read_address6(net6, DNS6, values[DNS6], &net6->dns, err)) < 0)
			return r;
		if (IN6_ARE_ADDR_EQUAL(&net6->gateway, &net6->dns))
			return bad_value(DNS6, values[DNS6], "the same as --gateway6", err);
	}
	return 0;
}

static int read_guest(const struct kmln_uplink *uplink, struct kmln_forward *forward, char *text,
	struct kmln_error *err)
{
	const struct kmln_net4 *net4 = &uplink->net4;
	const struct kmln_net6 *net6 = &uplink->net6;
	size_t length = strlen(text);
	bool ours;

	if (text[0] == '[' && text[length - 1] == ']') {
		text[length - 1] = '\0';
		forward->family = AF_INET6;
		if (inet_pton(AF_INET6, text + 1, &forward->guest6) != 1 ||
			!in_net6(net6, &forward->guest6))
			return bad_value(FORWARD, forward->text,
				"the guest's address is none in --net6", err);
		ours = IN6_ARE_ADDR_EQUAL(&forward->guest6, &net6->gateway) ||
		       IN6_ARE_ADDR_EQUAL(&forward->guest6, &net6->dns);
	} else {
		forward->family = AF_INET;
		if (inet_pton(AF_INET, text, &forward->guest4) != 1 ||
			!in_net4(net4, forward->guest4))
			return bad_value(FORWARD, forward->text,
				"the guest's address is none in --net4", err);
		ours = forward->guest4.s_addr == net4->gateway.s_addr ||
		       forward->guest4.s_addr == net4->dns.s_addr;
	}
	return ours ? bad_value(FORWARD, forward->text, "the address is the uplink's own", err) : 0;
}

static int read_forward(const struct kmln_uplink *uplink, struct kmln_forward *forward,
	const char *value, struct kmln_error *err)
{
	KMLN_FREE char *copy = kmln_strdup(value);
	char *rest = copy, *kind = strsep(&rest, ":"), *host = strsep(&rest, ":"), *guest;
	long host_port, guest_port;

	*forward = (struct kmln_forward){.text = value};
	forward->udp = kmln_eq(kind, "udp");
	if (!forward->udp && !kmln_eq(kind, "tcp"))
		return bad_value(FORWARD, value, "begins with neither tcp: nor udp:", err);
	guest = rest ? strrchr(rest, ':') : NULL;
	if (!guest || guest == rest)
		return bad_value(FORWARD, value,
			"not like tcp:HOSTPORT:GUESTADDRESS:GUESTPORT (an IPv6 address in [])",
			err);
	*guest++ = '\0';
	if (!read_number(host, 1, 65535, &host_port) || !read_number(guest, 1, 65535, &guest_port))
		return bad_value(FORWARD, value, "a port is a number from 1 to 65535", err);
	forward->host_port = (uint16_t)host_port;
	forward->guest_port = (uint16_t)guest_port;
	return read_guest(uplink, forward, rest, err);
}

static int add_forward(struct kmln_uplink *uplink, struct kmln_pool *pool, const char *value,
	struct kmln_error *err)
{
	struct kmln_forward forward, *place;
	int r = read_forward(uplink, &forward, value, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < uplink->forward_count; i++) {
		const struct kmln_forward *other = &uplink->forwards[i];

		if (other->udp == forward.udp && other->family == forward.family &&
			other->host_port == forward.host_port)
			return kmln_fail(err, KMLN_EUSAGE,
				"--forward %s: the host's port is taken by --forward %s", value,
				other->text);
		/* the answers could not be told apart */
		if (other->udp && forward.udp && other->family == forward.family &&
			other->guest_port == forward.guest_port &&
			other->guest4.s_addr == forward.guest4.s_addr &&
			IN6_ARE_ADDR_EQUAL(&other->guest6, &forward.guest6))
			return kmln_fail(err, KMLN_EUSAGE,
				"--forward %s: leads to the same UDP port as --forward %s", value,
				other->text);
	}
	if (uplink->forward_count == KMLN_FORWARDS_MAX)
		return bad_value(FORWARD, value, "more than 256 forwards", err);
	place = kmln_pool_append(pool, &uplink->forwards, &uplink->forward_count, sizeof(*place));
	*place = forward;
	return 0;
}

/* Which option `word` is, and its value in the same word, or NULL. */
static enum option find_option(const char *word, const char **value)
{
	const char *equals = strchr(word, '=');
	size_t length = equals ? (size_t)(equals - word) : strlen(word);

	*value = equals ? equals + 1 : NULL;
	if (length < 3 || !kmln_starts(word, "--"))
		return OPTIONS;
	for (enum option i = 0; i < OPTIONS; i++)
		if (strlen(names[i]) == length - 2 && memcmp(names[i], word + 2, length - 2) == 0)
			return i;
	return OPTIONS;
}

int kmln_uplink_options(struct kmln_uplink *uplink, struct kmln_pool *pool, int argc, char **argv,
	struct kmln_error *err)
{
	const char *values[OPTIONS] = {0}, *value;
	int r;

	*uplink = (struct kmln_uplink){0};
	for (int i = 1; i < argc; i++) {
		enum option option = find_option(argv[i], &value);

		if (kmln_eq(argv[i], "--help") || kmln_eq(argv[i], "-h")) {
			*uplink = (struct kmln_uplink){.help = true};
			return 0;
		}
		if (option == OPTIONS)
			return kmln_fail(err, KMLN_EUSAGE, "no option %s", argv[i]);
		if (!value && !(value = argv[++i]))
			return kmln_fail(err, KMLN_EUSAGE, "--%s needs a value", names[option]);
		if (values[option] && option != FORWARD)
			return kmln_fail(err, KMLN_EUSAGE, "--%s is given twice", names[option]);
		values[option] = value;
		/* a forward is read when the networks are known, wherever it stands */
	}
	if (!values[SWITCH] || !values[SWITCH][0])
		return kmln_fail(err, KMLN_EUSAGE, "--switch FOLDER is missing");
	uplink->folder = values[SWITCH];
	r = read_nets(uplink, values, err);
	for (int i = 1; i < argc && r >= 0; i++) {
		enum option option = find_option(argv[i], &value);

		value = value ? value : argv[++i];
		if (option == FORWARD)
			r = add_forward(uplink, pool, value, err);
	}
	return r;
}
