// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A chain of blocks becomes one: values from the nearest block that has them, lists from the
 * furthest one on, with what is removed and replaced on the way. The table of words says where each
 * goes.
 */
#include <string.h>

#include "project/resolving.h"
#include "project/shape.h"
#include "project/types.h"

/* The hash of a password: $6$salt$... is none of kmln's variables. */
static bool is_hash(const char *text)
{
	static const char *const kinds[] = {
		"1", "2a", "2b", "2x", "2y", "3", "5", "6", "7", "y", "gy", "md5", "sha1", "apr1"};

	for (size_t i = 0; text[0] == '$' && i < KMLN_COUNT(kinds); i++)
		if (kmln_starts(text + 1, kinds[i]) && text[1 + strlen(kinds[i])] == '$')
			return true;
	return false;
}

/* The value of a word that stands in a column. False: it is not of its type, and that is told. */
static bool cell(struct kmln_view *view, struct kmln_word *word, const char *keyword, bool row,
	const struct kmln_column *column, struct kmln_value *value)
{
	value->from = word;
	if (column->type == KMLN_TYPE_SECRET && is_hash(word->text))
		value->text = word->text;
	else
		value->text = kmln_view_value(view, word, kmln_type_lenient(column->type));
	return kmln_shape_value(
		view->resolving->report, keyword, row, column, word, value->text, &value->number);
}

struct kmln_row *kmln_gather_row(struct kmln_view *view, struct kmln_node *node, uint32_t first,
	const struct kmln_keyword *keyword, const struct kmln_column *columns, unsigned level,
	struct kmln_rows *rows)
{
	struct kmln_pool *pool = view->resolving->pool;
	const struct kmln_column *column = columns;
	struct kmln_row row = {.level = (unsigned short)level};
	const char *name = keyword ? keyword->name : "groups";
	bool in_list = !keyword || keyword->shape == KMLN_SHAPE_ROWS;
	struct kmln_row *slot;

	if (node->broken || node->count - first > UINT16_MAX ||
		!kmln_resolving_expand(view->resolving, 1, kmln_node_place(node)))
		return NULL;
	row.count = (unsigned short)(node->count - first);
	row.cells = kmln_pool_array(pool, row.count, sizeof(*row.cells));
	for (unsigned i = 0; i < row.count; i++) {
		if (!cell(view, &node->words[first + i], name, in_list, column, &row.cells[i]))
			return NULL;
		column += !column->rest;
	}
	slot = kmln_pool_append(pool, &rows->items, &rows->count, sizeof(*slot));
	*slot = row;
	return slot;
}

/* A shell line. */
static void add_line(
	struct kmln_view *view, struct kmln_node *node, unsigned level, struct kmln_rows *rows)
{
	struct kmln_row *slot;

	if (node->kind != KMLN_NODE_LINE || !node->count ||
		!kmln_resolving_expand(view->resolving, 1, kmln_node_place(node)))
		return;
	slot = kmln_pool_append(view->resolving->pool, &rows->items, &rows->count, sizeof(*slot));
	slot->level = (unsigned short)level;
	slot->count = 1;
	slot->cells = kmln_pool_array(view->resolving->pool, 1, sizeof(*slot->cells));
	slot->cells->from = node->words;
	slot->cells->text = kmln_view_value(view, node->words, true);
}

bool kmln_gather_removes(struct kmln_view *view, const struct kmln_keyword *keyword,
	struct kmln_node *node, const char **which)
{
	*which = NULL;
	if (node->keyword != keyword || node->broken || node->count < 2)
		return false;
	if (node->kind == KMLN_NODE_BLOCK)
		return kmln_eq(node->words[0].text, KMLN_WORD_REPLACE);
	if (!kmln_eq(node->words[0].text, KMLN_WORD_REMOVE))
		return false;
	if (node->count > 2)
		*which = kmln_view_value(view, &node->words[2], true);
	return true;
}

void kmln_gather_nothing(
	struct kmln_view *view, struct kmln_node *node, const struct kmln_nearest *nearest)
{
	struct kmln_word *word = &node->words[node->count - 1];

	if (word->reported)
		return;
	word->reported = true;
	kmln_report_error(view->resolving->report, "nothing-inherited", word->at,
		node->count > 2 ? "nothing like this is inherited: `%s`"
				: "nothing is inherited for `%s`",
		word->text);
	kmln_report_suggest(view->resolving->report, nearest->name);
}

