// SPDX-License-Identifier: GPL-2.0-or-later
/* A model as a tree: what --resolved shows. The table of words says what there is to be written. */
#include <stdio.h>
#include <string.h>

#include "project/resolving.h"
#include "project/shape.h"

struct flattening {
	struct kmln_pool *pool;
	struct kmln_syntax *syntax;
};

static void add_content(struct flattening *f, struct kmln_node *node, const char *text, size_t size,
	const struct kmln_word *from)
{
	struct kmln_word *word = kmln_syntax_word(
		f->syntax, node, text, size, from ? from->at : (struct kmln_place){0});

	word->line = node->kind == KMLN_NODE_LINE;
}

/* A keyword, or another word that is as it is. */
static void add_word(struct flattening *f, struct kmln_node *node, const char *text)
{
	add_content(f, node, text, strlen(text), NULL);
}

static void add_value(struct flattening *f, struct kmln_node *node, const struct kmln_value *value)
{
	KMLN_BUF struct kmln_buf content = {0};

	/* what was taken as it stood can be written as it stood: hashes of passwords */
	if (value->from && value->from->text == value->text)
		kmln_buf_str(&content, value->text);
	else
		kmln_word_content(&content, value->text, node->kind == KMLN_NODE_LINE);
	add_content(f, node, content.data, content.size, value->from);
}

static struct kmln_node *add_node(
	struct flattening *f, struct kmln_node *parent, enum kmln_node_kind kind)
{
	return kmln_syntax_node(f->syntax, parent, kind);
}

/* A block; `name` NULL: without one. */
static struct kmln_node *add_block(struct flattening *f, struct kmln_node *parent,
	const char *keyword, const struct kmln_value *name)
{
	struct kmln_node *node = add_node(f, parent, KMLN_NODE_BLOCK);

	if (keyword)
		add_word(f, node, keyword);
	if (name)
		add_value(f, node, name);
	node->opens = (unsigned char)kmln_node_opens(parent->opens, node);
	node->blank_before = parent->opens == KMLN_BLOCK_FILE;
	return node;
}

static void add_item(struct flattening *f, struct kmln_node *parent, const char *keyword,
	const struct kmln_value *value)
{
	struct kmln_node *node = add_node(f, parent, KMLN_NODE_ITEM);

	add_word(f, node, keyword);
	if (value->text && *value->text)
		add_value(f, node, value);
}

static void add_row(struct flattening *f, struct kmln_node *node, const struct kmln_row *row)
{
	for (unsigned i = 0; i < row->count; i++)
		add_value(f, node, &row->cells[i]);
}

/* One keyword of a block, as far as the model has something for it. */
static void add_keyword(struct flattening *f, struct kmln_node *parent,
	const struct kmln_keyword *k, const char *source)
{
	const struct kmln_value *value = (const void *)(source + k->offset);
	const struct kmln_rows *rows = (const void *)(source + k->offset);
	struct kmln_node *block;

	if (kmln_keyword_single(k)) {
		/* a flag that is off is the default, unless another default was overruled */
		if (!value->text || (k->shape == KMLN_SHAPE_FLAG && !value->from))
			return;
		/* of a disk whose size nobody has asked for, the image's counts */
		if (!value->from && kmln_eq(k->name, "size"))
			return;
		add_item(f, parent, k->name, value);
		return;
	}
	if (!rows->count)
		return;
	if (k->shape == KMLN_SHAPE_VALUE) {
		for (size_t i = 0; i < rows->count; i++) {
			struct kmln_node *node = add_node(f, parent, KMLN_NODE_ITEM);

			add_word(f, node, k->name);
			add_row(f, node, &rows->items[i]);
		}
		return;
	}
	block = add_block(f, parent, k->name, NULL);
	for (size_t i = 0; i < rows->count; i++)
		add_row(f,
			add_node(f, block,
				k->shape == KMLN_SHAPE_LINES ? KMLN_NODE_LINE : KMLN_NODE_ITEM),
			&rows->items[i]);
}

static void add_keywords(struct flattening *f, struct kmln_node *parent, enum kmln_block kind,
	const void *source, bool (*skip)(const struct kmln_keyword *))
{
	for (const struct kmln_keyword *k = NULL; (k = kmln_keyword_next(k));)
		if (k->in & (1u << kind) && k->shape != KMLN_SHAPE_BLOCK &&
			k->standing != KMLN_STANDING_REFUSED && !(skip && skip(k)))
			add_keyword(f, parent, k, source);
}

