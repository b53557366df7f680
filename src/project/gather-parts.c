// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The named blocks inside hosts, interfaces and groups of users: those of one name, in a host and
 * its superclasses, are one.
 */
#include <string.h>

#include "project/resolving.h"
#include "project/shape.h"

/* An interface, or a group, in the making. */
struct part {
	const char *name;
	struct kmln_word *word; /* where the name stands, in the nearest block */
	struct kmln_chain chain;
	size_t level; /* of the nearest block */
};

struct parts {
	struct part *items;
	size_t count;
};

static struct part *find(const struct parts *parts, const char *name)
{
	for (size_t i = 0; i < parts->count; i++)
		if (kmln_eq(parts->items[i].name, name))
			return &parts->items[i];
	return NULL;
}

/* Takes out all, or the one that is named. */
static void remove_parts(
	struct kmln_view *view, struct kmln_node *node, const char *which, struct parts *parts)
{
	struct kmln_nearest nearest = {.word = which};
	size_t kept = 0, before = parts->count;

	for (size_t i = 0; i < before; i++) {
		if (!which || kmln_eq(parts->items[i].name, which))
			continue;
		kmln_nearest_offer(&nearest, parts->items[i].name);
		parts->items[kept++] = parts->items[i];
	}
	parts->count = kept;
	if (kept == before)
		kmln_gather_nothing(view, node, &nearest);
}

/* Adds a block; blocks come from the furthest one on, and the chain has the nearest first. */
static void add_part(struct kmln_view *view, struct parts *parts, struct kmln_node *node,
	struct kmln_word *word, const struct kmln_column *type, size_t level)
{
	const char *name = kmln_view_value(view, word, false);
	struct part *part = find(parts, name);
	uint64_t number;

	if (!kmln_shape_value(view->resolving->report,
		    node->keyword ? node->keyword->name : "groups", false, type, word, name,
		    &number) ||
		!kmln_resolving_expand(view->resolving, 1 + parts->count / 16, word->at))
		return;
	if (part && part->level == level) {
		if (!word->reported) {
			kmln_report_error(view->resolving->report, "duplicate", word->at,
				"`%s` stands here a second time", name);
			kmln_report_note(
				view->resolving->report, part->word->at, "the first is here");
		}
		word->reported = true;
		return;
	}
	if (!part)
		part = kmln_pool_append(
			view->resolving->pool, &parts->items, &parts->count, sizeof(*part));
	part->name = name;
	part->word = word;
	part->level = level;
	memmove(part->chain.blocks + 1, part->chain.blocks,
		part->chain.count * sizeof(part->chain.blocks[0]));
	part->chain.blocks[0] = node;
	part->chain.count++;
}

static void removals(
	struct kmln_view *view, struct kmln_node *block, const char *keyword, struct parts *parts)
{
	for (struct kmln_node *n = kmln_node_first(block); n; n = kmln_node_after(block, n)) {
		const char *which;

		if (n->keyword && kmln_eq(n->keyword->name, keyword) &&
			kmln_gather_removes(view, n->keyword, n, &which))
			remove_parts(view, n, which, parts);
	}
}

void kmln_gather_interfaces(
	struct kmln_view *view, const struct kmln_chain *chain, struct kmln_host *host)
{
	static const struct kmln_column type = {.name = "name", .type = KMLN_TYPE_DEVICE};
	const struct kmln_chain *outer = view->outer;
	struct parts parts = {0};

	for (size_t level = chain->count; level--;) {
		struct kmln_node *block = chain->blocks[level], *n;

		removals(view, block, "network", &parts);
		for (n = kmln_node_first(block); n; n = kmln_node_after(block, n))
			if (n->kind == KMLN_NODE_BLOCK && n->opens == KMLN_BLOCK_NETWORK &&
				!n->broken && n->count == 2)
				add_part(view, &parts, n, &n->words[1], &type, level);
	}
	host->interface_count = parts.count;
	host->interfaces =
		kmln_pool_array(view->resolving->pool, parts.count, sizeof(*host->interfaces));
	for (size_t i = 0; i < parts.count; i++) {
		struct part *part = &parts.items[i];

		host->interfaces[i].name.text = part->name;
		host->interfaces[i].name.from = part->word;
		view->inner = &part->chain;
		view->outer = chain;
		kmln_gather(view, &part->chain, KMLN_BLOCK_NETWORK, &host->interfaces[i]);
	}
	view->inner = NULL;
	view->outer = outer;
}

/* The members of one group; each once. */
static void gather_members(
	struct kmln_view *view, const struct part *part, struct kmln_group *group)
{
	for (size_t level = part->chain.count; level--;) {
		struct kmln_node *block = part->chain.blocks[level], *n;

		for (n = kmln_node_first(block); n; n = kmln_node_after(block, n)) {
			struct kmln_row *row = NULL;

			if (n->kind == KMLN_NODE_ITEM && n->count)
				row = kmln_gather_row(view, n, 0, NULL, kmln_group_columns,
					(unsigned)level, &group->members);
			for (size_t i = 0; row && i + 1 < group->members.count; i++)
				if (kmln_eq(group->members.items[i].cells[0].text,
					    row->cells[0].text)) {
					group->members.count--;
					break;
				}
		}
	}
}

void kmln_gather_groups(
	struct kmln_view *view, const struct kmln_chain *chain, struct kmln_host *host)
{
	static const struct kmln_column type = {.name = "name", .type = KMLN_TYPE_USER};
	struct parts parts = {0};

	for (size_t level = chain->count; level--;) {
		struct kmln_node *block = chain->blocks[level], *n;

		removals(view, block, "groups", &parts);
		for (n = kmln_node_first(block); n; n = kmln_node_after(block, n)) {
			if (n->kind != KMLN_NODE_BLOCK || n->opens != KMLN_BLOCK_GROUPS ||
				n->broken)
				continue;
			for (struct kmln_node *g = kmln_node_first(n); g; g = kmln_node_after(n, g))
				if (g->kind == KMLN_NODE_BLOCK && !g->broken && g->count == 1)
					add_part(view, &parts, g, g->words, &type, level);
		}
	}
	host->group_count = parts.count;
	host->groups = kmln_pool_array(view->resolving->pool, parts.count, sizeof(*host->groups));
	for (size_t i = 0; i < parts.count; i++) {
		host->groups[i].name.text = parts.items[i].name;
		host->groups[i].name.from = parts.items[i].word;
		gather_members(view, &parts.items[i], &host->groups[i]);
	}
}
