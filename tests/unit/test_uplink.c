// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln-uplink's command line, good and bad, and its filter of frames, byte by byte. */
#include "unit.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "uplink/filter.h"

#define NETS \
	"--switch", "/sw", "--net4", "10.9.0.0/24", "--gateway4", "10.9.0.254", "--dns4", \
		"10.9.0.253", "--net6", "fd00:9::/64", "--gateway6", "fd00:9::fe", "--dns6", \
		"fd00:9::fd"

static int parse(struct kmln_uplink *uplink, struct kmln_pool *pool, struct kmln_error *err,
	const char *const *words)
{
	static char name[] = "kmln-uplink";
	char *argv[64] = {name};
	int argc = 1;

	for (; words[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc - 1];
	return kmln_uplink_options(uplink, pool, argc, argv, err);
}

#define PARSE(...) \
	parse(&uplink, pool, &err, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

#define WRONG(words, ...) \
	do { \
		assert_fails(PARSE(__VA_ARGS__), err, KMLN_EUSAGE); \
		if (!strstr(err.text, words)) \
			fail_msg("'%s' is not in '%s'", words, err.text); \
	} while (0)

static void test_good_lines(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_uplink uplink;
	struct kmln_error err;
	char text[INET6_ADDRSTRLEN];

	(void)state;
	/* forwards may stand before their network; values in the same word or the next */
	assert_ok(PARSE("--forward=tcp:2201:10.9.0.1:22", "--forward", "udp:2201:10.9.0.1:22",
			  "--forward", "udp:5353:[fd00:9::1]:53", NETS, "--dhcp4=10.9.0.100"),
		err);
	assert_string_equal(uplink.folder, "/sw");
	assert_true(uplink.net4.on && uplink.net6.on);
	assert_string_equal(
		inet_ntop(AF_INET, &uplink.net4.mask, text, sizeof(text)), "255.255.255.0");
	assert_string_equal(
		inet_ntop(AF_INET, &uplink.net4.dhcp, text, sizeof(text)), "10.9.0.100");
	assert_string_equal(
		inet_ntop(AF_INET6, &uplink.net6.dns, text, sizeof(text)), "fd00:9::fd");
	assert_int_equal(uplink.forward_count, 3);
	assert_false(uplink.forwards[0].udp);
	assert_int_equal(uplink.forwards[0].host_port, 2201);
	assert_int_equal(uplink.forwards[0].guest_port, 22);
	assert_int_equal(uplink.forwards[0].family, AF_INET);
	assert_true(uplink.forwards[1].udp);
	assert_int_equal(uplink.forwards[2].family, AF_INET6);
	assert_string_equal(
		inet_ntop(AF_INET6, &uplink.forwards[2].guest6, text, sizeof(text)), "fd00:9::1");
	/* one family alone */
	assert_ok(PARSE("--switch", "s", "--net4", "10.0.0.0/8", "--gateway4", "10.0.0.1", "--dns4",
			  "10.0.0.2"),
		err);
	assert_true(uplink.net4.on && !uplink.net6.on && !uplink.net4.dhcp.s_addr);
	assert_ok(PARSE("--switch", "s", "--net6", "2001:db8::/64", "--gateway6", "2001:db8::1",
			  "--dns6", "2001:db8::2"),
		err);
	assert_true(!uplink.net4.on && uplink.net6.on);
	assert_ok(PARSE("--forward", "x", "--help"), err);
	assert_true(uplink.help);
}

static void test_bad_lines(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_uplink uplink;
	struct kmln_error err;

	(void)state;
	WRONG("--switch FOLDER is missing");
	WRONG("--switch FOLDER is missing", "--switch=", "--net4", "10.9.0.0/24");
	WRONG("neither --net4 nor --net6", "--switch", "s");
	WRONG("no option sw", "sw");
	WRONG("no option --", "--");
	WRONG("no option --=x", "--=x");
	WRONG("no option --net", "--net", "10.9.0.0/24");
	WRONG("no option --net44", "--net44", "10.9.0.0/24");
	WRONG("--switch needs a value", "--switch");
	WRONG("--forward needs a value", NETS, "--forward");
	WRONG("--switch is given twice", NETS, "--switch", "t");
	WRONG("--dns4 is given twice", NETS, "--dns4=10.9.0.2");
	WRONG("--net4 needs --gateway4", "--switch", "s", "--net4", "10.9.0.0/24");
	WRONG("--net6 needs --dns6", "--switch", "s", "--net6", "fd00:9::/64", "--gateway6",
		"fd00:9::1");
	WRONG("--dns4 needs --net4", "--switch", "s", "--dns4", "10.9.0.1");
	WRONG("--dhcp4 needs --net4", "--switch", "s", "--dhcp4", "10.9.0.1", "--net6",
		"fd00:9::/64", "--gateway6", "fd00:9::1", "--dns6", "fd00:9::2");
}

#define NET4(net, gateway, dns) "--switch", "s", "--net4", net, "--gateway4", gateway, "--dns4", dns
#define NET6(net, gateway, dns) "--switch", "s", "--net6", net, "--gateway6", gateway, "--dns6", dns

static void test_bad_networks(void **state)
{
	static const char *const networks[] = {"", "/", "10.9.0.0", "10.9.0/24", "10.9.0.0/",
		"10.9.0.0/024", "10.9.0.0/33", "10.9.0.0/-1", "10.9.0.0/24 ", " 10.9.0.0/24",
		"10.9.0.0/2 4", "10.9.0.0/4294967320", "010.9.0.0/24", "0x0a.9.0.0/24",
		"10.9.0.0/24/24", "fd00::/64", "10.9.0.0/+24"};
	static const char *const prefixes[] = {"", "fd00:9::", "fd00:9::/63", "fd00:9::/064",
		"fd00:9::/64/64", "10.9.0.0/64", "::g/64", "fd00:9::%lo/64"};
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_uplink uplink;
	struct kmln_error err;

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(networks); i++)
		WRONG("not a network like", NET4(networks[i], "10.9.0.1", "10.9.0.2"));
	for (size_t i = 0; i < KMLN_COUNT(prefixes); i++)
		WRONG("not a network of 64 bits", NET6(prefixes[i], "fd00:9::1", "fd00:9::2"));
	WRONG("from 8 to 29 bits", NET4("10.0.0.0/7", "10.0.0.1", "10.0.0.2"));
	WRONG("from 8 to 29 bits", NET4("10.0.0.0/30", "10.0.0.1", "10.0.0.2"));
	WRONG("not the first of its network", NET4("10.9.0.1/24", "10.9.0.1", "10.9.0.2"));
	WRONG("not the first of its network", NET6("fd00:9::1/64", "fd00:9::1", "fd00:9::2"));
	/* the host's own loopback as the guests' network would open it */
	WRONG("no network for hosts", NET4("127.0.0.0/8", "127.0.0.1", "127.0.0.2"));
	WRONG("no network for hosts", NET4("0.0.0.0/8", "0.0.0.1", "0.0.0.2"));
	WRONG("no network for hosts", NET4("224.0.0.0/24", "224.0.0.1", "224.0.0.2"));
	WRONG("neither in 2000::/3", NET6("::/64", "::1", "::2"));
	WRONG("neither in 2000::/3", NET6("fe80::/64", "fe80::1", "fe80::2"));
	/* addresses */
	WRONG("--gateway4 10.9.1.1: not the address of a host in --net4",
		NET4("10.9.0.0/24", "10.9.1.1", "10.9.0.2"));
	WRONG("--gateway4 10.9.0.0: not the", NET4("10.9.0.0/24", "10.9.0.0", "10.9.0.2"));
	WRONG("--dns4 10.9.0.255: not the", NET4("10.9.0.0/24", "10.9.0.1", "10.9.0.255"));
	WRONG("--dns4 x: not an IPv4 address", NET4("10.9.0.0/24", "10.9.0.1", "x"));
	WRONG("the same as --gateway4", NET4("10.9.0.0/24", "10.9.0.1", "10.9.0.1"));
	WRONG("--gateway6 fd00:9::: not", NET6("fd00:9::/64", "fd00:9::", "fd00:9::2"));
	WRONG("--dns6 fd00:8::1: not the", NET6("fd00:9::/64", "fd00:9::1", "fd00:8::1"));
	WRONG("the same as --gateway6", NET6("fd00:9::/64", "fd00:9::1", "fd00:9:0::1"));
	/* DHCP gives out 16 */
	WRONG("--dhcp4 10.9.1.1: not", NETS, "--dhcp4", "10.9.1.1");
	WRONG("hold --gateway4 or --dns4", NETS, "--dhcp4", "10.9.0.238");
	WRONG("leave --net4", NET4("10.9.0.0/24", "10.9.0.1", "10.9.0.2"), "--dhcp4", "10.9.0.240");
	assert_ok(PARSE(NETS, "--dhcp4", "10.9.0.237"), err);
}

static void test_bad_forwards(void **state)
{
	static const char *const odd[] = {
		"", "tcp", "tcp:", "tcp:1", "tcp:1:", "tcp:1:10.9.0.1", "tcp:1::2"};
	static const char *const ports[] = {"tcp:0:10.9.0.1:22", "tcp:65536:10.9.0.1:22",
		"tcp:22:10.9.0.1:0", "tcp:22:10.9.0.1:65536", "tcp:+22:10.9.0.1:22",
		"tcp:22:10.9.0.1:022", "tcp: 22:10.9.0.1:22", "tcp:22x:10.9.0.1:22",
		"tcp::10.9.0.1:22", "tcp:22:10.9.0.1:", "tcp:4294967318:10.9.0.1:22",
		"tcp:22:10.9.0.1:22 "};
	static const char *const guests[] = {"tcp:22:10.9.1.1:22", "tcp:22:10.9.0.255:22",
		"tcp:22:127.0.0.1:22", "tcp:22:x:22", "tcp:127.0.0.1:2201:10.9.0.1:22",
		"tcp:22:[10.9.0.1]:22"};
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_uplink uplink;
	struct kmln_error err;
	KMLN_STRV struct kmln_strv many = {0};

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(odd); i++)
		assert_fails(PARSE(NETS, "--forward", odd[i]), err, KMLN_EUSAGE);
	WRONG("neither tcp: nor udp:", NETS, "--forward", "TCP:1:10.9.0.1:2");
	for (size_t i = 0; i < KMLN_COUNT(ports); i++)
		WRONG("from 1 to 65535", NETS, "--forward", ports[i]);
	for (size_t i = 0; i < KMLN_COUNT(guests); i++)
		assert_fails(PARSE(NETS, "--forward", guests[i]), err, KMLN_EUSAGE);
	WRONG("none in --net4", NETS, "--forward", "tcp:22:fd00:9::1:22");
	WRONG("none in --net6", NETS, "--forward", "tcp:22:[fd00:8::1]:22");
	WRONG("none in --net6", NETS, "--forward", "tcp:22:[::1]:22");
	WRONG("none in --net6", NET4("10.9.0.0/24", "10.9.0.1", "10.9.0.2"), "--forward",
		"tcp:22:[fd00:9::1]:22");
	WRONG("uplink's own", NETS, "--forward", "tcp:22:10.9.0.254:22");
	WRONG("uplink's own", NETS, "--forward", "tcp:22:[fd00:9::fd]:22");
	WRONG("taken by --forward tcp:22:10.9.0.1:22", NETS, "--forward", "tcp:22:10.9.0.1:22",
		"--forward", "tcp:22:10.9.0.2:22");
	WRONG("same UDP port as", NETS, "--forward", "udp:22:10.9.0.1:22", "--forward",
		"udp:23:10.9.0.1:22");
	for (const char *const *word = (const char *const[]){"kmln-uplink", NETS, NULL}; *word;
		word++)
		kmln_strv_add(&many, *word);
	for (int i = 1; i <= KMLN_FORWARDS_MAX + 1; i++)
		kmln_strv_printf(&many, "--forward=tcp:%d:10.9.0.1:22", i);
	assert_ok(kmln_uplink_options(&uplink, pool, (int)many.count - 1, many.items, &err), err);
	assert_int_equal(uplink.forward_count, KMLN_FORWARDS_MAX);
	assert_fails(kmln_uplink_options(&uplink, pool, (int)many.count, many.items, &err), err,
		KMLN_EUSAGE);
}