/* Words that have done their part, or whose outcome is written instead. */
static bool not_in_host(const struct kmln_keyword *k)
{
	return kmln_eq(k->name, "superclass") || kmln_eq(k->name, "count") ||
	       kmln_eq(k->name, "after") || kmln_eq(k->name, "forward") ||
	       kmln_eq(k->name, "vcpus");
}

static bool not_in_network(const struct kmln_keyword *k)
{
	return kmln_eq(k->name, "address") || kmln_eq(k->name, "netmask") ||
	       kmln_eq(k->name, "mac") || kmln_eq(k->name, "gateway") ||
	       kmln_eq(k->name, "forward");
}

static void add_text(
	struct flattening *f, struct kmln_node *parent, const char *keyword, const char *text)
{
	const struct kmln_value value = {.text = kmln_pool_strdup(f->pool, text)};

	add_item(f, parent, keyword, &value);
}

static void add_interface(
	struct flattening *f, struct kmln_node *parent, const struct kmln_interface *interface)
{
	struct kmln_node *node = add_block(f, parent, "network", &interface->name);
	char text[KMLN_IP_TEXT];

	add_keywords(f, node, KMLN_BLOCK_NETWORK, interface, not_in_network);
	if (interface->addressing == KMLN_ADDRESS_DHCP)
		add_text(f, node, "address", "dhcp");
	for (unsigned i = 0; i < KMLN_FAMILIES; i++)
		if (interface->ip[i].given) {
			kmln_ip_text(text, &interface->ip[i], true);
			add_text(f, node, "address", text);
		}
	if (interface->addressing == KMLN_ADDRESS_NONE)
		add_text(f, node, "address", "none");
	for (unsigned i = 0; i < KMLN_FAMILIES; i++)
		if (interface->gateway[i].given) {
			kmln_ip_text(text, &interface->gateway[i], false);
			add_text(f, node, "gateway", text);
		}
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", interface->mac[0],
		interface->mac[1], interface->mac[2], interface->mac[3], interface->mac[4],
		interface->mac[5]);
	add_text(f, node, "mac", text);
}

static void add_forwards(struct flattening *f, const struct kmln_model *model,
	const struct kmln_host *host, const struct kmln_interface *interface,
	struct kmln_node *node)
{
	char text[KMLN_IP_TEXT];

	for (size_t i = 0; i < model->forward_count; i++) {
		const struct kmln_forward *forward = &model->forwards[i];

		if (forward->host != host || forward->interface != interface)
			continue;
		snprintf(text, sizeof(text), "%u:%u%s", forward->from, forward->to,
			forward->udp ? "/udp" : "");
		add_text(f, node, "forward", text);
	}
}

static void add_host(
	struct flattening *f, const struct kmln_model *model, const struct kmln_host *host)
{
	struct kmln_node *node = add_block(f, f->syntax->root, "host", &host->name), *groups;

	add_keywords(f, node, KMLN_BLOCK_HOST, host, not_in_host);
	if (host->wait_count) {
		struct kmln_node *after = add_node(f, node, KMLN_NODE_ITEM);

		add_word(f, after, "after");
		for (size_t i = 0; i < host->wait_count; i++)
			add_value(f, after, &host->waits_for[i]->name);
	}
	groups = host->group_count ? add_block(f, node, "groups", NULL) : NULL;
	for (size_t i = 0; i < host->group_count; i++) {
		struct kmln_node *group = add_block(f, groups, NULL, &host->groups[i].name);

		for (size_t j = 0; j < host->groups[i].members.count; j++)
			add_row(f, add_node(f, group, KMLN_NODE_ITEM),
				&host->groups[i].members.items[j]);
	}
	for (size_t i = 0; i < host->interface_count; i++) {
		add_interface(f, node, &host->interfaces[i]);
		add_forwards(f, model, host, &host->interfaces[i], node->last);
	}
}

struct kmln_syntax *kmln_model_syntax(const struct kmln_model *model, struct kmln_pool *pool)
{
	struct flattening f = {pool, kmln_syntax_new(pool)};
	struct kmln_node *global;

	/* the model has been held against limits of its own */
	f.syntax->unlimited = true;
	global = add_block(&f, f.syntax->root, "global", NULL);
	add_keywords(&f, global, KMLN_BLOCK_GLOBAL, &model->global, NULL);
	for (size_t i = 0; i < model->switch_count; i++)
		add_keywords(&f, add_block(&f, f.syntax->root, "switch", &model->switches[i]->name),
			KMLN_BLOCK_SWITCH, model->switches[i], NULL);
	for (size_t i = 0; i < model->host_count; i++)
		add_host(&f, model, model->hosts[i]);
	return f.syntax;
}
