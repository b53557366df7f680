// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of words as a whole, asked by name. Its lines are in words-*.c. */
#include "project/words.h"

#include <string.h>

#include "project/words-tables.h"

static const struct kmln_keyword *const tables[] = {
	kmln_words_top,
	kmln_words_machine,
	kmln_words_lists,
	kmln_words_network,
};

const struct kmln_column kmln_group_columns[] = {
	{.name = "user", .type = KMLN_TYPE_USER},
	{.name = NULL},
};

static const char *const block_names[KMLN_BLOCK_KINDS] = {
	[KMLN_BLOCK_FILE] = "the file",
	[KMLN_BLOCK_GLOBAL] = "`global`",
	[KMLN_BLOCK_SWITCH] = "a switch",
	[KMLN_BLOCK_HOST] = "a host",
	[KMLN_BLOCK_SUPERCLASS] = "a superclass",
	[KMLN_BLOCK_NETWORK] = "a network interface",
	[KMLN_BLOCK_GROUPS] = "`groups`",
	[KMLN_BLOCK_AUTOENUM] = "`autoenum`",
	[KMLN_BLOCK_KVM] = "`kvm`",
	[KMLN_BLOCK_ROWS] = "a list",
	[KMLN_BLOCK_LINES] = "shell lines",
	[KMLN_BLOCK_SWITCHES] = "a group of switches",
	[KMLN_BLOCK_HOSTS] = "a group of hosts",
	[KMLN_BLOCK_SUPERCLASSES] = "a group of superclasses",
};

static const struct {
	const char *name;
	bool lenient;
} types[KMLN_TYPES] = {
	[KMLN_TYPE_TEXT] = {"a word", false},
	[KMLN_TYPE_SECRET] = {"a password or its hash", true},
	[KMLN_TYPE_PATTERN] = {"a regular expression", true},
	[KMLN_TYPE_HOST_NAME] = {"a host name: letters, digits and -, at most 63", false},
	[KMLN_TYPE_SWITCH_NAME] = {"a switch name: letters, digits, - _ and ., at most 32", false},
	[KMLN_TYPE_CLASS_NAME] = {"a name: letters, digits, - _ and ., at most 63", false},
	[KMLN_TYPE_DEVICE] = {"the name of a network device, like eth0, at most 15 characters",
		false},
	[KMLN_TYPE_USER] = {"a user or group name: a-z, 0-9, _ and -, at most 32", false},
	[KMLN_TYPE_PROGRAM] = {"a name: letters, digits and + . _ : -", false},
	[KMLN_TYPE_HOST] = {"the name of a host", false},
	[KMLN_TYPE_SWITCH] = {"the name of a switch, or an absolute path", false},
	[KMLN_TYPE_SUPERCLASS] = {"the name of a superclass", false},
	[KMLN_TYPE_IMAGE] = {"the name of an image, or a path", false},
	[KMLN_TYPE_PATH] = {"a path", false},
	[KMLN_TYPE_INSIDE] = {"a path below the project's folder, without ..", false},
	[KMLN_TYPE_GUEST_PATH] = {"an absolute path in the guest, without ..", false},
	[KMLN_TYPE_NUMBER] = {"a number", false},
	[KMLN_TYPE_SIZE] = {"a size, like 64M or 1G", false},
	[KMLN_TYPE_RATE] = {"a rate, like 10Mbit or 512kbit", false},
	[KMLN_TYPE_TIME] = {"a time, like 20ms or 1.5s", false},
	[KMLN_TYPE_SHARE] = {"a share, like 5% or 0.1%", false},
	[KMLN_TYPE_MODE] = {"a mode in octal, like 644", false},
	[KMLN_TYPE_ADDRESS] = {"an address, or dhcp, auto or none", false},
	[KMLN_TYPE_IP] = {"an address, like 10.0.0.1 or fd00::1", false},
	[KMLN_TYPE_NETMASK] = {"a mask, like 255.255.255.0", false},
	[KMLN_TYPE_NET] = {"a net, like 10.0.0.0/24 or fd00::/64", false},
	[KMLN_TYPE_MAC] = {"a hardware address, like 02:00:00:00:00:01", false},
	[KMLN_TYPE_FORWARD] = {"two ports, like 2222:22 or 5353:53/udp", false},
	[KMLN_TYPE_CHOICE] = {"a choice", false},
};

const struct kmln_keyword *kmln_keyword_next(const struct kmln_keyword *keyword)
{
	if (!keyword)
		return tables[0];
	if (keyword[1].name)
		return keyword + 1;
	for (size_t i = 0; i + 1 < KMLN_COUNT(tables); i++)
		for (const struct kmln_keyword *k = tables[i]; k->name; k++)
			if (k == keyword)
				return tables[i + 1];
	return NULL;
}

static bool is_block(const struct kmln_keyword *k)
{
	return k->shape >= KMLN_SHAPE_ROWS;
}

const struct kmln_keyword *kmln_keyword_find(enum kmln_block in, const char *name, bool block)
{
	const struct kmln_keyword *other = NULL;

	for (size_t i = 0; i < KMLN_COUNT(tables); i++)
		for (const struct kmln_keyword *k = tables[i]; k->name; k++) {
			if (!(k->in & (1u << in)) || k->name[0] != name[0] ||
				strcmp(k->name, name) != 0)
				continue;
			if (is_block(k) == block)
				return k;
			other = k;
		}
	return other;
}

unsigned kmln_keyword_number(const struct kmln_keyword *keyword)
{
	static size_t counts[KMLN_COUNT(tables)];
	unsigned before = 0;

	for (size_t i = 0; i < KMLN_COUNT(tables); i++) {
		while (tables[i][counts[i]].name)
			counts[i]++;
		if (keyword >= tables[i] && keyword < tables[i] + counts[i])
			return before + (unsigned)(keyword - tables[i]);
		before += (unsigned)counts[i];
	}
	return before;
}

const struct kmln_keyword *kmln_keyword_elsewhere(const char *name)
{
	for (const struct kmln_keyword *k = NULL; (k = kmln_keyword_next(k));)
		if (kmln_eq(k->name, name))
			return k;
	return NULL;
}

const char *kmln_block_name(enum kmln_block block)
{
	return block_names[block];
}

const char *kmln_type_words(enum kmln_type type)
{
	return types[type].name;
}

bool kmln_type_lenient(enum kmln_type type)
{
	return types[type].lenient;
}

bool kmln_keyword_single(const struct kmln_keyword *keyword)
{
	if (keyword->shape == KMLN_SHAPE_FLAG)
		return true;
	return keyword->shape == KMLN_SHAPE_VALUE && !keyword->repeated &&
	       !keyword->columns[0].rest && !keyword->columns[1].name;
}
