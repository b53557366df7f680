// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands that look at the guest: system, name, time, network. */
#include "agent/agent.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

#define TEXT_MAX (4u << 20)
#define LISTENS 0x0a /* a state in /proc/net/tcp */

/* ---- the system ---- */

/* "NAME=value" or with quotes; its value under this key. */
static void set_release(struct kmln_json *answer, const char *line, size_t length)
{
	static const struct {
		const char *name, *key;
	} names[] = {{"ID=", "id"}, {"NAME=", "name"}, {"PRETTY_NAME=", "pretty-name"},
		{"VERSION=", "version"}, {"VERSION_ID=", "version-id"}};

	for (size_t i = 0; i < KMLN_COUNT(names); i++) {
		size_t head = strlen(names[i].name);
		KMLN_FREE char *value = NULL;

		if (length < head || strncmp(line, names[i].name, head) != 0)
			continue;
		line += head;
		length -= head;
		if (length >= 2 && (*line == '"' || *line == '\'') && line[length - 1] == *line) {
			line++;
			length -= 2;
		}
		value = kmln_printf("%.*s", (int)length, line);
		kmln_json_set(answer, names[i].key, kmln_json_text(value));
		return;
	}
}

struct kmln_json *agent_call_osinfo(
	struct agent *agent, const struct kmln_json *arguments, struct kmln_error *err)
{
	struct kmln_json *answer = kmln_json_object();
	KMLN_BUF struct kmln_buf text = {0};
	struct utsname name;

	(void)agent;
	(void)arguments;
	uname(&name);
	kmln_json_set(answer, "kernel-release", kmln_json_text(name.release));
	kmln_json_set(answer, "kernel-version", kmln_json_text(name.version));
	kmln_json_set(answer, "machine", kmln_json_text(name.machine));
	if (kmln_read_file("/etc/os-release", 65536, &text, err) < 0 &&
		kmln_read_file("/usr/lib/os-release", 65536, &text, err) < 0)
		return answer;
	for (const char *line = text.data; line && *line; line += strspn(line, "\n")) {
		size_t length = strcspn(line, "\n");

		set_release(answer, line, length);
		line += length;
	}
	return answer;
}

struct kmln_json *agent_call_host_name(
	struct agent *agent, const struct kmln_json *arguments, struct kmln_error *err)
{
	struct kmln_json *answer = kmln_json_object();
	struct utsname name;

	(void)agent;
	(void)arguments;
	(void)err;
	uname(&name);
	kmln_json_set(answer, "host-name", kmln_json_text(name.nodename));
	return answer;
}

struct kmln_json *agent_call_time(
	struct agent *agent, const struct kmln_json *arguments, struct kmln_error *err)
{
	struct timespec t;

	(void)agent;
	(void)arguments;
	(void)err;
	clock_gettime(CLOCK_REALTIME, &t);
	return kmln_json_signed((int64_t)t.tv_sec * 1000000000 + t.tv_nsec);
}

/* ---- the network ---- */

static unsigned count_bits(const struct sockaddr *mask)
{
	const unsigned char *bytes;
	unsigned bits = 0;
	size_t size;

	if (!mask)
		return 0;
	bytes = mask->sa_family == AF_INET6
			? (const void *)&((const struct sockaddr_in6 *)(const void *)mask)
				  ->sin6_addr
			: (const void *)&((const struct sockaddr_in *)(const void *)mask)->sin_addr;
	size = mask->sa_family == AF_INET6 ? 16 : 4;
	for (size_t i = 0; i < size; i++)
		bits += (unsigned)__builtin_popcount(bytes[i]);
	return bits;
}

static void add_address(struct kmln_json *item, const struct ifaddrs *at)
{
	bool v6 = at->ifa_addr->sa_family == AF_INET6;
	struct kmln_json *list, *address;
	char text[INET6_ADDRSTRLEN];
	const void *bytes =
		v6 ? (const void *)&((struct sockaddr_in6 *)(void *)at->ifa_addr)->sin6_addr
		   : (const void *)&((struct sockaddr_in *)(void *)at->ifa_addr)->sin_addr;

	list = (struct kmln_json *)(uintptr_t)kmln_json_member(item, "ip-addresses");
	if (!list)
		list = kmln_json_set(item, "ip-addresses", kmln_json_array());
	address = kmln_json_add(list, kmln_json_object());
	inet_ntop(at->ifa_addr->sa_family, bytes, text, sizeof(text));
	kmln_json_set(address, "ip-address", kmln_json_text(text));
	kmln_json_set(address, "ip-address-type", kmln_json_text(v6 ? "ipv6" : "ipv4"));
	kmln_json_set(address, "prefix", kmln_json_number(count_bits(at->ifa_netmask)));
}

static void add_hardware(struct kmln_json *item, const struct ifaddrs *at)
{
	const struct sockaddr_ll *link = (const void *)at->ifa_addr;
	char text[3 * 8 + 1] = "";

	for (size_t i = 0; i < link->sll_halen && i < 8; i++)
		snprintf(text + 3 * i - (i > 0), 4, "%s%02x", i ? ":" : "", link->sll_addr[i]);
	kmln_json_set(item, "hardware-address", kmln_json_text(text));
}

struct kmln_json *agent_call_interfaces(
	struct agent *agent, const struct kmln_json *arguments, struct kmln_error *err)
{
	struct ifaddrs *all;
	struct kmln_json *answer;

	(void)agent;
	(void)arguments;
	if (getifaddrs(&all) < 0) {
		kmln_fail_sys(err, errno, "the interfaces");
		return NULL;
	}
	answer = kmln_json_array();
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct kmln_json *item;

		/* each has one such entry */
		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_PACKET)
			continue;
		item = kmln_json_add(answer, kmln_json_object());
		kmln_json_set(item, "name", kmln_json_text(i->ifa_name));
		add_hardware(item, i);
		for (const struct ifaddrs *a = all; a; a = a->ifa_next)
			if (a->ifa_addr && strcmp(a->ifa_name, i->ifa_name) == 0 &&
				(a->ifa_addr->sa_family == AF_INET ||
					a->ifa_addr->sa_family == AF_INET6))
				add_address(item, a);
	}
	freeifaddrs(all);
	return answer;
}

static bool listens(const char *path, unsigned port)
{
	KMLN_BUF struct kmln_buf text = {0};
	struct kmln_error ignored;
	unsigned local, state;

	if (kmln_read_file(path, TEXT_MAX, &text, &ignored) < 0)
		return false;
	for (const char *line = text.data; line && *line; line += *line == '\n') {
		if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &local, &state) ==
				2 &&
			local == port && state == LISTENS)
			return true;
		line += strcspn(line, "\n");
	}
	return false;
}

struct kmln_json *agent_call_port(
	struct agent *agent, const struct kmln_json *arguments, struct kmln_error *err)
{
	int64_t port = kmln_json_integer(arguments, "port", 0);

	(void)agent;
	if (port < 1 || port > 65535) {
		kmln_fail(err, EINVAL, "the request names no port");
		return NULL;
	}
	if (access("/proc/net/tcp", R_OK) < 0) {
		kmln_fail_sys(err, errno, "/proc/net/tcp");
		return NULL;
	}
	return kmln_json_bool(listens("/proc/net/tcp", (unsigned)port) ||
			      listens("/proc/net/tcp6", (unsigned)port));
}
