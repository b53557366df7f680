// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is attached to switches. First all that is written (addresses, MACs) is looked at
 * and taken; then the rest is given out, in file order: what is added behind never changes what is
 * there.
 */
#include <stdio.h>
#include <string.h>

#include "project/derive.h"
#include "project/resolving.h"
#include "project/types.h"

/* Who has an address on a network, or a MAC, or a port of this host. */
struct owner {
	const struct kmln_host *host;
	const struct kmln_interface *interface;
	struct kmln_place at;
};

struct networks {
	struct kmln_resolving *resolving;
	struct kmln_names addresses; /* by network and address */
	struct kmln_names macs;
	struct kmln_names ports;
};

/* A network as part of a key: the switch, or the text of a bridge or foreign socket. */
struct key {
	unsigned char bytes[sizeof(void *) + 17];
};

static const char *const family_names[] = {"IPv4", "IPv6"};

/* Takes a key for an owner; returns who has it already, or NULL. */
static struct owner *take(struct networks *networks, struct kmln_names *names, const void *key,
	size_t size, const struct owner *owner)
{
	struct kmln_pool *pool = networks->resolving->pool;
	struct owner *mine = kmln_pool_alloc(pool, sizeof(*mine));

	*mine = *owner;
	return kmln_names_add(names, kmln_pool_memdup(pool, key, size), size, mine);
}

static struct key address_key(const struct kmln_interface *interface, const struct kmln_ip *ip)
{
	const void *network = interface->on;
	struct key key = {{0}};

	memcpy(key.bytes, &network, sizeof(network));
	key.bytes[sizeof(network)] = ip->family;
	memcpy(key.bytes + sizeof(network) + 1, ip->bytes, sizeof(ip->bytes));
	return key;
}

static void report_clash(struct networks *networks, const struct kmln_value *value,
	const struct kmln_host *host, const struct owner *other, const char *what)
{
	if (kmln_value_told(value))
		return;
	kmln_report_error(networks->resolving->report, "address-clash", value->from->at,
		"%s of `%s` is that of `%s` too", what, host->name.text, other->host->name.text);
	kmln_report_note(networks->resolving->report, other->at, "`%s` has it from here",
		other->host->name.text);
}

static void find_switch(struct networks *networks, struct kmln_interface *interface)
{
	struct kmln_report *report = networks->resolving->report;
	const struct kmln_model *model = networks->resolving->model;
	const struct kmln_value *name = &interface->switch_name;
	const struct kmln_value *ways[] = {
		name, &interface->bridge, &interface->tun_iface, &interface->slirp};
	struct kmln_nearest nearest = {.word = name->text};
	const struct kmln_value *way = NULL;

	for (size_t i = 0; i < KMLN_COUNT(ways); i++) {
		if (!ways[i]->text)
			continue;
		if (way && !kmln_value_told(ways[i])) {
			kmln_report_error(report, "conflict", ways[i]->from->at,
				"an interface cannot be attached to two things");
			kmln_report_note(report, way->from->at, "the other one is here");
		}
		way = ways[i];
	}
	if (!way && !kmln_value_told(&interface->name))
		kmln_report_warning(report, "not-attached", interface->name.from->at,
			"`%s` is attached to nothing: it has no `switch`", interface->name.text);
	if (!name->text || name->text[0] == '/')
		return;
	interface->on =
		kmln_names_find(&networks->resolving->switches, name->text, strlen(name->text));
	if (interface->on && !kmln_eq(interface->on->name.text, name->text))
		interface->on = NULL;
	if (interface->on) {
		interface->on->ports++;
		return;
	}
	if (kmln_value_told(name))
		return;
	for (size_t i = 0; i < model->switch_count; i++)
		kmln_nearest_offer(&nearest, model->switches[i]->name.text);
	kmln_report_error(
		report, "no-switch", name->from->at, "there is no switch `%s`", name->text);
	kmln_report_suggest(report, nearest.name);
}

/* MLN's classes of nets, for addresses that say nothing about theirs. */
static unsigned char class_bits(const struct kmln_ip *ip)
{
	if (ip->family == KMLN_IPV6)
		return 64;
	return ip->bytes[0] < 128 ? 8 : ip->bytes[0] < 192 ? 16 : 24;
}

