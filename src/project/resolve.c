// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From the tree to the cluster: finds what is named, makes each host of its chain of superclasses,
 * counted ones and MLN's numbered ones too. What they mean to one another comes after, in
 * resolve-hosts.c and resolve-networks.c.
 */
#include "project/resolve.h"

#include <stdio.h>
#include <string.h>

#include "project/autoenum.h"
#include "project/resolving.h"
#include "project/shape.h"
#include "project/types.h"

static const struct kmln_column host_type = {.name = "name", .type = KMLN_TYPE_HOST_NAME};

static void second(struct kmln_report *report, struct kmln_place at, struct kmln_place first,
	const char *what, const char *name)
{
	kmln_report_error(report, "duplicate", at, "a second %s `%s`", what, name);
	kmln_report_note(report, first, "the first is here");
}

/* The word that names a block: host NAME { }, or NAME { } in a group. */
static struct kmln_word *name_word(struct kmln_node *node)
{
	return &node->words[node->count - 1];
}

/* Calls `each` for the blocks of one kind, alone and grouped, in file order. */
static void each_block(struct kmln_resolving *resolving, enum kmln_block kind,
	enum kmln_block group, void (*each)(struct kmln_resolving *, struct kmln_node *))
{
	struct kmln_node *root = resolving->syntax->root, *n, *m;

	for (n = kmln_node_first(root); n; n = kmln_node_after(root, n)) {
		if (n->kind != KMLN_NODE_BLOCK)
			continue;
		if (n->opens == kind && n->count == 2)
			each(resolving, n);
		for (m = n->opens == group ? kmln_node_first(n) : NULL; m;
			m = kmln_node_after(n, m))
			if (m->kind == KMLN_NODE_BLOCK && m->count == 1)
				each(resolving, m);
	}
}

static void find_class(struct kmln_resolving *resolving, struct kmln_node *node)
{
	struct kmln_word *word = name_word(node);
	struct kmln_node *first =
		kmln_names_add(&resolving->classes, word->text, strlen(word->text), node);

	if (first)
		second(resolving->report, word->at, name_word(first)->at, "superclass", word->text);
}

static void add_switch(struct kmln_resolving *resolving, struct kmln_node *node)
{
	struct kmln_pool *pool = resolving->pool;
	struct kmln_chain chain = {.blocks = {node}, .count = 1};
	struct kmln_view view = {.resolving = resolving, .outer = &chain};
	struct kmln_model *model = resolving->model;
	const struct kmln_column type = {.name = "name", .type = KMLN_TYPE_SWITCH_NAME};
	struct kmln_switch *s = kmln_pool_alloc(pool, sizeof(*s)), **slot, *first;
	uint64_t number;

	s->node = node;
	s->name.from = name_word(node);
	s->name.text = kmln_view_value(&view, name_word(node), false);
	if (!kmln_shape_value(resolving->report, "switch", false, &type, name_word(node),
		    s->name.text, &number))
		return;
	first = kmln_names_add(&resolving->switches, s->name.text, strlen(s->name.text), s);
	if (first) {
		second(resolving->report, s->name.from->at, first->name.from->at, "switch",
			s->name.text);
		return;
	}
	kmln_gather(&view, &chain, KMLN_BLOCK_SWITCH, s);
	slot = kmln_pool_append(pool, &model->switches, &model->switch_count, sizeof(*slot));
	*slot = s;
}

/* The item that names the superclass of a block. */
static struct kmln_word *superclass_of(struct kmln_node *block)
{
	for (struct kmln_node *n = kmln_node_first(block); n; n = kmln_node_after(block, n))
		if (n->kind == KMLN_NODE_ITEM && n->keyword && !n->broken && n->count == 2 &&
			kmln_eq(n->keyword->name, "superclass"))
			return &n->words[1];
	return NULL;
}

