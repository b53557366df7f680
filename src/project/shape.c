// SPDX-License-Identifier: GPL-2.0-or-later
/* The tree against the vocabulary, block by block. */
#include "project/shape.h"

#include <string.h>

#include "project/lex.h"
#include "project/names.h"
#include "project/types.h"

#define VARIABLES_IN \
	(KMLN_IN(GLOBAL) | KMLN_IN(SWITCH) | KMLN_IN_MACHINE | KMLN_IN(NETWORK) | KMLN_IN(AUTOENUM))
#define REMOVALS_IN (KMLN_IN_MACHINE | KMLN_IN(NETWORK))

struct shape {
	struct kmln_syntax *syntax;
	struct kmln_report *report;
	/* an item of the file itself whose place is in a block: behind a } too many there are more,
	 * and the first says it all */
	const struct kmln_node *astray;
};

/* What has been seen of one block. */
struct seen {
	const struct kmln_node *nodes[KMLN_KEYWORDS_MAX]; /* by the number of the keyword */
	struct kmln_names variables;
};

/* What a misspelt block is most likely meant to be: shell lines are not to be read as words. */
static enum kmln_block guess(enum kmln_block in, const char *name)
{
	struct kmln_nearest nearest = {.word = name};
	const struct kmln_keyword *keyword;

	for (const struct kmln_keyword *k = NULL; (k = kmln_keyword_next(k));)
		if (k->in & (1u << in) && k->shape >= KMLN_SHAPE_ROWS)
			kmln_nearest_offer(&nearest, k->name);
	keyword = nearest.name ? kmln_keyword_find(in, nearest.name, true) : NULL;
	return keyword ? keyword->opens : KMLN_BLOCK_KINDS;
}

enum kmln_block kmln_node_opens(enum kmln_block in, const struct kmln_node *node)
{
	const struct kmln_keyword *keyword;
	const char *name = kmln_node_text(node, 0);

	switch (in) {
	case KMLN_BLOCK_SWITCHES:
		return KMLN_BLOCK_SWITCH;
	case KMLN_BLOCK_HOSTS:
		return KMLN_BLOCK_HOST;
	case KMLN_BLOCK_SUPERCLASSES:
		return KMLN_BLOCK_SUPERCLASS;
	case KMLN_BLOCK_GROUPS:
		return KMLN_BLOCK_ROWS;
	case KMLN_BLOCK_ROWS:
	case KMLN_BLOCK_KINDS:
		return KMLN_BLOCK_KINDS;
	default:
		break;
	}
	if (kmln_eq(name, KMLN_WORD_REPLACE) && node->count > 1)
		name = kmln_node_text(node, 1);
	if (!name)
		return KMLN_BLOCK_KINDS;
	keyword = kmln_keyword_find(in, name, true);
	if (!keyword)
		return guess(in, name);
	if (keyword->shape < KMLN_SHAPE_ROWS)
		return KMLN_BLOCK_KINDS;
	return keyword->grouped && node->count == 1 ? keyword->grouped : keyword->opens;
}

bool kmln_shape_value(struct kmln_report *report, const char *keyword, bool row,
	const struct kmln_column *column, struct kmln_word *word, const char *value,
	uint64_t *number)
{
	KMLN_BUF struct kmln_buf why = {0}, instead = {0};

	if (kmln_type_check(column, value, number, &why, &instead))
		return true;
	if (word->reported)
		return false;
	word->reported = true;
	if (row)
		kmln_report_error(report, "wrong-value", word->at, "in `%s` the %s needs to be %s",
			keyword, column->name, why.data);
	else
		kmln_report_error(
			report, "wrong-value", word->at, "`%s` needs %s", keyword, why.data);
	if (!kmln_eq(value, word->text))
		kmln_report_note(report, (struct kmln_place){0}, "it is `%s` here", value);
	kmln_report_suggest(report, instead.data);
	return false;
}

