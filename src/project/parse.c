// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The text notation: items and blocks. What block it is decides whether its lines are words or
 * shell lines, and nothing else here; whether a word belongs there is asked of the tree, in
 * shape.c.
 */
#include "project/parse.h"

#include <string.h>

#include "project/lex.h"
#include "project/shape.h"
#include "project/words.h"

struct parser {
	struct kmln_lexer lexer;
	struct kmln_syntax *syntax;
	struct kmln_report *report;
	struct kmln_node *root; /* where this source's items go */
	struct kmln_node *block; /* the innermost that is open */
	unsigned depth;
	struct kmln_node *on_line; /* the last thing on the current line: a comment is about it */
	bool closed_on_line; /* that is its } */
	bool blank; /* an empty line has been seen */
	kmln_include_fn include;
	void *data;
};

static void too_many(struct parser *parser)
{
	kmln_report_error(parser->report, "too-many",
		kmln_lex_place(&parser->lexer, parser->lexer.at, 1),
		"the project is too big: at most %u items with %u words", KMLN_NODES_MAX,
		KMLN_WORDS_MAX);
}

static struct kmln_node *new_node(struct parser *parser, enum kmln_node_kind kind)
{
	struct kmln_node *node = kmln_syntax_node(parser->syntax, parser->block, kind);

	if (!node) {
		too_many(parser);
		return NULL;
	}
	node->blank_before = parser->blank;
	parser->blank = false;
	return node;
}

static void newline(struct parser *parser)
{
	const char *p = parser->lexer.line_start;

	p += strspn(p, " \t\r");
	if (p == parser->lexer.at && parser->block->last)
		parser->blank = true;
	kmln_lex_newline(&parser->lexer);
	parser->on_line = NULL;
}

static char *append_comment(struct parser *parser, const char *old, const char *text, size_t size)
{
	if (!old)
		return kmln_pool_memdup(parser->syntax->pool, text, size);
	return kmln_pool_printf(parser->syntax->pool, "%s %.*s", old, (int)size, text);
}

static void comment(struct parser *parser)
{
	struct kmln_node *node = parser->on_line;
	const char *text;
	size_t size = kmln_lex_rest(&parser->lexer, &text);

	if (!node) {
		node = new_node(parser, KMLN_NODE_COMMENT);
		if (node) {
			node->comment = kmln_pool_memdup(parser->syntax->pool, text, size);
			node->end = kmln_lex_place(&parser->lexer, text, size);
		}
	} else if (parser->closed_on_line) {
		node->end_comment = append_comment(parser, node->end_comment, text, size);
	} else {
		node->comment = append_comment(parser, node->comment, text, size);
	}
}

static bool add_word(struct parser *parser, struct kmln_node *node)
{
	KMLN_BUF struct kmln_buf content = {0};
	const char *start = parser->lexer.at;
	struct kmln_word *word;
	bool quoted;

	kmln_lex_word(&parser->lexer, &content, &quoted);
	word = kmln_syntax_word(parser->syntax, node, content.data, content.size,
		kmln_lex_place(&parser->lexer, start, (size_t)(parser->lexer.at - start)));
	if (!word) {
		too_many(parser);
		return false;
	}
	word->quoted = quoted;
	return true;
}

/* $name = VALUE, where that is what stands here; the name becomes the first word. */
static bool variable(struct parser *parser)
{
	struct kmln_lexer *lexer = &parser->lexer;
	bool bracket = lexer->at[1] == '[';
	const char *name = lexer->at + (bracket ? 2 : 1), *p;
	size_t n = kmln_variable_name(name);
	struct kmln_node *node;

	if (!n || (bracket && name[n] != ']'))
		return false;
	p = name + n + (bracket ? 1 : 0);
	p += strspn(p, " \t");
	if (*p != '=')
		return false;
	node = new_node(parser, KMLN_NODE_VARIABLE);
	parser->on_line = node;
	parser->closed_on_line = false;
	if (node && !kmln_syntax_word(parser->syntax, node, name, n,
			    kmln_lex_place(lexer, lexer->at, (size_t)(name - lexer->at) + n)))
		too_many(parser);
	lexer->at = p + 1;
	return true;
}