/* Takes out of a list what a node removes. */
static void remove_rows(struct kmln_view *view, struct kmln_node *node,
	const struct kmln_keyword *keyword, const char *which, struct kmln_rows *rows)
{
	struct kmln_nearest nearest = {.word = which};
	size_t kept = 0, before = rows->count;

	for (size_t i = 0; i < before; i++) {
		const struct kmln_row *row = &rows->items[i];
		const char *key = row->count > keyword->key ? row->cells[keyword->key].text : NULL;

		if (!which || kmln_eq(key, which))
			continue;
		if (key)
			kmln_nearest_offer(&nearest, key);
		rows->items[kept++] = rows->items[i];
	}
	rows->count = kept;
	if (kept == before)
		kmln_gather_nothing(view, node, &nearest);
}

/* Whether a row with the same key is there: one inherited is replaced by the new, last one. */
static void settle_key(struct kmln_view *view, const struct kmln_keyword *keyword,
	struct kmln_node *node, struct kmln_rows *rows)
{
	struct kmln_word *word = &node->words[keyword->key];
	struct kmln_row *row = &rows->items[rows->count - 1];
	struct kmln_value *key = &row->cells[keyword->key];

	kmln_resolving_expand(view->resolving, rows->count / 16, key->from->at);
	for (size_t i = 0; i + 1 < rows->count && row->count > keyword->key; i++) {
		struct kmln_row *other = &rows->items[i];

		if (other->count <= keyword->key ||
			!kmln_eq(other->cells[keyword->key].text, key->text))
			continue;
		if (other->level == row->level && !word->reported) {
			word->reported = true;
			kmln_report_error(view->resolving->report, "duplicate", word->at,
				"`%s` stands in `%s` a second time", key->text, keyword->name);
			kmln_report_note(view->resolving->report,
				other->cells[keyword->key].from->at, "the first is here");
		}
		*other = *row;
		rows->count--;
		return;
	}
}

static void add_rows(struct kmln_view *view, struct kmln_node *node,
	const struct kmln_keyword *keyword, unsigned level, struct kmln_rows *rows)
{
	if (keyword->shape == KMLN_SHAPE_VALUE) {
		kmln_gather_row(view, node, 1, keyword, keyword->columns, level, rows);
		return;
	}
	for (struct kmln_node *n = kmln_node_first(node); n; n = kmln_node_after(node, n)) {
		if (keyword->shape == KMLN_SHAPE_LINES)
			add_line(view, n, level, rows);
		else if (n->kind == KMLN_NODE_ITEM && n->count &&
			 kmln_gather_row(view, n, 0, keyword, keyword->columns, level, rows) &&
			 keyword->merge == KMLN_MERGE_KEYED)
			settle_key(view, keyword, n, rows);
	}
}

static bool is_list(const struct kmln_keyword *keyword)
{
	return keyword->merge == KMLN_MERGE_APPEND || keyword->merge == KMLN_MERGE_KEYED;
}

/* Lists: the furthest block first; in each what is removed, then what is added. */
static void gather_lists(struct kmln_view *view, const struct kmln_chain *chain, char *target)
{
	for (size_t level = chain->count; level--;) {
		struct kmln_node *block = chain->blocks[level], *n;
		const char *which;

		for (n = kmln_node_first(block); n; n = kmln_node_after(block, n)) {
			const struct kmln_keyword *k = n->keyword;

			if (k && is_list(k) && k->shape != KMLN_SHAPE_BLOCK &&
				kmln_gather_removes(view, k, n, &which))
				remove_rows(view, n, k, which,
					(struct kmln_rows *)(void *)(target + k->offset));
		}
		for (n = kmln_node_first(block); n; n = kmln_node_after(block, n)) {
			const struct kmln_keyword *k = n->keyword;

			if (k && is_list(k) && k->shape != KMLN_SHAPE_BLOCK && !n->broken &&
				!(n->kind == KMLN_NODE_ITEM &&
					kmln_eq(n->words[0].text, KMLN_WORD_REMOVE)))
				add_rows(view, n, k, (unsigned)level,
					(struct kmln_rows *)(void *)(target + k->offset));
		}
	}
}

static void set_single(struct kmln_view *view, struct kmln_node *node,
	const struct kmln_keyword *keyword, struct kmln_value *value)
{
	if (keyword->shape == KMLN_SHAPE_VALUE && node->count > 1) {
		if (!cell(view, &node->words[1], keyword->name, false, keyword->columns, value))
			*value = (struct kmln_value){0};
		return;
	}
	/* a flag; or a value that may be absent, and is */
	value->from = &node->words[0];
	value->text = keyword->shape == KMLN_SHAPE_VALUE ? "" : "on";
	value->number = 1;
	if (node->count > 1 && keyword->shape == KMLN_SHAPE_FLAG) {
		value->from = &node->words[1];
		value->text = kmln_view_value(view, &node->words[1], false);
		if (!kmln_flag_parse(value->text, &value->number) && !node->words[1].reported) {
			node->words[1].reported = true;
			kmln_report_error(view->resolving->report, "wrong-value", node->words[1].at,
				"`%s` stands alone, or with `on` or `off`", keyword->name);
		}
		value->text = value->number ? "on" : "off";
	}
}