/* The bits of a written address's net: its own, the mask's, the switch's. */
static void find_bits(struct networks *networks, struct kmln_interface *interface,
	const struct kmln_value *value, struct kmln_ip *ip)
{
	struct kmln_report *report = networks->resolving->report;
	const struct kmln_ip *net = interface->on ? &interface->on->net[ip->family] : NULL;
	unsigned mask = 0;
	bool has_mask = ip->family == KMLN_IPV4 && interface->netmask.text &&
			kmln_ip_mask(interface->netmask.text, &mask);

	if (strchr(value->text, '/')) {
		if (has_mask && mask != ip->bits && !kmln_value_told(value))
			kmln_report_error(report, "conflict", value->from->at,
				"the address says /%u and the netmask /%u", ip->bits, mask);
	} else if (has_mask) {
		ip->bits = (unsigned char)mask;
	} else if (net && net->given) {
		ip->bits = net->bits;
	} else {
		ip->bits = class_bits(ip);
		if (ip->family == KMLN_IPV4 && !kmln_value_told(value)) {
			kmln_report_warning(report, "no-netmask", value->from->at,
				"no netmask: taken for /%u, as old rules say", ip->bits);
			kmln_report_note(report, (struct kmln_place){0},
				"write the bits behind the address, or a `net` for the switch");
		}
	}
	if (net && net->given && ip->bits != net->bits && !kmln_value_told(value)) {
		kmln_report_error(report, "address-outside", value->from->at,
			"the address is in a net of /%u, the switch's has /%u", ip->bits,
			net->bits);
		kmln_report_note(
			report, kmln_node_place(interface->on->node), "the switch is here");
	}
}

/* Whether a host may have the address in its net. */
static void check_inside(struct networks *networks, const struct kmln_interface *interface,
	const struct kmln_value *value, const struct kmln_ip *ip)
{
	struct kmln_report *report = networks->resolving->report;
	const struct kmln_switch *s = interface->on;
	struct kmln_ip first = kmln_ip_net(ip), last = kmln_ip_broadcast(ip);
	char text[KMLN_IP_TEXT], net[KMLN_IP_TEXT];

	kmln_ip_text(text, ip, false);
	if (s && s->net[ip->family].given && !kmln_ip_inside(ip, &s->net[ip->family])) {
		if (kmln_value_told(value))
			return;
		kmln_ip_text(net, &s->net[ip->family], true);
		kmln_report_error(report, "address-outside", value->from->at,
			"%s is outside the net %s of the switch `%s`", text, net, s->name.text);
		for (size_t i = 0; i < s->nets.count; i++) {
			const struct kmln_value *given = s->nets.items[i].cells;

			if (!strchr(given->text, ':') == (ip->family == KMLN_IPV4))
				kmln_report_note(report, given->from->at, "the net is given here");
		}
	} else if (ip->bits < (ip->family == KMLN_IPV4 ? 31 : 127) &&
		   (kmln_ip_equal(ip, &first) ||
			   (ip->family == KMLN_IPV4 && kmln_ip_equal(ip, &last)))) {
		kmln_ip_text(net, &first, true);
		if (!kmln_value_told(value))
			kmln_report_error(report, "address-outside", value->from->at,
				"%s is the %s address of %s and no host's", text,
				kmln_ip_equal(ip, &first) ? "first" : "last", net);
	} else if (s && (kmln_ip_equal(ip, &s->gateway[ip->family]) ||
				kmln_ip_equal(ip, &s->dns[ip->family]))) {
		if (!kmln_value_told(value))
			kmln_report_error(report, "address-clash", value->from->at,
				"%s belongs to the uplink of `%s`", text, s->name.text);
	}
}

static void take_written(struct networks *networks, struct kmln_host *host,
	struct kmln_interface *interface, const struct kmln_value *value)
{
	struct kmln_report *report = networks->resolving->report;
	struct owner owner = {host, interface, value->from->at}, *other;
	struct kmln_ip ip;
	struct key key;

