// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netplan's YAML: the one home of libyaml. Only its events are used, so nothing is ever expanded:
 * an alias is passed over with a note, and depth is bounded.
 */
#include <string.h>
#include <yaml.h>

#include "image/inspect-network.h"
#include "image/inspect-parts.h"

#define DEPTH_MAX 16
#define KEY_MAX 256

/* One open mapping or sequence. */
struct level {
	bool map;
	bool has_key; /* the next node is the value of `key` */
	char key[KEY_MAX]; /* of a map */
};

struct plan {
	struct kmln_facts *facts;
	const char *path;
	struct level levels[DEPTH_MAX];
	unsigned depth;
	/* of the interface that is being read, in the facts' pool */
	const char *match_name, *match_mac, *set_name, *address;
	bool dhcp;
};

/* network: KIND: ID: ...; as keys of the levels 0, 1 and 2 */
static bool in_interface(const struct plan *plan)
{
	static const char *const kinds[] = {
		"ethernets", "wifis", "modems", "bonds", "bridges", "vlans", "dummy-devices"};

	if (plan->depth < 3 || strcmp(plan->levels[0].key, "network") != 0)
		return false;
	for (size_t i = 0; i < KMLN_COUNT(kinds); i++)
		if (strcmp(plan->levels[1].key, kinds[i]) == 0)
			return true;
	return false;
}

static void keep(struct plan *plan, const char **slot, const char *value)
{
	if (!*slot)
		*slot = kmln_pool_strdup(plan->facts->pool, value);
}

static bool is_true(const char *value)
{
	return strcasecmp(value, "true") == 0 || strcasecmp(value, "yes") == 0 ||
	       strcasecmp(value, "on") == 0;
}

/* A scalar that is a value: of a key, or in the sequence of one. */
static void take_value(struct plan *plan, const char *value)
{
	const char *key = plan->depth > 3 ? plan->levels[3].key : "";

	if (!in_interface(plan))
		return;
	if (plan->depth == 4 && strcmp(key, "set-name") == 0)
		keep(plan, &plan->set_name, value);
	else if (plan->depth == 4 && (strcmp(key, "dhcp4") == 0 || strcmp(key, "dhcp6") == 0))
		plan->dhcp |= is_true(value);
	else if (plan->depth == 5 && strcmp(key, "addresses") == 0)
		keep(plan, &plan->address, value);
	else if (plan->depth == 5 && strcmp(key, "match") == 0 &&
		 strcmp(plan->levels[4].key, "macaddress") == 0)
		keep(plan, &plan->match_mac, value);
	else if (plan->depth == 5 && strcmp(key, "match") == 0 &&
		 strcmp(plan->levels[4].key, "name") == 0)
		keep(plan, &plan->match_name, value);
}

/* The mapping of one interface has ended: levels[2].key is its ID. */
static void end_interface(struct plan *plan)
{
	struct kmln_facts *facts = plan->facts;
	const char *name = plan->set_name     ? plan->set_name
			   : plan->match_name ? plan->match_name
			   : plan->match_mac
				   ? kmln_pool_printf(facts->pool, "mac %s", plan->match_mac)
				   : plan->levels[2].key;
	struct kmln_known_interface *i = kmln_interface_add(facts, name, "netplan", plan->path);

	if (i) {
		i->method = plan->dhcp ? "dhcp" : plan->address ? "static" : NULL;
		i->address = plan->address;
	}
	kmln_mac_name_add(facts, plan->match_mac, plan->set_name, plan->path);
	plan->match_name = plan->match_mac = plan->set_name = plan->address = NULL;
	plan->dhcp = false;
}

/* A node has ended: the map around it waits for its next key. */
static void end_node(struct plan *plan)
{
	if (plan->depth)
		plan->levels[plan->depth - 1].has_key = false;
}

static void take_scalar(struct plan *plan, const yaml_event_t *event)
{
	const char *value = (const char *)event->data.scalar.value;
	struct level *level = plan->depth ? &plan->levels[plan->depth - 1] : NULL;

	if (level && level->map && !level->has_key) {
		size_t n = strnlen(value, KEY_MAX - 1);

		memcpy(level->key, value, n);
		level->key[n] = '\0';
		level->has_key = true;
		return;
	}
	take_value(plan, value);
	end_node(plan);
}

/* False where reading must end. */
static bool take_event(struct plan *plan, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_MAPPING_START_EVENT:
	case YAML_SEQUENCE_START_EVENT:
		if (plan->depth == DEPTH_MAX) {
			kmln_note_fact(plan->facts, "%s is nested too deep: not read to its end",
				plan->path);
			return false;
		}
		plan->levels[plan->depth++] =
			(struct level){.map = event->type == YAML_MAPPING_START_EVENT};
		return true;
	case YAML_MAPPING_END_EVENT:
		if (plan->depth == 4 && in_interface(plan))
			end_interface(plan);
		/* fall through */
	case YAML_SEQUENCE_END_EVENT:
		plan->depth--;
		end_node(plan);
		return true;
	case YAML_SCALAR_EVENT:
		take_scalar(plan, event);
		return true;
	case YAML_ALIAS_EVENT:
		kmln_note_fact(plan->facts, "%s: aliases (*) in it are not followed", plan->path);
		if (plan->depth && plan->levels[plan->depth - 1].map &&
			!plan->levels[plan->depth - 1].has_key) {
			plan->levels[plan->depth - 1].key[0] = '\0';
			plan->levels[plan->depth - 1].has_key = true;
		} else {
			end_node(plan);
		}
		return true;
	default:
		return event->type != YAML_STREAM_END_EVENT;
	}
}

void kmln_parse_netplan(struct kmln_facts *facts, const char *path, const char *text)
{
	struct plan plan = {.facts = facts, .path = path};
	yaml_parser_t parser;
	bool more = true;

	if (!yaml_parser_initialize(&parser))
		return;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
	while (more) {
		yaml_event_t event;

		if (!yaml_parser_parse(&parser, &event)) {
			kmln_note_fact(facts, "%s is not YAML: not read to its end", path);
			break;
		}
		more = take_event(&plan, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
}