static void offer_class(struct kmln_resolving *resolving, const char *word)
{
	struct kmln_nearest nearest = {.word = word};
	struct kmln_node *root = resolving->syntax->root, *n, *m;

	for (n = kmln_node_first(root); n; n = kmln_node_after(root, n)) {
		if (n->opens == KMLN_BLOCK_SUPERCLASS && n->count == 2)
			kmln_nearest_offer(&nearest, n->words[1].text);
		for (m = n->opens == KMLN_BLOCK_SUPERCLASSES ? kmln_node_first(n) : NULL; m;
			m = kmln_node_after(n, m))
			if (m->count)
				kmln_nearest_offer(&nearest, m->words[0].text);
	}
	kmln_report_suggest(resolving->report, nearest.name);
}

/* Names the circle that begins with the last block of the chain and comes back to `from`. */
static void report_circle(struct kmln_resolving *resolving, const struct kmln_chain *chain,
	size_t from, struct kmln_word *word)
{
	KMLN_BUF struct kmln_buf names = {0};

	if (word->reported)
		return;
	for (size_t i = from; i < chain->count; i++) {
		struct kmln_word *reference = superclass_of(chain->blocks[i]);

		kmln_buf_printf(&names, "%s -> ", name_word(chain->blocks[i])->text);
		if (reference)
			reference->reported = true;
	}
	kmln_report_error(resolving->report, "cycle", word->at, "superclasses in a circle: %s%s",
		names.data, word->text);
}

/* Appends the superclasses above `word`. */
static void add_classes(struct kmln_view *view, struct kmln_chain *chain, struct kmln_word *word)
{
	struct kmln_resolving *resolving = view->resolving;

	while (word) {
		const char *name = kmln_view_value(view, word, false);
		struct kmln_node *node = kmln_names_find(&resolving->classes, name, strlen(name));

		if (!node) {
			if (!word->reported) {
				kmln_report_error(resolving->report, "no-superclass", word->at,
					"there is no superclass `%s`", name);
				offer_class(resolving, name);
			}
			word->reported = true;
			return;
		}
		for (size_t i = 0; i < chain->count; i++)
			if (chain->blocks[i] == node) {
				report_circle(resolving, chain, i, word);
				return;
			}
		if (chain->count > KMLN_CHAIN_MAX) {
			if (!word->reported)
				kmln_report_error(resolving->report, "too-deep", word->at,
					"more than %u superclasses above one another",
					KMLN_CHAIN_MAX);
			word->reported = true;
			return;
		}
		chain->blocks[chain->count++] = node;
		word = superclass_of(node);
	}
}

/* Chains of superclasses that no host uses have their mistakes too. */
static void check_class(struct kmln_resolving *resolving, struct kmln_node *node)
{
	struct kmln_chain chain = {.blocks = {node}, .count = 1};
	struct kmln_view view = {.resolving = resolving, .outer = &chain};
	struct kmln_word *word = superclass_of(node);

	/* one that comes from a variable is known in hosts only */
	if (word && !kmln_word_varies(word))
		add_classes(&view, &chain, word);
}

static bool room_for_host(struct kmln_resolving *resolving, struct kmln_place at)
{
	if (resolving->model->host_count < KMLN_HOSTS_MAX)
		return true;
	if (!resolving->exhausted)
		kmln_report_error(
			resolving->report, "too-many", at, "more than %u hosts", KMLN_HOSTS_MAX);
	resolving->exhausted = true;
	return false;
}

/*
 * A new host. One whose name is taken, which is reported, is in the model nevertheless, for its
 * other mistakes; by name the first is found.
 */
static struct kmln_host *new_host(
	struct kmln_resolving *resolving, const char *name, const struct kmln_word *from)
{
	struct kmln_model *model = resolving->model;
	struct kmln_host *host = kmln_pool_alloc(resolving->pool, sizeof(*host)), **slot, *first;

	host->name.text = name;
	host->name.from = from;
	first = kmln_names_add(&resolving->hosts, name, strlen(name), host);
	if (first && kmln_value_told(&host->name)) {
		/* of many hosts of one block the first mistake is enough */
	} else if (first && kmln_eq(first->name.text, name)) {
		second(resolving->report, from->at, first->name.from->at, "host", name);
	} else if (first) {
		kmln_report_error(resolving->report, "duplicate", from->at,
			"the host names `%s` and `%s` differ in case only", name, first->name.text);
		kmln_report_note(resolving->report, first->name.from->at, "the first is here");
	}
	slot = kmln_pool_append(resolving->pool, &model->hosts, &model->host_count, sizeof(*slot));
	*slot = host;
	return host;
}

