// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ifupdown, Debian's and busybox's: a block in /etc/network/interfaces. Lines of the guest about
 * the same interface would be done too, so they are made comments, "#kmln ", until the block goes.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "guest/set.h"

#define INTERFACES "/etc/network/interfaces"
#define WHY "its network"
#define HIDDEN "#kmln "

static const struct kmln_set_interface *find(const struct kmln_set *set, const char *name, size_t n)
{
	for (size_t i = 0; i < set->settings->interface_count; i++)
		if (strlen(set->settings->interfaces[i].name) == n &&
			memcmp(set->settings->interfaces[i].name, name, n) == 0)
			return &set->settings->interfaces[i];
	return NULL;
}

/* The length of a line with its newline. */
static size_t line_length(const char *line)
{
	size_t n = strcspn(line, "\n");

	return n + (line[n] == '\n');
}

static void exchange(struct kmln_buf *text, struct kmln_buf *with)
{
	kmln_buf_fini(text);
	*text = *with;
	*with = (struct kmln_buf){0};
}

static void show_again(struct kmln_buf *text)
{
	KMLN_BUF struct kmln_buf shown = {0};

	for (const char *line = text->data; line && *line; line += line_length(line)) {
		size_t hidden = kmln_starts(line, HIDDEN) ? strlen(HIDDEN) : 0;

		kmln_buf_add(&shown, line + hidden, line_length(line) - hidden);
	}
	exchange(text, &shown);
}

/* The next word of a line that ends at a newline: its length, and where it begins. */
static size_t word_at(const char **line)
{
	*line += strspn(*line, " \t");
	return strcspn(*line, " \t\n");
}

static bool is_word(const char *word, size_t n, const char *text)
{
	return strlen(text) == n && memcmp(word, text, n) == 0;
}

/*
 * True for a line that begins with one of the names of the plan: "auto eth0", "iface eth0 ...".
 * Other names of an "auto" line are given to `kept`, since the whole line goes.
 */
static bool is_about(
	const struct kmln_set *set, const char *line, bool *stanza, struct kmln_buf *kept)
{
	const char *verb = line;
	size_t n = word_at(&verb), w;
	bool is_auto = is_word(verb, n, "auto") || (n > 6 && strncmp(verb, "allow-", 6) == 0);
	bool ours = false;

	line = verb + n;
	if (is_word(verb, n, "iface")) {
		w = word_at(&line);
		*stanza = find(set, line, w);
		return *stanza;
	}
	if (!n || *verb == '#')
		return false;
	if (!is_auto && !is_word(verb, n, "source") && !is_word(verb, n, "source-directory") &&
		!is_word(verb, n, "mapping") && strncmp(verb, "no-", 3) != 0)
		return *stanza; /* an option of the stanza above */
	*stanza = false;
	if (!is_auto)
		return false;
	for (const char *at = line; (w = word_at(&at)); at += w)
		ours |= find(set, at, w) != NULL;
	for (const char *at = line; ours && (w = word_at(&at)); at += w)
		if (!find(set, at, w))
			kmln_buf_printf(kept, "%.*s %.*s\n", (int)n, verb, (int)w, at);
	return ours;
}

static void hide_others(const struct kmln_set *set, struct kmln_buf *text, struct kmln_buf *kept)
{
	KMLN_BUF struct kmln_buf hidden = {0};
	bool stanza = false;

	for (const char *line = text->data; line && *line; line += line_length(line)) {
		if (is_about(set, line, &stanza, kept))
			kmln_buf_str(&hidden, HIDDEN);
		kmln_buf_add(&hidden, line, line_length(line));
	}
	exchange(text, &hidden);
}

static const char *netmask(struct kmln_pool *pool, bool v6, unsigned bits)
{
	struct in_addr mask = {0};

	if (v6)
		return kmln_pool_printf(pool, "%u", bits);
	mask.s_addr = htonl(bits ? ~0u << (32 - bits) : 0);
	return kmln_pool_strdup(pool, inet_ntoa(mask));
}

static void add_addresses(
	struct kmln_set *set, const struct kmln_set_interface *n, bool v6, struct kmln_buf *body)
{
	const char *gateway = v6 ? n->gateway6 : n->gateway4;

	for (const char *const *a = n->addresses; a && *a; a++) {
		unsigned bits;
		const char *address = kmln_set_split(set->pool, *a, &bits);

		if (kmln_set_is_v6(address) != v6)
			continue;
		kmln_buf_printf(body, "iface %s %s static\n\taddress %s\n\tnetmask %s\n", n->name,
			v6 ? "inet6" : "inet", address, netmask(set->pool, v6, bits));
		if (gateway)
			kmln_buf_printf(body, "\tgateway %s\n", gateway);
		gateway = NULL;
		if (!kmln_set_is_fixed_v6(n))
			continue;
		/* IPv4's goes up first; where IPv6 is a module, it comes with its own */
		kmln_buf_printf(body,
			"\tpre-up (echo 0 >/proc/sys/net/ipv6/conf/%s/accept_ra) 2>/dev/null || true\n",
			n->name);
		if (v6)
			kmln_buf_str(body, "\taccept_ra 0\n");
	}
}

static void add_interface(
	struct kmln_set *set, const struct kmln_set_interface *n, struct kmln_buf *body)
{
	size_t before;

	if (!n->manual)
		kmln_buf_printf(body, "%s %s\n", n->optional ? "allow-hotplug" : "auto", n->name);
	before = body->size;
	if (n->dhcp)
		kmln_buf_printf(body, "iface %s inet dhcp\n", n->name);
	add_addresses(set, n, false, body);
	add_addresses(set, n, true, body);
	if (body->size == before)
		kmln_buf_printf(body,
			"iface %s inet manual\n\tup ip link set dev %s up\n"
			"\tdown ip link set dev %s down\n",
			n->name, n->name, n->name);
}

int kmln_set_ifupdown(struct kmln_set *set, bool wanted, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf body = {0};
	struct kmln_set_text *text;
	int r = 0;

	if (wanted)
		r = kmln_set_text(set, INTERFACES, 0644, WHY, &text, err);
	else
		text = kmln_set_text_there(set, INTERFACES);
	if (r < 0 || !text)
		return r;
	kmln_block_remove(&text->text, "network");
	show_again(&text->text);
	if (!wanted)
		return 0;
	hide_others(set, &text->text, &body);
	for (size_t i = 0; i < set->settings->interface_count; i++)
		add_interface(set, &set->settings->interfaces[i], &body);
	kmln_block_add(&text->text, "network", body.data, false);
	return 0;
}