/* --- frames */

static const uint8_t ours[6] = {0x52, 0x55, 10, 9, 0, 254}, guest[6] = {2, 0, 0, 0, 0, 1};

/* An Ethernet frame around an IPv4 UDP packet with 4 bytes in it; returns its size. */
static size_t udp4(uint8_t *frame, const char *source, int sport, const char *target, int dport)
{
	const uint8_t head[28] = {0x45, [3] = 32, [8] = 64, [9] = 17, [25] = 12};

	memcpy(frame, ours, 6);
	memcpy(frame + 6, guest, 6);
	memcpy(frame + 12, "\x08\x00", 2);
	memcpy(frame + 14, head, sizeof(head));
	memcpy(frame + 42, "abcd", 4);
	inet_pton(AF_INET, source, frame + 26);
	inet_pton(AF_INET, target, frame + 30);
	frame[34] = (uint8_t)(sport >> 8), frame[35] = (uint8_t)sport;
	frame[36] = (uint8_t)(dport >> 8), frame[37] = (uint8_t)dport;
	return 46;
}

static size_t udp6(uint8_t *frame, const char *source, int sport, const char *target, int dport)
{
	memset(frame, 0, 66);
	memcpy(frame, "\x52\x56\0\0\0\xfe", 6);
	memcpy(frame + 6, guest, 6);
	memcpy(frame + 12, "\x86\xdd\x60\0\0\0\0\x0c\x11\x40", 10);
	inet_pton(AF_INET6, source, frame + 22);
	inet_pton(AF_INET6, target, frame + 38);
	frame[54] = (uint8_t)(sport >> 8), frame[55] = (uint8_t)sport;
	frame[56] = (uint8_t)(dport >> 8), frame[57] = (uint8_t)dport;
	frame[59] = 12;
	return 66;
}