static void include(struct parser *parser)
{
	struct kmln_lexer *lexer = &parser->lexer;
	const struct kmln_place at = kmln_lex_place(lexer, lexer->at, 8);
	struct kmln_node *node = new_node(parser, KMLN_NODE_INCLUDE);
	struct kmln_source *source;

	lexer->at += 8;
	kmln_lex_blanks(lexer);
	parser->on_line = node;
	parser->closed_on_line = false;
	if (!node)
		return;
	node->end = at;
	if (kmln_lex_line_ends(lexer) || strchr(";{}#", *lexer->at)) {
		kmln_report_error(parser->report, "bad-include", at, "#include needs a path");
		node->broken = true;
		return;
	}
	if (!add_word(parser, node))
		return;
	if (!node->words[0].plain) {
		kmln_report_error(parser->report, "bad-include", node->words[0].at,
			"the path of an #include cannot hold variables and backslashes");
		node->broken = true;
		return;
	}
	if (!parser->include)
		return;
	source = parser->include(
		parser->data, parser->syntax, parser->report, lexer->source, node->words);
	node->broken = !source;
	/* the context of the items in it is that of the include */
	node->opens = parser->block->opens;
	if (source)
		kmln_parse(parser->syntax, parser->report, source, node, parser->include,
			parser->data);
}

/*
 * A block of the file itself that stands inside another one: the brace that closes that one has
 * been forgotten. Reported where it was opened; the reader goes on as if all were closed.
 */
static void close_forgotten(struct parser *parser, struct kmln_node *node)
{
	const struct kmln_keyword *keyword;
	struct kmln_node *open = parser->block, *before = open->first;

	if (!node->count || parser->block == parser->root || open->opens == KMLN_BLOCK_KINDS ||
		open->opens == KMLN_BLOCK_FILE)
		return;
	keyword = kmln_keyword_find(KMLN_BLOCK_FILE, node->words[0].text, true);
	if (!keyword || keyword->standing == KMLN_STANDING_REFUSED || node->count > 2 ||
		parser->root->opens != KMLN_BLOCK_FILE ||
		kmln_keyword_find(open->opens, node->words[0].text, false) ||
		open->opens == KMLN_BLOCK_HOSTS || open->opens == KMLN_BLOCK_SWITCHES ||
		open->opens == KMLN_BLOCK_SUPERCLASSES || open->opens == KMLN_BLOCK_GROUPS)
		return;
	kmln_report_error(parser->report, "open-brace", kmln_node_place(open),
		"this block is not closed with }");
	kmln_report_note(parser->report, node->words[0].at,
		"`%s` stands in the file itself, not in %s", node->words[0].text,
		kmln_block_name(open->opens));
	/* the node moves from the end of the open block to the end of the file's */
	while (before && before->next != node)
		before = before->next;
	if (before)
		before->next = NULL;
	else
		open->first = NULL;
	open->last = before;
	while (parser->block != parser->root) {
		parser->block->end = node->words[0].at;
		parser->block = parser->block->parent;
		parser->depth--;
	}
	node->parent = parser->root;
	parser->root->last->next = node;
	parser->root->last = node;
}

/* Over a block that is nested too deep, braces and all. */
static void skip_block(struct parser *parser)
{
	size_t depth = 0;

	do {
		char c = *parser->lexer.at;

		if (c == '\n') {
			newline(parser);
			continue;
		}
		depth += c == '{';
		depth -= c == '}';
		parser->lexer.at++;
	} while (depth && parser->lexer.at < parser->lexer.end);
}

/* The reader stands at a {, the words before it are in the node. */
static void open_block(struct parser *parser, struct kmln_node *node)
{
	struct kmln_lexer *lexer = &parser->lexer;
	const struct kmln_place brace = kmln_lex_place(lexer, lexer->at, 1);

	if (parser->depth >= KMLN_NESTING_MAX) {
		kmln_report_error(parser->report, "too-deep", brace,
			"blocks are nested deeper than %u", KMLN_NESTING_MAX);
		node->broken = true;
		skip_block(parser);
		return;
	}
	close_forgotten(parser, node);
	node->kind = KMLN_NODE_BLOCK;
	node->opens = (unsigned char)kmln_node_opens(parser->block->opens, node);
	node->end = brace;
	if (!node->count) {
		kmln_report_error(
			parser->report, "no-name", brace, "a block without a word before it");
		node->opens = KMLN_BLOCK_KINDS;
		node->broken = true;
	}
	lexer->at++;
	parser->block = node;
	parser->depth++;
	parser->on_line = node;
	parser->closed_on_line = false;
	parser->blank = false;
}

static void close_block(struct parser *parser)
{
	const struct kmln_place brace = kmln_lex_place(&parser->lexer, parser->lexer.at, 1);

	parser->lexer.at++;
	parser->blank = false;
	if (parser->block == parser->root) {
		kmln_report_error(parser->report, "stray-brace", brace, "this } closes no block");
		return;
	}
	parser->block->end = brace;
	parser->on_line = parser->block;
	parser->closed_on_line = true;
	parser->block = parser->block->parent;
	parser->depth--;
}