/* The words from number `first` on, against the columns. */
static void check_words(struct shape *shape, struct kmln_node *node, uint32_t first,
	const char *keyword, const struct kmln_column *columns, bool row)
{
	const struct kmln_column *column = columns;

	for (uint32_t i = first; i < node->count; i++) {
		struct kmln_word *word = &node->words[i];
		uint64_t number;

		if (!column || !column->name) {
			kmln_report_error(shape->report, "too-many-words", word->at,
				i == first ? "`%s` takes no value" : "a word too many for `%s`",
				keyword);
			kmln_report_note(shape->report, (struct kmln_place){0},
				"a value with blanks needs quotes around it");
			node->broken = true;
			return;
		}
		if (!kmln_word_varies(word)) {
			KMLN_BUF struct kmln_buf value = {0};
			const char *missing;
			struct kmln_place at;

			kmln_word_expand(
				shape->syntax->pool, word, true, NULL, NULL, &value, &missing, &at);
			if (!kmln_shape_value(
				    shape->report, keyword, row, column, word, value.data, &number))
				node->broken = true;
		}
		column += !column->rest;
	}
	/* a column that takes the rest takes at least one */
	if (column && column->rest && node->count > first)
		return;
	if (column && column->name && !column->optional) {
		struct kmln_place at = node->words[node->count - 1].at;

		if (row)
			kmln_report_error(shape->report, "missing-value", at,
				"in `%s` the %s is missing", keyword, column->name);
		else
			kmln_report_error(shape->report, "missing-value", at,
				"`%s` needs a value: %s", keyword,
				column->type == KMLN_TYPE_CHOICE ? column->choices[0]
								 : kmln_type_words(column->type));
		node->broken = true;
	}
}

/* Where the block ended that this item may have been meant for. */
static void note_closed(struct shape *shape, const struct kmln_node *node, enum kmln_block in)
{
	const struct kmln_node *before = NULL;

	if (in != KMLN_BLOCK_FILE)
		return;
	for (const struct kmln_node *n = node->parent->first; n && n != node; n = n->next)
		if (n->kind == KMLN_NODE_BLOCK)
			before = n;
	if (before && before->count)
		kmln_report_note(shape->report, before->end, "this } ends `%s`",
			before->words[before->count - 1].text);
}

static void unknown(struct shape *shape, struct kmln_node *node, const struct kmln_word *word,
	enum kmln_block in)
{
	struct kmln_nearest nearest = {.word = word->text};
	const struct kmln_keyword *elsewhere = kmln_keyword_elsewhere(word->text);

	node->broken = true;
	if (kmln_word_varies(word)) {
		kmln_report_error(shape->report, "unknown-word", word->at,
			"a keyword cannot come from a variable");
		return;
	}
	if (elsewhere && in == KMLN_BLOCK_FILE) {
		const struct kmln_node *astray = shape->astray;

		shape->astray = node;
		if (astray && astray->next == node)
			return;
	}
	if (elsewhere) {
		kmln_report_error(shape->report, "misplaced-word", word->at,
			"`%s` cannot stand in %s", word->text, kmln_block_name(in));
		for (enum kmln_block b = 0; b < KMLN_BLOCK_KINDS; b++)
			if (elsewhere->in & (1u << b)) {
				kmln_report_note(shape->report, (struct kmln_place){0},
					"its place is %s", kmln_block_name(b));
				break;
			}
		note_closed(shape, node, in);
		return;
	}
	for (const struct kmln_keyword *k = NULL;
		kmln_report_keeps(shape->report) && (k = kmln_keyword_next(k));)
		if (k->in & (1u << in) && k->standing != KMLN_STANDING_REFUSED)
			kmln_nearest_offer(&nearest, k->name);
	kmln_report_error(shape->report, "unknown-word", word->at, "%s has no word `%s`",
		kmln_block_name(in), word->text);
	kmln_report_suggest(shape->report, nearest.name);
}