static const char *const line[] = {
	NETS, "--forward", "udp:1:10.9.0.1:99", "--forward", "udp:1:[fd00:9::1]:99", NULL};

static void test_lengths(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_filter filter;
	struct kmln_uplink uplink;
	struct kmln_error err;
	uint8_t frame[KMLN_FRAME_MAX + 1] = {0};
	size_t size;

	(void)state;
	assert_ok(parse(&uplink, pool, &err, line), err);
	kmln_filter_init(&filter, &uplink, pool);
	/* each shorter one, in memory of just that size, so that a sanitizer sees a step too far */
	for (int six = 0; six < 2; six++) {
		size = six ? udp6(frame, "fd00:9::1", 7, "2001:db8::1", 8)
			   : udp4(frame, "10.9.0.1", 7, "192.0.2.1", 8);
		assert_true(kmln_filter_in(&filter, frame, size, 0));
		for (size_t less = 0; less < size; less++) {
			KMLN_FREE uint8_t *cut = kmln_malloc(less + 1);

			memcpy(cut, frame, less);
			cut = kmln_realloc(cut, less ? less : 1);
			assert_false(kmln_filter_in(&filter, cut, less, 0));
			kmln_filter_out(&filter, cut, less, 0);
		}
	}
	/* longer ones carry a trailer, up to what a wire takes */
	size = udp4(frame, "10.9.0.1", 7, "192.0.2.1", 8);
	assert_true(kmln_filter_in(&filter, frame, KMLN_FRAME_MAX, 0));
	assert_false(kmln_filter_in(&filter, frame, KMLN_FRAME_MAX + 1, 0));
	/* a header too short, too long; the wrong version; a fragment of each kind */
	for (int bad = 0; bad < 5; bad++) {
		static const struct {
			uint8_t at, value;
		} change[] = {{14, 0x44}, {14, 0x4f}, {14, 0x65}, {20, 0x20}, {21, 0x01}};

		udp4(frame, "10.9.0.1", 7, "192.0.2.1", 8);
		frame[change[bad].at] = change[bad].value;
		assert_false(kmln_filter_in(&filter, frame, size, 0));
	}
	/* a fragment's mark of "do not cut" is none */
	udp4(frame, "10.9.0.1", 7, "192.0.2.1", 8);
	frame[20] = 0x40;
	assert_true(kmln_filter_in(&filter, frame, size, 0));
	/* ARP must be whole; other protocols do not pass */
	memcpy(frame + 12, "\x08\x06", 2);
	assert_true(kmln_filter_in(&filter, frame, 42, 0));
	assert_false(kmln_filter_in(&filter, frame, 41, 0));
	memcpy(frame + 12, "\x88\xf8", 2);
	assert_false(kmln_filter_in(&filter, frame, 60, 0));
}