/* Words up to the end of the item; a { behind them makes it a block. */
static void item(struct parser *parser)
{
	struct kmln_lexer *lexer = &parser->lexer;
	struct kmln_node *node;

	if (*lexer->at == '$' && variable(parser)) {
		node = parser->on_line;
	} else {
		node = new_node(parser, KMLN_NODE_ITEM);
		parser->on_line = node;
		parser->closed_on_line = false;
	}
	while (node) {
		kmln_lex_blanks(lexer);
		if (kmln_lex_line_ends(lexer) || strchr(";}#", *lexer->at))
			return;
		if (*lexer->at == '{') {
			if (node->kind == KMLN_NODE_ITEM)
				open_block(parser, node);
			return;
		}
		if (!add_word(parser, node))
			return;
	}
}

static void shell_line(struct parser *parser, const char *text, size_t size, bool own)
{
	struct kmln_lexer *lexer = &parser->lexer;
	struct kmln_place at = kmln_lex_place(lexer, text, size);
	struct kmln_node *node;
	struct kmln_word *word;

	if (!size)
		return;
	node = new_node(parser, text[0] == '#' ? KMLN_NODE_COMMENT : KMLN_NODE_LINE);
	if (!node)
		return;
	if (own)
		node->indent = kmln_pool_memdup(parser->syntax->pool, lexer->line_start,
			(size_t)(text - lexer->line_start));
	parser->on_line = node;
	parser->closed_on_line = false;
	if (node->kind == KMLN_NODE_COMMENT) {
		node->comment = kmln_pool_memdup(parser->syntax->pool, text, size);
		node->end = at;
		return;
	}
	word = kmln_syntax_word(parser->syntax, node, text, size, at);
	if (!word) {
		too_many(parser);
		return;
	}
	word->line = true;
}

/* What the lines of a block have in common is its indent; what is left is theirs. */
static void share_indent(struct kmln_node *block)
{
	const char *common = NULL;
	size_t size = 0;

	for (const struct kmln_node *n = block->first; n; n = n->next) {
		size_t same = 0;

		if (!n->indent)
			continue;
		if (!common) {
			common = n->indent;
			size = strlen(common);
		}
		while (same < size && n->indent[same] == common[same])
			same++;
		size = same;
	}
	for (struct kmln_node *n = block->first; n; n = n->next)
		if (n->indent)
			n->indent = n->indent[size] ? n->indent + size : NULL;
}

/* The lines of a shell block up to its }, at which the reader stands then. */
static void shell_block(struct parser *parser)
{
	struct kmln_lexer *lexer = &parser->lexer;
	struct kmln_node *block = parser->block;
	unsigned depth = 0;
	bool own = false; /* the text is the first on its line */

	while (lexer->at < lexer->end && !parser->syntax->full) {
		const char *text, *brace;
		size_t size, used;

		kmln_lex_blanks(lexer);
		if (kmln_lex_line_ends(lexer)) {
			if (lexer->at < lexer->end)
				newline(parser);
			own = true;
			continue;
		}
		text = lexer->at;
		if (!own && text[0] == '#') {
			comment(parser);
			continue;
		}
		size = kmln_lex_rest(lexer, &text);
		used = kmln_lex_shell(text, size, &depth);
		brace = used < size ? text + used : NULL;
		while (used && strchr(" \t\r", text[used - 1]))
			used--;
		shell_line(parser, text, used, own);
		if (brace) {
			lexer->at = brace;
			break;
		}
	}
	share_indent(block);
}

static bool is_include(const struct parser *parser)
{
	const char *p = parser->lexer.at;

	return !parser->on_line && kmln_starts(p, "#include") && strchr(" \t\r\n", p[8]);
}

void kmln_parse(struct kmln_syntax *syntax, struct kmln_report *report,
	const struct kmln_source *source, struct kmln_node *parent, kmln_include_fn include_fn,
	void *data)
{
	struct parser parser = {
		.syntax = syntax,
		.report = report,
		.root = parent,
		.block = parent,
		.include = include_fn,
		.data = data,
	};
	struct kmln_lexer *lexer = &parser.lexer;

	if (!kmln_lex_check(report, source))
		return;
	kmln_lex_start(lexer, report, source);
	while (!syntax->full) {
		if (parser.block->opens == KMLN_BLOCK_LINES && parser.block != parent)
			shell_block(&parser);
		kmln_lex_blanks(lexer);
		if (lexer->at >= lexer->end)
			break;
		switch (*lexer->at) {
		case '\n':
			newline(&parser);
			break;
		case ';':
			lexer->at++;
			break;
		case '#':
			if (is_include(&parser))
				include(&parser);
			else
				comment(&parser);
			break;
		case '}':
			close_block(&parser);
			break;
		default:
			item(&parser);
		}
	}
	while (parser.block != parent && !syntax->full) {
		kmln_report_error(report, "open-brace", kmln_node_place(parser.block),
			"this block is not closed with }");
		parser.block->end = kmln_lex_place(lexer, lexer->at, 0);
		parser.block = parser.block->parent;
	}
}
