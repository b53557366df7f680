// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Order: switches, then what leads from them (uplinks, cables), then hosts by their levels. Who
 * needs whom is kept beside it, so that one that fails holds up only those that need it.
 */
#include "cluster/life.h"

#include <string.h>
#include <strings.h>

#include "cluster/control.h"

/* While the order is made: where things of the model have their place. */
struct places {
	struct kmln_life *life;
	size_t room;
	size_t *switches, *hosts; /* places, by their place in the model */
};

#define NOWHERE SIZE_MAX

static size_t add(struct places *p, enum kmln_role role, const char *name, unsigned stage,
	const struct kmln_host *host)
{
	struct kmln_life *life = p->life;
	const struct kmln_store *store = life->store;
	struct kmln_life_node *node =
		kmln_pool_append(life->pool, &life->nodes, &life->count, sizeof(*node));

	node->role = role;
	node->name = name;
	node->node = kmln_store_node(store, role, name);
	node->host = host;
	node->folder = kmln_store_node_folder(store, node->node);
	node->script = kmln_store_script(
		store, "start", role, name, host ? (unsigned)host->boot_order.number : 0);
	node->stage = stage;
	node->known = true;
	if (stage >= life->stages)
		life->stages = stage + 1;
	return life->count - 1;
}

static void need(struct places *p, size_t node, size_t what)
{
	struct kmln_life_node *n = &p->life->nodes[node];

	if (what != NOWHERE)
		*(size_t *)kmln_pool_append(
			p->life->pool, &n->needs, &n->need_count, sizeof(what)) = what;
}

static size_t place_of(const struct places *p, const struct kmln_switch *sw)
{
	const struct kmln_model *model = p->life->model;

	for (size_t i = 0; i < model->switch_count; i++)
		if (model->switches[i] == sw)
			return p->switches[i];
	return NOWHERE;
}

static bool is_impaired(const struct kmln_interface *interface)
{
	const struct kmln_impairment *i = &interface->impairment;

	return interface->on && (i->delay.number || i->loss.number || i->rate.number);
}

static const char *cable_name(const struct places *p, const struct kmln_host *host,
	const struct kmln_interface *interface)
{
	return kmln_pool_printf(p->life->pool, "%s.%s", host->name.text, interface->name.text);
}

/* All switches, those at the ends of impaired cables included. */
static void add_switches(struct places *p)
{
	const struct kmln_model *model = p->life->model;

	for (size_t i = 0; i < model->switch_count; i++)
		p->switches[i] = model->switches[i]->is_external
					 ? NOWHERE
					 : add(p, KMLN_ROLE_SWITCH, model->switches[i]->name.text,
						   KMLN_STAGE_SWITCHES, NULL);
	for (size_t i = 0; i < model->host_count; i++)
		for (size_t k = 0; k < model->hosts[i]->interface_count; k++)
			if (is_impaired(&model->hosts[i]->interfaces[k]))
				add(p, KMLN_ROLE_END,
					cable_name(p, model->hosts[i],
						&model->hosts[i]->interfaces[k]),
					KMLN_STAGE_SWITCHES, NULL);
}

static size_t find(const struct kmln_life *life, enum kmln_role role, const char *name)
{
	for (size_t i = 0; i < life->count; i++)
		if (life->nodes[i].role == role && kmln_eq(life->nodes[i].name, name))
			return i;
	return NOWHERE;
}

static void add_cables(struct places *p)
{
	const struct kmln_model *model = p->life->model;

	for (size_t i = 0; i < model->switch_count; i++) {
		const struct kmln_switch *sw = model->switches[i];

		if (kmln_eq(sw->uplink.text, "nat"))
			need(p, add(p, KMLN_ROLE_UPLINK, sw->name.text, KMLN_STAGE_CABLES, NULL),
				p->switches[i]);
	}
	for (size_t i = 0; i < model->host_count; i++)
		for (size_t k = 0; k < model->hosts[i]->interface_count; k++) {
			const struct kmln_interface *interface = &model->hosts[i]->interfaces[k];
			const char *name;
			size_t wire;

			if (!is_impaired(interface))
				continue;
			name = cable_name(p, model->hosts[i], interface);
			wire = add(p, KMLN_ROLE_WIRE, name, KMLN_STAGE_CABLES, NULL);
			need(p, wire, place_of(p, interface->on));
			need(p, wire, find(p->life, KMLN_ROLE_END, name));
		}
}

static void plug(struct places *p, const struct kmln_host *host, size_t place)
{
	for (size_t k = 0; k < host->interface_count; k++) {
		const struct kmln_interface *interface = &host->interfaces[k];
		const char *name;

		if (!is_impaired(interface)) {
			if (interface->on)
				need(p, place, place_of(p, interface->on));
			continue;
		}
		name = cable_name(p, host, interface);
		need(p, place, find(p->life, KMLN_ROLE_END, name));
		need(p, place, find(p->life, KMLN_ROLE_WIRE, name));
	}
}

