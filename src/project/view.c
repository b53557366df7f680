// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Variables as one host sees them. Each is looked up alone, from the block of the word outwards;
 * its own value is made in the view of the host that asks, not of the superclass that set it.
 */
#include <string.h>

#include "project/resolving.h"

bool kmln_resolving_expand(struct kmln_resolving *resolving, uint64_t items, struct kmln_place at)
{
	resolving->expanded += items;
	if (resolving->expanded <= KMLN_EXPANDED_MAX)
		return true;
	if (!resolving->exhausted)
		kmln_report_error(resolving->report, "too-many", at,
			"the project is too big: its hosts have more than %u lines together",
			KMLN_EXPANDED_MAX);
	resolving->exhausted = true;
	return false;
}

/* The variable of this name in a block of a host; these have few. */
static struct kmln_node *in_block(struct kmln_resolving *resolving, const struct kmln_node *block,
	const char *name, size_t size)
{
	unsigned passed = 0;

	if (!block->has_variables)
		return NULL;
	for (struct kmln_node *n = kmln_node_first(block); n; n = kmln_node_after(block, n)) {
		if (n->kind == KMLN_NODE_VARIABLE && strncmp(n->words[0].text, name, size) == 0 &&
			!n->words[0].text[size])
			return n;
		/* they may have many, if somebody wants to keep us busy */
		if (++passed % 16 == 0)
			resolving->lookups++;
	}
	return NULL;
}

static struct kmln_node *in_chain(struct kmln_resolving *resolving, const struct kmln_chain *chain,
	const char *name, size_t size)
{
	struct kmln_node *found = NULL;

	for (size_t i = 0; chain && !found && i < chain->count; i++)
		found = in_block(resolving, chain->blocks[i], name, size);
	return found;
}

/* True the first time. */
static bool tell(struct kmln_word *word)
{
	bool first = !word->reported;

	word->reported = true;
	return first;
}

static const char *look(void *data, const char *name, size_t size);

/* The value of a variable, all of its words. NULL: it cannot be made, and that is reported. */
static const char *variable_value(struct kmln_view *view, struct kmln_node *node)
{
	struct kmln_report *report = view->resolving->report;
	struct kmln_word *name = &node->words[0];
	struct kmln_buf *value;

	for (size_t i = 0; i < view->depth; i++)
		if (view->open[i] == node) {
			if (tell(name))
				kmln_report_error(report, "variable-circle", name->at,
					"the value of `$%s` needs itself", name->text);
			return "";
		}
	if (view->depth == KMLN_COUNT(view->open)) {
		if (tell(name))
			kmln_report_error(report, "too-deep", name->at,
				"`$%s` needs too many other variables, one for another",
				name->text);
		return "";
	}
	/* who asked takes the value before another one of this depth is made */
	value = &view->resolving->scratch[view->depth];
	value->size = 0;
	kmln_buf_add(value, "", 0);
	view->open[view->depth++] = node;
	for (uint32_t i = 1; i < node->count && value->size <= KMLN_LINE_MAX; i++) {
		struct kmln_word *word = &node->words[i];
		const char *missing;
		struct kmln_place at;

		if (i > 1)
			kmln_buf_str(value, " ");
		/* a bare $name that is none stays: the value may be for a shell line */
		kmln_word_expand(
			view->resolving->pool, word, true, look, view, value, &missing, &at);
		if (missing && tell(word))
			kmln_report_error(
				report, "no-variable", at, "there is no variable `$%s`", missing);
	}
	view->depth--;
	if (value->size > KMLN_LINE_MAX) {
		if (tell(name))
			kmln_report_error(report, "too-long", name->at,
				"the value of `$%s` is too long", name->text);
		return "";
	}
	view->resolving->lookups += value->size / 64;
	return value->data;
}

static bool named(const char *name, size_t size, const char *text)
{
	return strlen(text) == size && memcmp(name, text, size) == 0;
}

static const char *look(void *data, const char *name, size_t size)
{
	struct kmln_view *view = data;
	struct kmln_resolving *resolving = view->resolving;
	struct kmln_node *node;

	if (++resolving->lookups > KMLN_LOOKUPS_MAX) {
		if (!resolving->exhausted)
			kmln_report_error(resolving->report, "too-many", view->word->at,
				"variables are looked up too often: more than %u times",
				KMLN_LOOKUPS_MAX);
		resolving->exhausted = true;
		return "";
	}
	if (named(name, size, "hostname") && view->hostname)
		return view->hostname;
	if (named(name, size, "project"))
		return resolving->model->project;
	if (named(name, size, "index") && view->index)
		return view->index;
	node = in_chain(resolving, view->inner, name, size);
	if (!node)
		node = in_chain(resolving, view->outer, name, size);
	if (!node)
		node = kmln_names_find(&resolving->variables, name, size);
	if (!node || node->count < 2)
		return node ? "" : NULL;
	/* most values are a word without variables */
	if (node->count == 2 && node->words[1].plain)
		return node->words[1].text;
	return variable_value(view, node);
}

static void offer(struct kmln_nearest *nearest, const struct kmln_node *block)
{
	if (!block || !block->has_variables)
		return;
	for (struct kmln_node *n = kmln_node_first(block); n; n = kmln_node_after(block, n))
		if (n->kind == KMLN_NODE_VARIABLE)
			kmln_nearest_offer(nearest, n->words[0].text);
}

static void undefined(
	struct kmln_view *view, struct kmln_word *word, const char *missing, struct kmln_place at)
{
	struct kmln_nearest nearest = {.word = missing};

	if (!tell(word))
		return;
	for (size_t i = 0; view->inner && i < view->inner->count; i++)
		offer(&nearest, view->inner->blocks[i]);
	for (size_t i = 0; view->outer && i < view->outer->count; i++)
		offer(&nearest, view->outer->blocks[i]);
	offer(&nearest, view->resolving->global);
	kmln_report_error(
		view->resolving->report, "no-variable", at, "there is no variable `$%s`", missing);
	if (nearest.name) {
		KMLN_FREE char *name = kmln_printf("$[%s]", nearest.name);

		kmln_report_suggest(view->resolving->report, name);
	} else if (kmln_eq(missing, "index")) {
		kmln_report_note(view->resolving->report, (struct kmln_place){0},
			"only hosts with `count` have an index");
	}
}

const char *kmln_view_value(struct kmln_view *view, struct kmln_word *word, bool lenient)
{
	KMLN_BUF struct kmln_buf value = {0};
	const char *missing;
	struct kmln_place at;

	if (word->plain)
		return word->text;
	view->word = word;
	kmln_word_expand(view->resolving->pool, word, lenient, look, view, &value, &missing, &at);
	if (missing)
		undefined(view, word, missing, at);
	if (value.size > KMLN_LINE_MAX) {
		if (tell(word))
			kmln_report_error(view->resolving->report, "too-long", word->at,
				"this value is too long");
		return "";
	}
	if (!kmln_resolving_expand(view->resolving, value.size / 64, word->at))
		return "";
	return kmln_pool_strdup(view->resolving->pool, value.data);
}

struct kmln_place kmln_value_place(const struct kmln_value *value, const struct kmln_value *else_at)
{
	if (value->from)
		return value->from->at;
	return else_at && else_at->from ? else_at->from->at : (struct kmln_place){0};
}

bool kmln_value_told(const struct kmln_value *value)
{
	struct kmln_word *word = (struct kmln_word *)(uintptr_t)value->from;
	bool before = word && word->reported;

	if (word)
		word->reported = true;
	return before;
}