/* The number of a counted host's `count`; 0: it has none, or a wrong one. */
static uint64_t count_of(struct kmln_view *view, struct kmln_node *node)
{
	for (struct kmln_node *n = kmln_node_first(node); n; n = kmln_node_after(node, n)) {
		uint64_t number;

		if (n->kind == KMLN_NODE_ITEM && n->keyword && !n->broken && n->count == 2 &&
			kmln_eq(n->keyword->name, "count") &&
			kmln_shape_value(view->resolving->report, "count", false,
				n->keyword->columns, &n->words[1],
				kmln_view_value(view, &n->words[1], false), &number))
			return number;
	}
	return 0;
}

static bool has_index(const struct kmln_word *word)
{
	return strstr(word->text, "$[index]") || strstr(word->text, "$index");
}

/*
 * The name of the host with this index; index 0: of all of them, which is that of one without the
 * number, and without what led to it.
 */
static const char *host_name(struct kmln_view *view, struct kmln_node *node, unsigned index)
{
	struct kmln_word *word = name_word(node);
	const char *name = kmln_view_value(view, word, false);
	uint64_t number;
	char *series;
	size_t n;

	if (view->index && index && !has_index(word))
		name = kmln_pool_printf(view->resolving->pool, "%s%u", name, index);
	if (index || !view->index) {
		kmln_shape_value(
			view->resolving->report, "host", false, &host_type, word, name, &number);
		return name;
	}
	series = kmln_pool_strdup(view->resolving->pool, name);
	for (n = strlen(series); n && strchr("-_.", series[n - 1]);)
		series[--n] = '\0';
	return series;
}

static void make_host(struct kmln_view *view, struct kmln_chain *chain, struct kmln_node *node,
	unsigned index, const char *series)
{
	const char *name = host_name(view, node, index);
	struct kmln_host *host;

	if (!room_for_host(view->resolving, name_word(node)->at))
		return;
	host = new_host(view->resolving, name, name_word(node));
	host->node = node;
	host->index = index;
	host->series = series;
	view->hostname = name;
	kmln_gather(view, chain, KMLN_BLOCK_HOST, host);
	view->hostname = NULL;
}

static void add_hosts(struct kmln_resolving *resolving, struct kmln_node *node)
{
	struct kmln_chain chain = {.blocks = {node}, .count = 1};
	struct kmln_view view = {.resolving = resolving, .outer = &chain};
	struct kmln_word *superclass = superclass_of(node);
	uint64_t count = count_of(&view, node);
	const char *series;

	if (superclass)
		add_classes(&view, &chain, superclass);
	if (!count) {
		make_host(&view, &chain, node, 0, NULL);
		return;
	}
	view.index = "";
	series = host_name(&view, node, 0);
	if (*series)
		kmln_names_add(&resolving->series, series, strlen(series), node);
	for (unsigned i = 1; i <= count && !resolving->exhausted; i++) {
		char index[12];

		snprintf(index, sizeof(index), "%u", i);
		view.index = kmln_pool_strdup(resolving->pool, index);
		make_host(&view, &chain, node, i, series);
	}
}

/* How many hosts the servers of an autoenum have taken, and who takes the next. */
static const char *next_server(const struct kmln_rows *servers, size_t *row, uint64_t *taken)
{
	while (*row < servers->count) {
		const struct kmln_row *server = &servers->items[*row];
		const char *number = server->count > 1 ? server->cells[1].text : "1";
		uint64_t limit = 0;

		if (kmln_eq(number, "all"))
			limit = UINT64_MAX;
		else
			for (const char *p = number; *p >= '0' && *p <= '9' && limit < 100000; p++)
				limit = limit * 10 + (unsigned)(*p - '0');
		if ((*taken)++ < limit)
			return server->cells[0].text;
		++*row;
		*taken = 0;
	}
	return NULL;
}