/* The same keyword twice in a block. */
static void check_once(struct shape *shape, struct seen *seen, struct kmln_node *node)
{
	const struct kmln_keyword *k = node->keyword;
	const struct kmln_node **first = &seen->nodes[kmln_keyword_number(k)];

	if (k->repeated || k->named || k->standing == KMLN_STANDING_REFUSED)
		return;
	if (!*first) {
		*first = node;
		return;
	}
	kmln_report_error(shape->report, "duplicate", node->words[0].at,
		"`%s` stands here a second time", k->name);
	kmln_report_note(shape->report, kmln_node_place(*first), "the first is here");
	node->broken = true;
}

/* True where the keyword is one that can be used. */
static bool check_standing(struct shape *shape, struct kmln_node *node, const struct kmln_word *at)
{
	const struct kmln_keyword *k = node->keyword;

	if (k->standing == KMLN_STANDING_REFUSED) {
		kmln_report_error(
			shape->report, "not-supported", at->at, "`%s` is not supported", k->name);
		kmln_report_note(shape->report, (struct kmln_place){0}, "%s", k->why);
		node->broken = true;
		return false;
	}
	if (k->standing == KMLN_STANDING_IDLE) {
		kmln_report_warning(
			shape->report, "no-effect", at->at, "`%s` has no effect", k->name);
		kmln_report_note(shape->report, (struct kmln_place){0}, "%s", k->why);
	}
	return true;
}

/* remove KEYWORD [WHICH] */
static void check_removal(struct shape *shape, struct kmln_node *node, enum kmln_block in)
{
	const struct kmln_keyword *k;

	if (node->count < 2) {
		kmln_report_error(shape->report, "missing-value", node->words[0].at,
			"`remove` needs the word whose inherited value is not wanted");
		node->broken = true;
		return;
	}
	k = kmln_keyword_find(in, node->words[1].text, true);
	if (!k || k->standing == KMLN_STANDING_REFUSED) {
		unknown(shape, node, &node->words[1], in);
		return;
	}
	node->keyword = k;
	if (k->merge == KMLN_MERGE_OWN) {
		kmln_report_error(shape->report, "misplaced-word", node->words[1].at,
			"`%s` is not inherited", k->name);
		node->broken = true;
	} else if (node->count > 3 || (node->count == 3 && k->merge == KMLN_MERGE_NEAREST)) {
		kmln_report_error(shape->report, "too-many-words",
			node->words[k->merge == KMLN_MERGE_NEAREST ? 2 : 3].at,
			"a word too many for `remove %s`", k->name);
		node->broken = true;
	}
}

static void check_item(
	struct shape *shape, struct seen *seen, struct kmln_node *node, enum kmln_block in)
{
	const struct kmln_keyword *k;

	if (kmln_eq(node->words[0].text, KMLN_WORD_REMOVE) && (1u << in) & REMOVALS_IN) {
		check_removal(shape, node, in);
		return;
	}
	k = kmln_keyword_find(in, node->words[0].text, false);
	if (!k) {
		unknown(shape, node, &node->words[0], in);
		return;
	}
	node->keyword = k;
	if (k->shape >= KMLN_SHAPE_ROWS) {
		kmln_report_error(shape->report, "missing-block", node->words[0].at,
			"`%s` needs a block: %s%s { }", k->name, k->name, k->named ? " NAME" : "");
		node->broken = true;
		return;
	}
	if (!check_standing(shape, node, &node->words[0]))
		return;
	check_once(shape, seen, node);
	if (k->shape == KMLN_SHAPE_FLAG) {
		uint64_t number;

		if (node->count < 2 || kmln_word_varies(&node->words[1]))
			return;
		if (node->count > 2 || !kmln_flag_parse(node->words[1].text, &number)) {
			kmln_report_error(shape->report, "wrong-value", node->words[1].at,
				"`%s` stands alone, or with `on` or `off`", k->name);
			node->words[1].reported = true;
			node->broken = true;
		}
		return;
	}
	check_words(shape, node, 1, k->name, k->columns, false);
}

static void check_variable(
	struct shape *shape, struct seen *seen, struct kmln_node *node, enum kmln_block in)
{
	const struct kmln_word *name = &node->words[0];
	const struct kmln_node *first;

