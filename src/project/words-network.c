// SPDX-License-Identifier: GPL-2.0-or-later
/* The words of network interfaces. */
#include "project/model.h"
#include "project/words-tables.h"

#define NETWORK(member) .in = KMLN_IN(NETWORK), .offset = offsetof(struct kmln_interface, member)
#define VALUE .shape = KMLN_SHAPE_VALUE
#define FLAG .shape = KMLN_SHAPE_FLAG
#define NEW .standing = KMLN_STANDING_NEW

const struct kmln_keyword kmln_words_network[] = {
	{"switch", NETWORK(switch_name), VALUE, .columns = KMLN_ONE("switch", SWITCH),
		.help = "The switch it is attached to, or the absolute path of one's socket."},
	{"address", NETWORK(addresses), VALUE, .repeated = true,
		.columns = KMLN_ONE("address", ADDRESS),
		.help = "Its address, with or without the bits of the net; `dhcp`; `auto`, the "
			"default where the switch has a net: one is given out; or `none`. One for "
			"IPv4 and one for IPv6 may be given. In counted hosts it is that of the "
			"first."},
	{"netmask", NETWORK(netmask), VALUE, .columns = KMLN_ONE("mask", NETMASK),
		.help = "The mask of the IPv4 net, where neither the address nor the switch says it."},
	{"broadcast", NETWORK(broadcast), VALUE, .columns = KMLN_ONE("address", IP),
		.help = "The broadcast address, where it is not the last one of the net."},
	{"gateway", NETWORK(gateways), VALUE, .repeated = true, .columns = KMLN_ONE("address", IP),
		.help = "The way to other nets; one for IPv4 and one for IPv6 may be given. Where the "
			"switch has an uplink, that is the default."},
	{"mac", NETWORK(mac_text), VALUE, .columns = KMLN_ONE("address", MAC),
		.help = "Its hardware address; the default is derived from the names of project, host "
			"and interface."},
	{"tun_iface", NETWORK(tun_iface), VALUE, .columns = KMLN_ONE("device", DEVICE),
		.help = "The tap device of this host that it is connected with."},
	{"tun_address", NETWORK(tun_address), VALUE, .columns = KMLN_ONE("address", IP),
		.help = "The address of that device."},
	{"bridge", NETWORK(bridge), VALUE, .columns = KMLN_ONE("device", DEVICE),
		.help = "The Linux bridge of this host that it is attached to."},
	{"slirp", NETWORK(slirp), VALUE, .columns = KMLN_MAYBE("path", PATH),
		.help = "Leads outside by itself, without a switch; the path of a program means "
			"nothing to kmln, which has its own."},
	{"manual", NETWORK(manual), FLAG, .standing = KMLN_STANDING_NEW,
		.help = "Is not brought up when the guest boots."},
	{"auto", NETWORK(automatic), FLAG, .standing = KMLN_STANDING_MLN,
		.help = "MLN's word for `manual`, whatever it seems to say."},
	{"delay", NETWORK(impairment.delay), VALUE, NEW, .columns = KMLN_ONE("time", TIME),
		.help = "How much later packets arrive, each way, on this link."},
	{"loss", NETWORK(impairment.loss), VALUE, NEW, .columns = KMLN_ONE("share", SHARE),
		.help = "How many packets get lost, each way, on this link."},
	{"rate", NETWORK(impairment.rate), VALUE, NEW, .columns = KMLN_ONE("rate", RATE),
		.help = "How much goes through, each way, on this link."},
	{"forward", NETWORK(forwards), VALUE, NEW, .repeated = true, .merge = KMLN_MERGE_APPEND,
		.columns = KMLN_ONE("ports", FORWARD),
		.help = "A port of this host's loopback that leads to one of the guest: "
			"HOSTPORT:GUESTPORT. In counted hosts the first port is counted."},
	{.name = NULL},
};