/* The numbers in `service_hosts`. */
static void check_servers(struct kmln_resolving *resolving, const struct kmln_rows *servers)
{
	for (size_t i = 0; i < servers->count; i++) {
		const struct kmln_row *row = &servers->items[i];
		uint64_t number;

		if (row->count < 2 || kmln_eq(row->cells[1].text, "all") ||
			kmln_parse_decimal(row->cells[1].text, &number) ||
			kmln_value_told(&row->cells[1]))
			continue;
		kmln_report_error(resolving->report, "wrong-value", row->cells[1].from->at,
			"in `service_hosts` the number needs to be a number, or `all`");
	}
}

/* What autoenum gives a host beyond its superclass. */
static void number_host(struct kmln_resolving *resolving, const struct kmln_autoenum *from,
	struct kmln_host *host, uint64_t number)
{
	struct kmln_pool *pool = resolving->pool;

	if (from->autouser.text) {
		struct kmln_row *row = kmln_pool_append(
			pool, &host->users.items, &host->users.count, sizeof(*row));

		row->count = 2;
		row->cells = kmln_pool_array(pool, 2, sizeof(*row->cells));
		row->cells[KMLN_USER_NAME].text = host->name.text;
		row->cells[KMLN_USER_NAME].from = host->name.from;
		row->cells[KMLN_USER_HASH] = from->autouser;
	}
	for (size_t i = 0; from->address.text && i < host->interface_count; i++) {
		struct kmln_interface *eth = &host->interfaces[i];
		char text[KMLN_IP_TEXT];
		struct kmln_ip ip;

		if (!kmln_eq(eth->name.text, "eth0") || eth->addresses.count || !from->net.text ||
			!kmln_ip_parse(from->net.text, &ip))
			continue;
		kmln_ip_count(&ip, from->addresses_begin.number + number - 1);
		kmln_ip_text(text, &ip, false);
		eth->addresses.items = kmln_pool_alloc(pool, sizeof(*eth->addresses.items));
		eth->addresses.count = 1;
		eth->addresses.items->count = 1;
		eth->addresses.items->cells = kmln_pool_alloc(pool, sizeof(struct kmln_value));
		eth->addresses.items->cells->text = kmln_pool_strdup(pool, text);
		eth->addresses.items->cells->from = from->address.from;
		eth->counted = true;
	}
}

static void add_numbered(struct kmln_resolving *resolving, struct kmln_node *node)
{
	struct kmln_chain own = {.blocks = {node}, .count = 1}, chain = {.count = 0};
	struct kmln_view view = {.resolving = resolving, .outer = &own};
	struct kmln_autoenum from = {.node = node};
	bool padded = kmln_eq(node->words[0].text, "autoenum");
	size_t server = 0;
	uint64_t taken = 0;
	char last[24];
	int width;

	kmln_gather(&view, &own, KMLN_BLOCK_AUTOENUM, &from);
	check_servers(resolving, &from.service_hosts);
	if (!from.superclass.from || !from.numhosts.from || !from.hostprefix.from) {
		kmln_report_error(resolving->report, "missing-value", node->words[0].at,
			"`%s` needs `superclass`, `numhosts` and `hostprefix`",
			node->words[0].text);
		return;
	}
	if (from.address.text && !from.net.text)
		kmln_report_error(resolving->report, "missing-value", from.address.from->at,
			"`address auto` needs `net`");
	add_classes(&view, &chain, superclass_of(node));
	width = padded ? snprintf(last, sizeof(last), "%llu",
				 (unsigned long long)from.numhosts.number)
		       : 1;
	for (unsigned i = 1; i <= from.numhosts.number && !resolving->exhausted; i++) {
		char *name =
			kmln_pool_printf(resolving->pool, "%s%0*u", from.hostprefix.text, width, i);
		struct kmln_word *word = &node->words[0];
		const char *on = next_server(&from.service_hosts, &server, &taken);
		struct kmln_host *host;
		uint64_t number;

		kmln_shape_value(
			resolving->report, "hostprefix", false, &host_type, word, name, &number);
		if (!room_for_host(resolving, word->at))
			return;
		host = new_host(resolving, name, word);
		host->node = node;
		host->series = from.hostprefix.text;
		host->superclass = from.superclass;
		view.outer = &chain;
		view.hostname = name;
		kmln_gather(&view, &chain, KMLN_BLOCK_HOST, host);
		host->superclass = from.superclass;
		if (on && !host->service_host.from)
			host->service_host.text = on;
		number_host(resolving, &from, host, i);
	}
}

