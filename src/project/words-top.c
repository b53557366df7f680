// SPDX-License-Identifier: GPL-2.0-or-later
/* The words of the file itself, of `global`, of switches and of autoenum. */
#include "project/words-tables.h"

#include "project/autoenum.h"

#define GLOBAL(member) .in = KMLN_IN(GLOBAL), .offset = offsetof(struct kmln_global, member)
#define SWITCH(member) .in = KMLN_IN(SWITCH), .offset = offsetof(struct kmln_switch, member)
#define ENUM(member) .in = KMLN_IN(AUTOENUM), .offset = offsetof(struct kmln_autoenum, member)
#define VALUE .shape = KMLN_SHAPE_VALUE
#define FLAG .shape = KMLN_SHAPE_FLAG
#define BLOCK .shape = KMLN_SHAPE_BLOCK
#define NEW .standing = KMLN_STANDING_NEW
#define IDLE .standing = KMLN_STANDING_IDLE
#define REFUSED .standing = KMLN_STANDING_REFUSED
#define OWN .merge = KMLN_MERGE_OWN

#define HOOK(word, which, when) \
	{ \
		word, GLOBAL(hooks[KMLN_HOOK_##which]), \
			.shape = KMLN_SHAPE_LINES, .opens = KMLN_BLOCK_LINES, OWN, \
			.help = "Shell lines that this host runs " when "." \
	}

#define AUTOENUM(word) \
	{ \
		word, .in = KMLN_IN(GLOBAL), BLOCK, .opens = KMLN_BLOCK_AUTOENUM, OWN, \
		      .help = "Makes numbered hosts of a superclass; `count` does the same." \
	}

const struct kmln_keyword kmln_words_top[] = {
	{"global", .in = KMLN_IN(FILE), BLOCK, .opens = KMLN_BLOCK_GLOBAL, OWN,
		.help = "What concerns the whole project."},
	{"switch", .in = KMLN_IN(FILE), BLOCK, .named = true, .name_type = KMLN_TYPE_SWITCH_NAME,
		.opens = KMLN_BLOCK_SWITCH, .grouped = KMLN_BLOCK_SWITCHES, OWN,
		.help = "A network that hosts are attached to."},
	{"superclass", .in = KMLN_IN(FILE), BLOCK, .named = true, .name_type = KMLN_TYPE_CLASS_NAME,
		.opens = KMLN_BLOCK_SUPERCLASS, .grouped = KMLN_BLOCK_SUPERCLASSES, OWN,
		.help = "What hosts have in common."},
	{"host", .in = KMLN_IN(FILE), BLOCK, .named = true, .name_type = KMLN_TYPE_HOST_NAME,
		.opens = KMLN_BLOCK_HOST, .grouped = KMLN_BLOCK_HOSTS, OWN,
		.help = "A machine, or with `count` several."},

	{"project", GLOBAL(project), VALUE, OWN, .columns = KMLN_ONE("name", HOST_NAME),
		.help = "The name of the project, the only word that a file must have."},
	{"hostsFile", GLOBAL(hosts_file), FLAG, OWN,
		.help = "Gives each host an /etc/hosts with all of them; this is the default.",
		.fallback = "on"},
	HOOK("beforeProjectStart", BEFORE_PROJECT_START, "before anything is started"),
	HOOK("beforeHostsStart", BEFORE_HOSTS_START, "between the switches and the first host"),
	HOOK("afterHostsStart", AFTER_HOSTS_START, "when all hosts have been started"),
	HOOK("afterProjectStart", AFTER_PROJECT_START, "when everything has been started"),
	HOOK("beforeProjectStop", BEFORE_PROJECT_STOP, "before anything is stopped"),
	HOOK("beforeHostsStop", BEFORE_HOSTS_STOP, "before the first host is stopped"),
	HOOK("afterHostsStop", AFTER_HOSTS_STOP, "when all hosts have been stopped"),
	HOOK("afterProjectStop", AFTER_PROJECT_STOP, "when everything has been stopped"),
	AUTOENUM("autoenum"),
	AUTOENUM("autoenum0"),
	AUTOENUM("autoenum1"),
	AUTOENUM("autoenum2"),
	AUTOENUM("autoenum3"),
	AUTOENUM("autoenum4"),
	AUTOENUM("autoenum5"),
	{"project_password", GLOBAL(project_password), VALUE, IDLE, OWN,
		.columns = KMLN_ONE("password", SECRET),
		.help = "MLN's password for remote upgrades.",
		.why = "kmln has no service that remote clients could talk to"},

	{"superclass", ENUM(superclass), VALUE, OWN, .columns = KMLN_ONE("superclass", SUPERCLASS),
		.help = "What each of the hosts is."},
	{"numhosts", ENUM(numhosts), VALUE, OWN, .columns = KMLN_RANGE("number", 1, 20000),
		.help = "How many hosts."},
	{"hostprefix", ENUM(hostprefix), VALUE, OWN, .columns = KMLN_ONE("prefix", CLASS_NAME),
		.help = "What stands before the number in their names."},
	{"address", ENUM(address), VALUE, OWN, .columns = KMLN_CHOICE("address", "auto"),
		.help = "Counts the addresses of eth0 through `net`."},
	{"net", ENUM(net), VALUE, OWN, .columns = KMLN_ONE("net", IP),
		.help = "The net that addresses are counted in."},
	{"addresses_begin", ENUM(addresses_begin), VALUE, OWN,
		.columns = KMLN_RANGE("number", 0, UINT32_MAX), .fallback = "1",
		.help = "The number of the first host in the net."},
	{"service_hosts", ENUM(service_hosts), .row = "share", .shape = KMLN_SHAPE_ROWS,
		.opens = KMLN_BLOCK_ROWS, OWN,
		.columns = KMLN_COLUMNS({.name = "server", .type = KMLN_TYPE_TEXT},
			{.name = "number", .type = KMLN_TYPE_TEXT, .optional = true}),
		.help = "Servers, each with the number of hosts that it takes: a number, `all`, or "
			"nothing for one."},
	{"autouser", ENUM(autouser), VALUE, OWN, .columns = KMLN_ONE("hash", SECRET),
		.help = "Adds a user to each host, called as the host, with this password hash."},

	{"net", SWITCH(nets), VALUE, NEW, OWN, .repeated = true, .columns = KMLN_ONE("net", NET),
		.help = "The net of the switch. Interfaces without an address are given one of it. "
			"One for IPv4 and one for IPv6 may be given."},
	{"uplink", SWITCH(uplink), VALUE, NEW, OWN, .columns = KMLN_CHOICE("kind", "nat", "none"),
		.fallback = "none",
		.help = "The way outside: `nat` leads to all networks that this host reaches."},
	{"delay", SWITCH(impairment.delay), VALUE, NEW, OWN, .columns = KMLN_ONE("time", TIME),
		.help = "How much later packets arrive, each way, on each of its links."},
	{"loss", SWITCH(impairment.loss), VALUE, NEW, OWN, .columns = KMLN_ONE("share", SHARE),
		.help = "How many packets get lost, each way, on each of its links."},
	{"rate", SWITCH(impairment.rate), VALUE, NEW, OWN, .columns = KMLN_ONE("rate", RATE),
		.help = "How much goes through, each way, on each of its links."},
	{"hub", SWITCH(hub), FLAG, OWN, .help = "Sends everything to everybody."},
	{"type", SWITCH(type), VALUE, OWN, .columns = KMLN_CHOICE("type", "switch", "hub"),
		.help = "`hub` is the same as the word hub."},
	{"tap", SWITCH(tap), VALUE, OWN, .columns = KMLN_ONE("device", DEVICE),
		.help = "Connects it with a tap device of this host."},
	{"socket", SWITCH(socket), VALUE, OWN, .columns = KMLN_ONE("path", PATH),
		.help = "Uses a switch that is there already, which kmln does not start and stop."},
	{"bridge", SWITCH(bridge), VALUE, OWN, .columns = KMLN_ONE("device", DEVICE),
		.help = "The name of its Linux bridge, where it is one."},
	{"owner", SWITCH(owner), VALUE, OWN, .columns = KMLN_ONE("user", TEXT),
		.help = "Who owns the socket."},
	{"group", SWITCH(group), VALUE, OWN, .columns = KMLN_ONE("group", TEXT),
		.help = "The group of the socket."},
	{"service_host", SWITCH(service_host), VALUE, OWN, .columns = KMLN_ONE("server", TEXT),
		.help = "The server that it runs on."},
	{"xen", SWITCH(xen), FLAG, OWN, .help = "Makes it a Linux bridge, for Xen guests."},
	{"sudo", SWITCH(sudo), VALUE, IDLE, OWN, .columns = KMLN_ONE("user", TEXT),
		.help = "Who ran the switch.", .why = "kmln runs switches as who starts them"},
	{"hosts", SWITCH(hosts), .row = "attached", .shape = KMLN_SHAPE_ROWS,
		.opens = KMLN_BLOCK_ROWS, IDLE, OWN,
		.columns = KMLN_COLUMNS({.name = "host", .type = KMLN_TYPE_TEXT},
			{.name = "interface", .type = KMLN_TYPE_TEXT, .optional = true}),
		.help = "What MLN noted of the hosts attached.",
		.why = "kmln finds out which hosts are attached"},
	{"vmware", .in = KMLN_IN(SWITCH), VALUE, REFUSED, OWN, .columns = KMLN_MAYBE("net", TEXT),
		.help = "VMware's network.", .why = "kmln does not run VMware"},
	{.name = NULL},
};