/* Whether a block further up says something for the keyword. */
static bool further(
	const struct kmln_chain *chain, size_t level, const struct kmln_keyword *keyword)
{
	for (size_t i = level + 1; i < chain->count; i++) {
		struct kmln_node *block = chain->blocks[i], *n;

		for (n = kmln_node_first(block); n; n = kmln_node_after(block, n))
			if (n->keyword == keyword)
				return true;
	}
	return false;
}

/* In an owner: the block only removes what is inherited. */
#define REMOVED 0x80

/* One item of a value, from the nearest block on; `owner`: which block has the keyword already. */
static void gather_value(struct kmln_view *view, const struct kmln_chain *chain, size_t level,
	struct kmln_node *node, unsigned char *owner, char *target)
{
	const struct kmln_keyword *k = node->keyword;
	bool removes =
		node->kind == KMLN_NODE_ITEM && kmln_eq(node->words[0].text, KMLN_WORD_REMOVE);
	void *member = target + k->offset;

	/* the block's own value counts, also beside a `remove` of the inherited one */
	if (*owner &&
		((*owner & ~REMOVED) != level + 1 || removes || !(k->repeated || *owner & REMOVED)))
		return;
	*owner = (unsigned char)((level + 1) | (removes ? REMOVED : 0));
	if (removes) {
		const struct kmln_nearest none = {.word = NULL};

		if (!further(chain, level, k))
			kmln_gather_nothing(view, node, &none);
	} else if (k->shape == KMLN_SHAPE_ROWS || k->shape == KMLN_SHAPE_LINES) {
		add_rows(view, node, k, (unsigned)level, member);
	} else if (kmln_keyword_single(k) || k->shape == KMLN_SHAPE_BLOCK) {
		set_single(view, node, k, member);
	} else {
		kmln_gather_row(view, node, 1, k, k->columns, (unsigned)level, member);
	}
}

static void gather_values(struct kmln_view *view, const struct kmln_chain *chain, char *target)
{
	unsigned char owners[KMLN_KEYWORDS_MAX] = {0};

	for (size_t level = 0; level < chain->count; level++) {
		struct kmln_node *block = chain->blocks[level], *n;

		for (n = kmln_node_first(block); n; n = kmln_node_after(block, n)) {
			const struct kmln_keyword *k = n->keyword;

			if (!k || n->broken || is_list(k) || k->standing == KMLN_STANDING_REFUSED)
				continue;
			/* what opens a block of its own has no member; but for kvm { } */
			if (k->shape == KMLN_SHAPE_BLOCK && k->opens != KMLN_BLOCK_KVM)
				continue;
			if (k->merge == KMLN_MERGE_OWN && level)
				continue;
			if (!kmln_resolving_expand(view->resolving, 1, kmln_node_place(n)))
				return;
			gather_value(
				view, chain, level, n, &owners[kmln_keyword_number(k)], target);
		}
	}
}

/* What nobody has said. */
static void set_defaults(struct kmln_pool *pool, enum kmln_block kind, char *target)
{
	for (const struct kmln_keyword *k = NULL; (k = kmln_keyword_next(k));) {
		KMLN_BUF struct kmln_buf why = {0}, instead = {0};
		struct kmln_value *value;

		if (!k->fallback || !(k->in & (1u << kind)))
			continue;
		if (!kmln_keyword_single(k)) {
			struct kmln_rows *rows = (void *)(target + k->offset);
			struct kmln_row *row;

			if (rows->count)
				continue;
			row = kmln_pool_append(pool, &rows->items, &rows->count, sizeof(*row));
			row->count = 1;
			row->cells = kmln_pool_alloc(pool, sizeof(*row->cells));
			row->cells->text = k->fallback;
			continue;
		}
		value = (void *)(target + k->offset);
		if (value->text)
			continue;
		value->text = k->fallback;
		if (k->shape == KMLN_SHAPE_FLAG)
			kmln_flag_parse(k->fallback, &value->number);
		else
			kmln_type_check(k->columns, k->fallback, &value->number, &why, &instead);
	}
}

void kmln_gather(
	struct kmln_view *view, const struct kmln_chain *chain, enum kmln_block kind, void *target)
{
	gather_values(view, chain, target);
	gather_lists(view, chain, target);
	set_defaults(view->resolving->pool, kind, target);
	if (kind == KMLN_BLOCK_HOST) {
		kmln_gather_interfaces(view, chain, target);
		kmln_gather_groups(view, chain, target);
	}
}