	if (!kmln_ip_parse(value->text, &ip))
		return;
	find_bits(networks, interface, value, &ip);
	if (interface->ip[ip.family].given) {
		if (!kmln_value_told(value))
			kmln_report_error(report, "duplicate", value->from->at,
				"`%s` has an %s address already", interface->name.text,
				family_names[ip.family]);
		return;
	}
	if (host->index && !interface->counted && !kmln_ip_count(&ip, host->index - 1)) {
		if (!kmln_value_told(value))
			kmln_report_error(report, "address-outside", value->from->at,
				"`%s` would have an address behind the last one there is",
				host->name.text);
		return;
	}
	if (host->index > 1 && !interface->counted && !interface->on) {
		struct kmln_ip start;

		kmln_ip_parse(value->text, &start);
		start.bits = ip.bits;
		start = kmln_ip_net(&start);
		if (!kmln_ip_inside(&ip, &start) && !kmln_value_told(value))
			kmln_report_error(report, "address-outside", value->from->at,
				"counting leads the address of `%s` out of its net",
				host->name.text);
	}
	check_inside(networks, interface, value, &ip);
	interface->ip[ip.family] = ip;
	interface->addressing = KMLN_ADDRESS_STATIC;
	if (!interface->on)
		return;
	key = address_key(interface, &ip);
	other = take(networks, &networks->addresses, &key, sizeof(key), &owner);
	if (other) {
		char text[KMLN_IP_TEXT + 16];

		kmln_ip_text(text, &ip, false);
		strcat(text, ", the address");
		report_clash(networks, value, host, other, text);
	}
}

/* What is written of addresses; `*wants` becomes whether the rest is to be given out. */
static void read_addresses(
	struct networks *networks, struct kmln_host *host, struct kmln_interface *interface)
{
	struct kmln_report *report = networks->resolving->report;
	const struct kmln_value *word = NULL;

	for (size_t i = 0; i < interface->addresses.count; i++) {
		const struct kmln_value *value = interface->addresses.items[i].cells;

		if (kmln_eq(value->text, "dhcp") || kmln_eq(value->text, "none"))
			word = value;
		else if (kmln_eq(value->text, "auto"))
			interface->wants = true;
		else
			take_written(networks, host, interface, value);
	}
	if (!interface->addresses.count)
		interface->wants = interface->on &&
				   (interface->on->net[0].given || interface->on->net[1].given);
	else if (interface->wants && (!interface->on || (!interface->on->net[0].given &&
								!interface->on->net[1].given))) {
		const struct kmln_value *value = interface->addresses.items[0].cells;

		if (!kmln_value_told(value))
			kmln_report_error(report, "missing-value", value->from->at,
				"`address auto` needs a switch with a `net`");
	}
	if (word && interface->addresses.count > 1 && !kmln_value_told(word))
		kmln_report_error(report, "conflict", word->from->at,
			"`address %s` stands beside another address", word->text);
	else if (kmln_eq(word ? word->text : NULL, "dhcp"))
		interface->addressing = KMLN_ADDRESS_DHCP;
}

static void take_mac(
	struct networks *networks, struct kmln_host *host, struct kmln_interface *interface)
{
	const struct kmln_value *value = &interface->mac_text;
	struct owner owner = {host, interface, {0}}, *other;
	uint64_t number = 0;

	if (!value->text || !kmln_mac_parse(value->text, interface->mac))
		return;
	owner.at = value->from->at;
	for (unsigned i = 0; i < 6; i++)
		number = number << 8 | interface->mac[i];
	number += host->index ? host->index - 1 : 0;
	for (unsigned i = 6; i--; number >>= 8)
		interface->mac[i] = (unsigned char)number;
	other = take(networks, &networks->macs, interface->mac, 6, &owner);
	if (other)
		report_clash(networks, value, host, other, "the hardware address");
}

static void give_mac(
	struct networks *networks, struct kmln_host *host, struct kmln_interface *interface)
{
	const struct owner owner = {host, interface, interface->name.from->at};
	unsigned attempt = 0;

	if (interface->mac_text.text)
		return;
	do
		kmln_derive_mac(interface->mac, networks->resolving->model->project,
			host->name.text, interface->name.text, attempt++);
	while (take(networks, &networks->macs, interface->mac, 6, &owner));
}