	if (!((1u << in) & VARIABLES_IN)) {
		kmln_report_error(shape->report, "misplaced-variable", name->at,
			"variables cannot be set in %s", kmln_block_name(in));
		if (in == KMLN_BLOCK_FILE)
			kmln_report_note(
				shape->report, (struct kmln_place){0}, "put it into `global { }`");
		return;
	}
	if (kmln_eq(name->text, "hostname") || kmln_eq(name->text, "project") ||
		kmln_eq(name->text, "index")) {
		kmln_report_error(shape->report, "duplicate", name->at,
			"`$%s` has its value from kmln", name->text);
		return;
	}
	if (node->count < 2)
		kmln_report_error(shape->report, "missing-value", name->at, "`$%s` needs a value",
			name->text);
	first = kmln_names_add(&seen->variables, name->text, strlen(name->text), node);
	if (first) {
		kmln_report_error(shape->report, "duplicate", name->at,
			"`$%s` is set here a second time", name->text);
		kmln_report_note(shape->report, kmln_node_place(first), "the first is here");
	}
}

/* The name in front of a block. */
static void check_name(struct shape *shape, struct kmln_node *node, uint32_t at,
	const struct kmln_column *column, const char *what)
{
	struct kmln_word *word = &node->words[at];
	uint64_t number;

	if (node->count > at + 1) {
		kmln_report_error(shape->report, "too-many-words", node->words[at + 1].at,
			"a word too many before {");
		node->broken = true;
	}
	if (kmln_word_varies(word))
		return;
	if (!kmln_shape_value(shape->report, what, false, column, word, word->text, &number))
		node->broken = true;
}

/* MLN's \\; is a semicolon; the one of find -exec stands behind a blank, and needs another
 * backslash. */
static void check_escape(struct shape *shape, const struct kmln_node *node, const char *text)
{
	const char *p = strstr(text, " \\;");
	struct kmln_place at = kmln_node_place(node);

	if (!p)
		return;
	at.column += (uint32_t)(p + 1 - text);
	at.length = 2;
	kmln_report_warning(shape->report, "bad-escape", at,
		"the shell gets `;` alone: `\\;` is MLN's way to write it");
	kmln_report_suggest(shape->report, "\\\\;");
}

/* Shell lines that were not cut out of text by braces must not be able to close their block. */
static void check_lines(struct shape *shape, const struct kmln_node *block)
{
	unsigned depth = 0;
	const struct kmln_node *node;

	for (node = kmln_node_first(block); node; node = kmln_node_after(block, node)) {
		const char *text = kmln_node_text(node, 0);
		size_t size = text ? strlen(text) : 0;

		if (text && (strpbrk(text, "\n\r") || text[0] == '#')) {
			kmln_report_error(shape->report, "bad-line", kmln_node_place(node),
				"a shell line is one line, and no comment");
			return;
		}
		if (text)
			check_escape(shape, node, text);
		if (text && kmln_lex_shell(text, size, &depth) < size) {
			kmln_report_error(shape->report, "bad-line", kmln_node_place(node),
				"a } too many in shell lines");
			return;
		}
	}
	if (depth)
		kmln_report_error(shape->report, "bad-line", kmln_node_place(block),
			"a { too many in shell lines");
}

static void check_block(struct shape *shape, struct kmln_node *block);

static void check_keyword_block(
	struct shape *shape, struct seen *seen, struct kmln_node *node, enum kmln_block in)
{
	bool replace = kmln_eq(node->words[0].text, KMLN_WORD_REPLACE) &&
		       (1u << in) & REMOVALS_IN && node->count > 1;
	struct kmln_word *word = &node->words[replace];
	const struct kmln_keyword *k = kmln_keyword_find(in, word->text, true);
	const struct kmln_column name = {.name = "name", .type = k ? k->name_type : 0};

