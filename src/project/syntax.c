// SPDX-License-Identifier: GPL-2.0-or-later
/* The tree of a project file: making it, within its limits, and walking it. */
#include "project/syntax.h"

#include <string.h>

struct kmln_syntax *kmln_syntax_new(struct kmln_pool *pool)
{
	struct kmln_syntax *syntax = kmln_pool_alloc(pool, sizeof(*syntax));

	syntax->pool = pool;
	syntax->root = kmln_pool_alloc(pool, sizeof(*syntax->root));
	syntax->root->kind = KMLN_NODE_BLOCK;
	return syntax;
}

struct kmln_source *kmln_syntax_source(
	struct kmln_syntax *syntax, const char *name, const char *text, size_t size)
{
	struct kmln_source **slot, *source;

	if (size > KMLN_SOURCE_MAX - syntax->bytes) {
		syntax->full = true;
		return NULL;
	}
	syntax->bytes += size;
	source = kmln_pool_alloc(syntax->pool, sizeof(*source));
	source->name = kmln_pool_strdup(syntax->pool, name);
	source->text = text;
	source->size = size;
	source->number = (unsigned)syntax->source_count;
	slot = kmln_pool_append(
		syntax->pool, &syntax->sources, &syntax->source_count, sizeof(*slot));
	*slot = source;
	return source;
}

struct kmln_node *kmln_syntax_node(
	struct kmln_syntax *syntax, struct kmln_node *parent, enum kmln_node_kind kind)
{
	struct kmln_node *node;

	if (syntax->nodes >= KMLN_NODES_MAX && !syntax->unlimited) {
		syntax->full = true;
		return NULL;
	}
	syntax->nodes++;
	node = kmln_pool_alloc(syntax->pool, sizeof(*node));
	node->kind = kind;
	node->parent = parent;
	if (parent->last)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
	/* an include's items are those of the block that it stands in */
	for (struct kmln_node *n = parent; kind == KMLN_NODE_VARIABLE && n; n = n->parent) {
		n->has_variables = true;
		if (n->kind != KMLN_NODE_INCLUDE)
			break;
	}
	return node;
}

struct kmln_word *kmln_syntax_word(struct kmln_syntax *syntax, struct kmln_node *node,
	const char *text, size_t size, struct kmln_place at)
{
	struct kmln_word *word;
	size_t count = node->count;

	if (syntax->words >= KMLN_WORDS_MAX && !syntax->unlimited) {
		syntax->full = true;
		return NULL;
	}
	syntax->words++;
	word = kmln_pool_append(syntax->pool, &node->words, &count, sizeof(*word));
	node->count = (uint32_t)count;
	word->text = kmln_pool_memdup(syntax->pool, text, size);
	word->at = at;
	word->plain = !memchr(text, '$', size) && !memchr(text, '\\', size);
	return word;
}

struct kmln_place kmln_node_place(const struct kmln_node *node)
{
	return node->count ? node->words[0].at : node->end;
}

const char *kmln_node_text(const struct kmln_node *node, size_t i)
{
	return i < node->count ? node->words[i].text : NULL;
}

/* From `node` on the first that is an item of the block: into includes, past comments. */
static struct kmln_node *settle(const struct kmln_node *block, struct kmln_node *node)
{
	struct kmln_node *above = NULL;

	for (;;) {
		if (!node) {
			/* out of an include, to what stands behind it */
			if (!above || above == block)
				return NULL;
			node = above->next;
			above = above->parent;
		} else if (node->kind == KMLN_NODE_INCLUDE) {
			above = node;
			node = node->first;
		} else if (node->kind == KMLN_NODE_COMMENT) {
			above = node->parent;
			node = node->next;
		} else {
			return node;
		}
	}
}

struct kmln_node *kmln_node_first(const struct kmln_node *block)
{
	return block->first ? settle(block, block->first) : NULL;
}

struct kmln_node *kmln_node_after(const struct kmln_node *block, const struct kmln_node *node)
{
	struct kmln_node *above = node->parent, *next = node->next;

	while (!next && above && above != block) {
		next = above->next;
		above = above->parent;
	}
	return next ? settle(block, next) : NULL;
}