static void add_hosts(struct places *p)
{
	const struct kmln_model *model = p->life->model;
	size_t left = model->host_count;

	for (unsigned level = 0; left; level++)
		for (size_t i = 0; i < model->host_count; i++) {
			const struct kmln_host *host = model->hosts[i];

			if (host->level != level)
				continue;
			left--;
			p->hosts[i] = add(
				p, KMLN_ROLE_HOST, host->name.text, KMLN_STAGE_HOSTS + level, host);
			plug(p, host, p->hosts[i]);
			for (size_t w = 0; w < host->wait_count; w++)
				need(p, p->hosts[i], p->hosts[host->waits_for[w]->number]);
		}
}

void kmln_life_order(struct kmln_life *life)
{
	struct places p = {.life = life};

	life->nodes = NULL;
	life->count = 0;
	life->stages = KMLN_STAGE_HOSTS;
	if (!life->model)
		return;
	p.switches =
		kmln_pool_array(life->pool, life->model->switch_count + 1, sizeof(*p.switches));
	p.hosts = kmln_pool_array(life->pool, life->model->host_count + 1, sizeof(*p.hosts));
	add_switches(&p);
	add_cables(&p);
	add_hosts(&p);
}

/* ---- what was found ---- */

static const struct {
	enum kmln_role role;
	unsigned stage;
} found_stages[] = {
	{KMLN_ROLE_HOST, KMLN_STAGE_HOSTS},
	{KMLN_ROLE_SWITCH, KMLN_STAGE_SWITCHES},
	{KMLN_ROLE_END, KMLN_STAGE_SWITCHES},
	{KMLN_ROLE_UPLINK, KMLN_STAGE_CABLES},
	{KMLN_ROLE_WIRE, KMLN_STAGE_CABLES},
};

/* A node of a role is called "ROLE-NAME". */
static const char *name_in(const char *node, enum kmln_role role)
{
	const char *word = kmln_role_name(role);
	size_t n = strlen(word);

	return strncmp(node, word, n) == 0 && node[n] == '-' && node[n + 1] ? node + n + 1 : NULL;
}

int kmln_life_add_found(struct kmln_life *life, struct kmln_error *err)
{
	KMLN_STRV struct kmln_strv nodes = {0};
	struct places p = {.life = life};
	int r = kmln_store_nodes(life->store, &nodes, err);

	for (size_t i = 0; r == 0 && i < nodes.count; i++)
		for (size_t k = 0; k < KMLN_COUNT(found_stages); k++) {
			const char *name = name_in(nodes.items[i], found_stages[k].role);
			size_t place;

			if (!name || find(life, found_stages[k].role, name) != NOWHERE)
				continue;
			/* what the project had once is told of as long as it runs */
			if (life->model && !kmln_node_keeper(kmln_store_node_folder(
						   life->store, nodes.items[i])))
				continue;
			place = add(&p, found_stages[k].role, kmln_pool_strdup(life->pool, name),
				found_stages[k].stage, NULL);
			life->nodes[place].known = false;
		}
	return r;
}

/* ---- who is meant ---- */

static void want(struct kmln_life *life, size_t place, bool with_cables)
{
	struct kmln_life_node *node = &life->nodes[place];

	node->wanted = true;
	for (size_t i = 0; with_cables && i < node->need_count; i++)
		if (life->nodes[node->needs[i]].role != KMLN_ROLE_HOST)
			want(life, node->needs[i], true);
}

/* The way out of a switch that is wanted is wanted, too. */
static void want_uplinks(struct kmln_life *life)
{
	for (size_t i = 0; i < life->count; i++) {
		const struct kmln_life_node *node = &life->nodes[i];

		for (size_t k = 0; node->role == KMLN_ROLE_UPLINK && k < node->need_count; k++)
			if (life->nodes[node->needs[k]].wanted)
				life->nodes[i].wanted = true;
	}
}

static bool is_meant(const struct kmln_life_node *node, const char *name)
{
	return node->role == KMLN_ROLE_HOST &&
	       (strcasecmp(node->name, name) == 0 ||
		       (node->host && node->host->series &&
			       strcasecmp(node->host->series, name) == 0));
}

int kmln_life_want(struct kmln_life *life, char *const *names, size_t count, bool with_cables,
	struct kmln_error *err)
{
	for (size_t i = 0; i < life->count; i++)
		life->nodes[i].wanted = !count;
	for (size_t n = 0; n < count; n++) {
		bool found = false;

		for (size_t i = 0; i < life->count; i++) {
			if (!is_meant(&life->nodes[i], names[n]))
				continue;
			found = true;
			want(life, i, with_cables);
		}
		if (!found)
			return kmln_fail(err, KMLN_EUSAGE, "project %s has no host %s",
				life->store->project, names[n]);
	}
	if (count && with_cables)
		want_uplinks(life);
	return 0;
}

void kmln_life_hanging(const struct kmln_life *life, size_t node, bool *marks)
{
	if (life->nodes[node].role != KMLN_ROLE_SWITCH && life->nodes[node].role != KMLN_ROLE_END)
		return;
	for (size_t i = 0; i < life->count; i++)
		for (size_t k = 0; k < life->nodes[i].need_count; k++)
			if (life->nodes[i].needs[k] == node)
				marks[i] = true;
}