	if (!k) {
		unknown(shape, node, word, in);
		return;
	}
	node->keyword = k;
	if (!check_standing(shape, node, word))
		return;
	if (k->shape < KMLN_SHAPE_ROWS) {
		kmln_report_error(shape->report, "no-block", word->at, "`%s` is no block", k->name);
		node->broken = true;
		return;
	}
	if (replace && (k->shape == KMLN_SHAPE_BLOCK || k->merge == KMLN_MERGE_OWN)) {
		kmln_report_error(shape->report, "misplaced-word", node->words[0].at,
			"only lists can be replaced; `%s` is none", k->name);
		node->broken = true;
	}
	check_once(shape, seen, node);
	if (k->named && node->count >= 2) {
		check_name(shape, node, 1, &name, k->name);
	} else if (k->named && node->opens != k->grouped) {
		kmln_report_error(shape->report, "no-name", word->at, "`%s` needs a name", k->name);
		node->broken = true;
	} else if (!k->named && node->count > 1u + replace) {
		kmln_report_error(shape->report, "too-many-words", node->words[1 + replace].at,
			"a word too many before {");
		node->broken = true;
	}
	check_block(shape, node);
}

/* host { NAME { } ... }: the blocks in it have the type of name that the keyword asks for. */
static void check_group_member(struct shape *shape, struct kmln_node *node, enum kmln_block in)
{
	struct kmln_column name = {.name = "name", .type = KMLN_TYPE_USER};
	const char *what = "groups";

	for (const struct kmln_keyword *k = NULL; (k = kmln_keyword_next(k));)
		if (k->grouped == in && k->named && in != KMLN_BLOCK_GROUPS) {
			name.type = k->name_type;
			what = k->name;
		}
	if (node->kind != KMLN_NODE_BLOCK) {
		kmln_report_error(shape->report, "missing-block", kmln_node_place(node),
			"in %s there are only blocks: NAME { }", kmln_block_name(in));
		node->broken = true;
		return;
	}
	check_name(shape, node, 0, &name, what);
	check_block(shape, node);
}

/* A row of a list, or a member of a group. */
static void check_row(struct shape *shape, struct kmln_node *block, struct kmln_node *node)
{
	const struct kmln_column *columns =
		block->keyword ? block->keyword->columns : kmln_group_columns;
	const char *name = block->keyword ? block->keyword->name : "groups";

	if (node->kind == KMLN_NODE_BLOCK) {
		kmln_report_error(shape->report, "no-block", kmln_node_place(node),
			"`%s` holds lines, no blocks", name);
		node->broken = true;
		return;
	}
	check_words(shape, node, 0, name, columns, true);
}

static void check_node(
	struct shape *shape, struct seen *seen, struct kmln_node *block, struct kmln_node *node)
{
	enum kmln_block in = block->opens;

	if (node->kind == KMLN_NODE_VARIABLE) {
		check_variable(shape, seen, node, in);
		return;
	}
	if (!node->count || node->kind == KMLN_NODE_LINE)
		return;
	switch (in) {
	case KMLN_BLOCK_ROWS:
		check_row(shape, block, node);
		break;
	case KMLN_BLOCK_SWITCHES:
	case KMLN_BLOCK_HOSTS:
	case KMLN_BLOCK_SUPERCLASSES:
	case KMLN_BLOCK_GROUPS:
		check_group_member(shape, node, in);
		break;
	default:
		if (node->kind == KMLN_NODE_BLOCK)
			check_keyword_block(shape, seen, node, in);
		else
			check_item(shape, seen, node, in);
	}
}

static void check_block(struct shape *shape, struct kmln_node *block)
{
	struct seen seen = {.variables.pool = shape->syntax->pool};
	struct kmln_node *node;

	if (block->opens == KMLN_BLOCK_KINDS)
		return;
	if (block->opens == KMLN_BLOCK_LINES) {
		check_lines(shape, block);
		return;
	}
	for (node = kmln_node_first(block); node; node = kmln_node_after(block, node))
		check_node(shape, &seen, block, node);
}

void kmln_project_shape(struct kmln_syntax *syntax, struct kmln_report *report)
{
	struct shape shape = {.syntax = syntax, .report = report};

	check_block(&shape, syntax->root);
}