static void test_addresses(void **state)
{
	static const struct {
		const char *source, *target;
		int port;
		bool pass;
	} cases[] = {
		{"10.9.0.1", "192.0.2.1", 80, true},
		{"10.9.0.1", "8.8.8.8", 53, true},
		{"10.9.0.1", "10.9.0.253", 53, true},
		{"10.9.0.1", "10.9.0.253", 54, false},
		{"10.9.0.1", "10.9.0.254", 53, false},
		{"10.9.0.1", "10.9.0.254", 67, false},
		{"10.9.0.1", "10.9.0.2", 53, false},
		{"10.9.0.1", "10.9.0.255", 53, false},
		{"10.9.0.1", "127.0.0.1", 53, false},
		{"10.9.0.1", "127.255.255.254", 53, false},
		{"10.9.0.1", "0.0.0.0", 53, false},
		{"10.9.0.1", "0.1.2.3", 53, false},
		{"10.9.0.1", "169.254.169.254", 80, false},
		{"10.9.0.1", "224.0.0.251", 5353, false},
		{"10.9.0.1", "240.0.0.1", 53, false},
		{"10.9.0.1", "255.255.255.255", 67, false},
		{"10.8.0.1", "192.0.2.1", 80, false},
		{"127.0.0.1", "192.0.2.1", 80, false},
		{"10.9.0.254", "192.0.2.1", 80, false},
		{"10.9.0.253", "192.0.2.1", 80, false},
		{"fd00:9::1", "2001:db8::1", 80, true},
		{"fd00:9::1", "fd00:8::1", 80, true},
		{"fd00:9::1", "64:ff9b::808:808", 53, true},
		{"fd00:9::1", "fd00:9::fd", 53, true},
		{"fd00:9::1", "fd00:9::fd", 54, false},
		{"fd00:9::1", "fd00:9::fe", 53, false},
		{"fd00:9::1", "fd00:9::2", 53, false},
		{"fd00:9::1", "::1", 53, false},
		{"fd00:9::1", "::", 53, false},
		{"fd00:9::1", "::ffff:127.0.0.1", 53, false},
		{"fd00:9::1", "::127.0.0.1", 53, false},
		{"fd00:9::1", "fe80::2", 53, false},
		{"fd00:9::1", "ff02::1", 53, false},
		{"fd00:9::1", "ff02::fb", 5353, false},
		{"fd00:8::1", "2001:db8::1", 80, false},
		{"fe80::1", "2001:db8::1", 80, false},
		{"fe80::1", "fd00:9::fd", 53, false},
		{"::1", "2001:db8::1", 80, false},
		{"fd00:9::fe", "2001:db8::1", 80, false},
	};
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_filter filter;
	struct kmln_uplink uplink;
	struct kmln_error err;
	uint8_t frame[128];

	(void)state;
	assert_ok(parse(&uplink, pool, &err, line), err);
	kmln_filter_init(&filter, &uplink, pool);
	for (size_t i = 0; i < KMLN_COUNT(cases); i++) {
		bool six = strchr(cases[i].source, ':');
		size_t size = (six ? udp6 : udp4)(
			frame, cases[i].source, 1234, cases[i].target, cases[i].port);

		if (kmln_filter_in(&filter, frame, size, 0) != cases[i].pass)
			fail_msg("%s -> %s port %d", cases[i].source, cases[i].target,
				cases[i].port);
		/* what is said to all, to somebody else, or comes from a group, never passes */
		for (int j = 0; j < 3; j++) {
			(six ? udp6 : udp4)(
				frame, cases[i].source, 1234, cases[i].target, cases[i].port);
			frame[j == 2 ? 6 : 0] = j == 0 ? 0xff : j == 1 ? 0x02 : 0x03;
			assert_false(kmln_filter_in(&filter, frame, size, 0));
		}
		/* nor another protocol (SCTP) */
		(six ? udp6 : udp4)(frame, cases[i].source, 1234, cases[i].target, cases[i].port);
		frame[six ? 20 : 23] = 132;
		assert_false(kmln_filter_in(&filter, frame, size, 0));
	}
}