static void resolve_global(struct kmln_resolving *resolving)
{
	struct kmln_node *root = resolving->syntax->root, *n;
	struct kmln_view view = {.resolving = resolving};
	struct kmln_chain chain = {.count = 1};
	struct kmln_global *global = &resolving->model->global;

	for (n = kmln_node_first(root); n && !resolving->global; n = kmln_node_after(root, n))
		if (n->kind == KMLN_NODE_BLOCK && n->opens == KMLN_BLOCK_GLOBAL)
			resolving->global = n;
	n = resolving->global ? kmln_node_first(resolving->global) : NULL;
	for (; n; n = kmln_node_after(resolving->global, n))
		if (n->kind == KMLN_NODE_VARIABLE)
			kmln_names_add(&resolving->variables, n->words[0].text,
				strlen(n->words[0].text), n);
	if (resolving->global) {
		chain.blocks[0] = resolving->global;
		view.outer = &chain;
		kmln_gather(&view, &chain, KMLN_BLOCK_GLOBAL, global);
	}
	if (global->project.text) {
		resolving->model->project = global->project.text;
		return;
	}
	/* a name that is there and wrong has been reported */
	for (n = resolving->global ? kmln_node_first(resolving->global) : NULL; n;
		n = kmln_node_after(resolving->global, n))
		if (n->keyword && kmln_eq(n->keyword->name, "project"))
			return;
	/* of a file that could not be read at all nothing is known */
	if (resolving->syntax->root->broken)
		return;
	kmln_report_error(resolving->report, "no-project",
		resolving->global
			? kmln_node_place(resolving->global)
			: (struct kmln_place){.source = resolving->syntax->source_count
								? resolving->syntax->sources[0]
								: NULL},
		"the project has no name: `global { project NAME }`");
}

/* MLN's numbered hosts come behind the others, as the blocks stand in `global`. */
static void resolve_numbered(struct kmln_resolving *resolving)
{
	struct kmln_node *global = resolving->global, *n;

	for (n = global ? kmln_node_first(global) : NULL; n; n = kmln_node_after(global, n))
		if (n->kind == KMLN_NODE_BLOCK && n->opens == KMLN_BLOCK_AUTOENUM && !n->broken)
			add_numbered(resolving, n);
}

struct kmln_model *kmln_project_resolve(
	struct kmln_pool *pool, struct kmln_syntax *syntax, struct kmln_report *report)
{
	struct kmln_resolving resolving = {
		.pool = pool,
		.syntax = syntax,
		.report = report,
		.model = kmln_pool_alloc(pool, sizeof(struct kmln_model)),
		.hosts = {.pool = pool, .any_case = true},
		.series = {.pool = pool, .any_case = true},
		.switches = {.pool = pool, .any_case = true},
		.classes = {.pool = pool},
		.variables = {.pool = pool},
	};
	struct kmln_model *model = resolving.model;

	model->pool = pool;
	model->syntax = syntax;
	model->project = "";
	kmln_project_shape(syntax, report);
	resolve_global(&resolving);
	each_block(&resolving, KMLN_BLOCK_SUPERCLASS, KMLN_BLOCK_SUPERCLASSES, find_class);
	each_block(&resolving, KMLN_BLOCK_SUPERCLASS, KMLN_BLOCK_SUPERCLASSES, check_class);
	each_block(&resolving, KMLN_BLOCK_SWITCH, KMLN_BLOCK_SWITCHES, add_switch);
	each_block(&resolving, KMLN_BLOCK_HOST, KMLN_BLOCK_HOSTS, add_hosts);
	resolve_numbered(&resolving);
	kmln_resolve_switches(&resolving);
	kmln_resolve_hosts(&resolving);
	kmln_resolve_networks(&resolving);
	for (size_t i = 0; i < KMLN_VARIABLES_DEEP; i++)
		kmln_buf_fini(&resolving.scratch[i]);
	model->host_names = resolving.hosts;
	model->switch_names = resolving.switches;
	return model;
}