/* Gives out an address of the net: the one that the names lead to, or the next one that is free. */
static void give_address(struct networks *networks, struct kmln_host *host,
	struct kmln_interface *interface, enum kmln_family family)
{
	const struct kmln_switch *s = interface->on;
	const struct kmln_ip *net = &s->net[family];
	const struct owner owner = {host, interface, interface->name.from->at};
	uint64_t start = kmln_derive_number("address", networks->resolving->model->project,
			 host->name.text, interface->name.text, family),
		 count;
	char text[KMLN_IP_TEXT];

	kmln_derive_address(net, 0, &count);
	for (uint64_t i = 0; i < count && i <= 4 * KMLN_EXPANDED_MAX; i++) {
		struct kmln_ip ip = kmln_derive_address(net, start % count + i, &(uint64_t){0});
		struct key key = address_key(interface, &ip);

		if (kmln_ip_equal(&ip, &s->gateway[family]) ||
			kmln_ip_equal(&ip, &s->dns[family]) ||
			kmln_names_find(&networks->addresses, (const char *)key.bytes, sizeof(key)))
			continue;
		take(networks, &networks->addresses, &key, sizeof(key), &owner);
		interface->ip[family] = ip;
		interface->given_out[family] = true;
		interface->addressing = KMLN_ADDRESS_STATIC;
		return;
	}
	if (kmln_value_told(&s->name))
		return;
	kmln_ip_text(text, net, true);
	kmln_report_error(networks->resolving->report, "too-small", s->name.from->at,
		"the net %s has no address left for `%s`", text, host->name.text);
}

/* A gateway that is written; *has notes its family. */
static void read_gateway(struct networks *networks, struct kmln_interface *interface,
	const struct kmln_value *value, bool has[KMLN_FAMILIES])
{
	struct kmln_report *report = networks->resolving->report;
	struct kmln_ip gateway;

	if (!kmln_ip_parse(value->text, &gateway))
		return;
	/* a superclass names the gateway for all its hosts, of which one is the gateway */
	if (kmln_ip_equal(&gateway, &interface->ip[gateway.family]))
		return;
	if (interface->gateway[gateway.family].given && !kmln_value_told(value))
		kmln_report_error(report, "duplicate", value->from->at,
			"`%s` has an %s gateway already", interface->name.text,
			family_names[gateway.family]);
	interface->gateway[gateway.family] = gateway;
	has[gateway.family] = true;
	if (interface->ip[gateway.family].given &&
		!kmln_ip_inside(&gateway, &interface->ip[gateway.family]) &&
		!kmln_value_told(value))
		kmln_report_error(report, "address-outside", value->from->at,
			"the gateway is outside the net of `%s`", interface->name.text);
}

static void find_gateways(struct networks *networks, struct kmln_host *host)
{
	bool has[KMLN_FAMILIES] = {false};

	for (size_t i = 0; i < host->interface_count; i++) {
		struct kmln_interface *interface = &host->interfaces[i];

		for (size_t j = 0; j < interface->gateways.count; j++)
			read_gateway(networks, interface, interface->gateways.items[j].cells, has);
	}
	/* an uplink leads outside: of the first interface that is on one */
	for (size_t i = 0; i < host->interface_count; i++)
		for (unsigned f = 0; f < KMLN_FAMILIES; f++) {
			struct kmln_interface *interface = &host->interfaces[i];

			if (has[f] || !interface->on || !interface->on->gateway[f].given ||
				!interface->ip[f].given)
				continue;
			interface->gateway[f] = interface->on->gateway[f];
			has[f] = true;
		}
}

static bool leads_outside(const struct kmln_interface *interface)
{
	return interface->slirp.text ||
	       (interface->on && interface->on->gateway[KMLN_IPV4].given) ||
	       (interface->on && interface->on->gateway[KMLN_IPV6].given);
}

static void add_forward(struct networks *networks, struct kmln_host *host,
	struct kmln_interface *interface, const struct kmln_value *value)
{
	struct kmln_report *report = networks->resolving->report;
	struct kmln_model *model = networks->resolving->model;
	struct owner owner = {host, interface, value->from->at}, *other;
	struct kmln_forward *forward;
	unsigned from, to, key;
	bool udp;