static uint32_t sum_of(const uint8_t *data, size_t size, uint32_t sum)
{
	for (size_t i = 0; i < size; i += 2)
		sum += (uint32_t)(data[i] << 8 | data[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void put_sum(uint8_t *at, uint32_t sum)
{
	at[0] = (uint8_t)(~sum >> 8), at[1] = (uint8_t)~sum;
}

/* A right sum over all, itself included, is 0xffff. */
static uint32_t udp_sum(const uint8_t *frame, bool six)
{
	const uint8_t *udp = frame + (six ? 54 : 34);

	return sum_of(udp, 12, sum_of(udp - (six ? 32 : 8), six ? 32 : 8, 17 + 12));
}

static void test_answers_of_forwards(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_filter filter;
	struct kmln_uplink uplink;
	struct kmln_error err;

	(void)state;
	assert_ok(parse(&uplink, pool, &err, line), err);
	for (int six = 0; six < 2; six++) {
		size_t (*make)(uint8_t *, const char *, int, const char *, int) = six ? udp6 : udp4;
		const char *guest_address = six ? "fd00:9::1" : "10.9.0.1";
		const char *gateway = six ? "fd00:9::fe" : "10.9.0.254";
		const char *loopback = six ? "::1" : "127.0.0.1";
		size_t size, sum = six ? 60 : 40, target = six ? 38 : 30, source = six ? 22 : 26;
		uint8_t frame[128], address[16];

		inet_pton(six ? AF_INET6 : AF_INET, loopback, address);
		kmln_filter_init(&filter, &uplink, pool);
		/* nobody has asked */
		size = make(frame, guest_address, 99, gateway, 5000);
		assert_false(kmln_filter_in(&filter, frame, size, 0));
		/* a process asks, and is answered, and nobody else is */
		make(frame, gateway, 5000, guest_address, 99);
		kmln_filter_out(&filter, frame, size, 1000);
		for (int i = 0; i < 4; i++) {
			make(frame, guest_address, i == 1 ? 98 : 99, gateway, i == 2 ? 5001 : 5000);
			frame[sum] = frame[sum + 1] = 0;
			put_sum(frame + sum, udp_sum(frame, six));
			if (!six)
				put_sum(frame + 24, sum_of(frame + 14, 20, 0));
			assert_int_equal(kmln_filter_in(&filter, frame, size,
						 i == 3 ? 1000 + KMLN_PEER_MS : 1000),
				i == 0);
			if (i)
				continue;
			assert_memory_equal(frame + target, address, six ? 16 : 4);
			assert_int_equal(udp_sum(frame, six), 0xffff);
			if (!six)
				assert_int_equal(sum_of(frame + 14, 20, 0), 0xffff);
		}
		/* another guest does not answer for it */
		make(frame, six ? "fd00:9::2" : "10.9.0.2", 99, gateway, 5000);
		assert_false(kmln_filter_in(&filter, frame, size, 1000));
		/* what then comes from the loopback comes from the gateway, and its sums are right
		 */
		make(frame, loopback, 5000, guest_address, 99);
		frame[sum] = frame[sum + 1] = 0;
		put_sum(frame + sum, udp_sum(frame, six));
		kmln_filter_out(&filter, frame, size, 1000);
		inet_pton(six ? AF_INET6 : AF_INET, gateway, address);
		assert_memory_equal(frame + source, address, six ? 16 : 4);
		assert_int_equal(udp_sum(frame, six), 0xffff);
		/* so many that the first is forgotten, and the last is not */
		for (int i = 0; i < KMLN_PEERS; i++) {
			make(frame, gateway, 6000 + i, guest_address, 99);
			kmln_filter_out(&filter, frame, size, 2000 + i);
		}
		make(frame, guest_address, 99, gateway, 5000);
		assert_false(kmln_filter_in(&filter, frame, size, 3000));
		make(frame, guest_address, 99, gateway, 6000 + KMLN_PEERS - 1);
		assert_true(kmln_filter_in(&filter, frame, size, 3000));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_lines),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_bad_networks),
		cmocka_unit_test(test_bad_forwards),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_answers_of_forwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