	if (!kmln_forward_parse(value->text, &from, &to, &udp))
		return;
	from += host->index ? host->index - 1 : 0;
	if (from > 65535) {
		if (!kmln_value_told(value))
			kmln_report_error(report, "wrong-value", value->from->at,
				"counting leads the port of `%s` over 65535", host->name.text);
		return;
	}
	if (!interface || !leads_outside(interface)) {
		if (!kmln_value_told(value))
			kmln_report_error(report, "no-uplink", value->from->at,
				"`forward` needs an interface on a switch with `uplink nat`");
		return;
	}
	key = from << 1 | udp;
	other = take(networks, &networks->ports, &key, sizeof(key), &owner);
	if (other && !kmln_value_told(value)) {
		kmln_report_error(report, "port-clash", value->from->at,
			"port %u of `%s` leads to `%s` already", from, host->name.text,
			other->host->name.text);
		kmln_report_note(report, other->at, "from here");
	}
	forward = kmln_pool_append(networks->resolving->pool, &model->forwards,
		&model->forward_count, sizeof(*forward));
	*forward = (struct kmln_forward){.host = host,
		.interface = interface,
		.from = (unsigned short)from,
		.to = (unsigned short)to,
		.udp = udp,
		.at = value->from};
}

static void find_forwards(struct networks *networks, struct kmln_host *host)
{
	struct kmln_interface *outside = NULL;

	for (size_t i = host->interface_count; i--;)
		if (leads_outside(&host->interfaces[i]))
			outside = &host->interfaces[i];
	for (size_t i = 0; i < host->forwards.count; i++)
		add_forward(networks, host, outside, host->forwards.items[i].cells);
	for (size_t i = 0; i < host->interface_count; i++) {
		struct kmln_interface *interface = &host->interfaces[i];

		for (size_t j = 0; j < interface->forwards.count; j++)
			add_forward(networks, host, interface, interface->forwards.items[j].cells);
	}
}

static void inherit(struct kmln_value *value, const struct kmln_value *from)
{
	if (!value->text)
		*value = *from;
}

/* What is written of one interface. */
static void read_interface(
	struct networks *networks, struct kmln_host *host, struct kmln_interface *interface)
{
	find_switch(networks, interface);
	if (interface->automatic.number && !kmln_value_told(&interface->automatic)) {
		kmln_report_warning(networks->resolving->report, "inverted",
			interface->automatic.from->at,
			"`auto` means that the interface is not brought up at boot");
		kmln_report_suggest(networks->resolving->report, "manual");
	}
	interface->at_boot = !interface->manual.number && !interface->automatic.number;
	if (interface->on) {
		inherit(&interface->impairment.delay, &interface->on->impairment.delay);
		inherit(&interface->impairment.loss, &interface->on->impairment.loss);
		inherit(&interface->impairment.rate, &interface->on->impairment.rate);
	}
	read_addresses(networks, host, interface);
	take_mac(networks, host, interface);
}

static void each_interface(struct networks *networks,
	void (*each)(struct networks *, struct kmln_host *, struct kmln_interface *))
{
	struct kmln_model *model = networks->resolving->model;

	for (size_t i = 0; i < model->host_count; i++)
		for (size_t j = 0; j < model->hosts[i]->interface_count; j++)
			each(networks, model->hosts[i], &model->hosts[i]->interfaces[j]);
}

static void give(
	struct networks *networks, struct kmln_host *host, struct kmln_interface *interface)
{
	give_mac(networks, host, interface);
	for (unsigned f = 0; f < KMLN_FAMILIES; f++)
		if (interface->wants && interface->on && interface->on->net[f].given &&
			!interface->ip[f].given)
			give_address(networks, host, interface, (enum kmln_family)f);
}

void kmln_resolve_networks(struct kmln_resolving *resolving)
{
	struct kmln_model *model = resolving->model;
	struct networks networks = {
		.resolving = resolving,
		.addresses = {.pool = resolving->pool},
		.macs = {.pool = resolving->pool},
		.ports = {.pool = resolving->pool},
	};

	each_interface(&networks, read_interface);
	each_interface(&networks, give);
	for (size_t i = 0; i < model->host_count; i++) {
		find_gateways(&networks, model->hosts[i]);
		find_forwards(&networks, model->hosts[i]);
	}
}
