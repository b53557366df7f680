// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tree as a document: two blanks a level, attributes in the order of the file and on one line
 * while there is room. Read and written again it is the same to the byte.
 */
#include "project/xml.h"

#include <string.h>

#include "project/xml-names.h"

#define WIDTH 100

struct writer {
	struct kmln_buf *out;
	const struct kmln_node *unknown; /* the first that there is no element for */
};

/* An element in the making: its start tag. */
struct tag {
	unsigned depth;
	size_t column; /* in which the next attribute begins on this line */
	size_t hang; /* and on a new one */
};

static void indent(struct kmln_buf *out, unsigned depth)
{
	kmln_buf_printf(out, "%*s", (int)(2 * depth), "");
}

static void escape(struct kmln_buf *out, const char *text, size_t size, bool attribute)
{
	for (const char *p = text; p < text + size; p++) {
		if (*p == '&')
			kmln_buf_str(out, "&amp;");
		else if (*p == '<')
			kmln_buf_str(out, "&lt;");
		else if (*p == '>')
			kmln_buf_str(out, "&gt;");
		else if (attribute && *p == '"')
			kmln_buf_str(out, "&quot;");
		else if (attribute && *p == '\t')
			kmln_buf_str(out, "&#9;");
		else
			kmln_buf_add(out, p, 1);
	}
}

static struct tag open_tag(struct writer *w, unsigned depth, const char *name)
{
	size_t column = 2 * (size_t)depth + 1 + strlen(name);

	indent(w->out, depth);
	kmln_buf_printf(w->out, "<%s", name);
	return (struct tag){.depth = depth, .column = column, .hang = column + 1};
}

static void attribute(struct writer *w, struct tag *tag, const char *name, const char *value)
{
	KMLN_BUF struct kmln_buf text = {0};

	kmln_buf_printf(&text, "%s=\"", name);
	escape(&text, value, strlen(value), true);
	kmln_buf_str(&text, "\"");
	if (tag->column + 1 + text.size + 2 > WIDTH && tag->column >= tag->hang) {
		kmln_buf_printf(w->out, "\n%*s", (int)tag->hang, "");
		tag->column = tag->hang;
	} else {
		kmln_buf_str(w->out, " ");
		tag->column++;
	}
	kmln_buf_add(w->out, text.data, text.size);
	tag->column += text.size;
}

/* "# text" -> <!-- text -->. Two dashes cannot stand in a comment. */
static void comment(struct writer *w, const char *text, unsigned depth)
{
	char last = '#';

	if (!text)
		return;
	indent(w->out, depth);
	kmln_buf_str(w->out, "<!--");
	for (const char *p = text + (*text == '#'); *p; p++) {
		if (*p == '-' && last == '-')
			kmln_buf_str(w->out, " ");
		kmln_buf_add(w->out, p, 1);
		last = *p;
	}
	kmln_buf_str(w->out, last == ' ' ? "-->\n" : " -->\n");
}

/* Words from `from` on as a list: blanks between them, quotes around those that hold one. */
static void list(struct kmln_buf *out, const struct kmln_node *node, uint32_t from)
{
	kmln_buf_add(out, "", 0);
	for (uint32_t i = from; i < node->count; i++) {
		const char *text = node->words[i].text;
		bool bare = *text && !strpbrk(text, " \t\"");

		kmln_buf_printf(out, "%s%s%s%s", i > from ? " " : "", bare ? "" : "\"", text,
			bare ? "" : "\"");
	}
}

/* The keyword of an item that is an attribute of its block, or NULL. */
static const struct kmln_keyword *as_attribute(enum kmln_block block, const struct kmln_node *node)
{
	const struct kmln_keyword *keyword;

	if (node->kind != KMLN_NODE_ITEM || !node->count || block == KMLN_BLOCK_ROWS)
		return NULL;
	keyword = kmln_keyword_find(block, node->words[0].text, false);
	return keyword && kmln_xml_is_attribute(keyword) ? keyword : NULL;
}

static void write_item_attribute(struct writer *w, struct tag *tag,
	const struct kmln_keyword *keyword, const struct kmln_node *node)
{
	KMLN_BUF struct kmln_buf text = {0};

	if (keyword->shape == KMLN_SHAPE_FLAG)
		kmln_buf_str(&text, node->count > 1 ? node->words[1].text : "on");
	else if (keyword->columns[0].rest)
		list(&text, node, 1);
	else
		kmln_buf_str(&text, node->count > 1 ? node->words[1].text : "");
	attribute(w, tag, keyword->name, text.data);
}

/* Words as columns: attributes, or the text of the element where there is one column. */
static void write_row(struct writer *w, const struct kmln_node *node, uint32_t first,
	const char *name, const struct kmln_column *columns, unsigned depth)
{
	struct tag tag = open_tag(w, depth, name);
	KMLN_BUF struct kmln_buf text = {0};

	if (!columns[1].name) {
		if (columns->rest)
			list(&text, node, first);
		else
			kmln_buf_str(&text, first < node->count ? node->words[first].text : "");
		kmln_buf_str(w->out, ">");
		escape(w->out, text.data, text.size, false);
		kmln_buf_printf(w->out, "</%s>\n", name);
		return;
	}
	for (uint32_t i = first; i < node->count && columns->name; i++, columns++) {
		if (columns->rest) {
			list(&text, node, i);
			attribute(w, &tag, columns->name, text.data);
			break;
		}
		attribute(w, &tag, columns->name, node->words[i].text);
	}
	kmln_buf_str(w->out, "/>\n");
}

static void write_line(struct writer *w, const struct kmln_node *node, unsigned depth)
{
	indent(w->out, depth);
	kmln_buf_str(w->out, "<line>");
	if (node->indent)
		escape(w->out, node->indent, strlen(node->indent), false);
	escape(w->out, node->words[0].text, strlen(node->words[0].text), false);
	kmln_buf_str(w->out, "</line>\n");
}

static void write_pair(struct writer *w, const struct kmln_node *node, unsigned depth,
	const char *element, const char *const names[2], uint32_t first)
{
	struct tag tag = open_tag(w, depth, element);

	for (uint32_t i = 0; i < 2 && first + i < node->count; i++)
		attribute(w, &tag, names[i], node->words[first + i].text);
	kmln_buf_str(w->out, "/>\n");
}

/* $name = a b: the blank is part of the value. */
static void write_variable(struct writer *w, const struct kmln_node *node, unsigned depth)
{
	struct tag tag = open_tag(w, depth, "variable");
	KMLN_BUF struct kmln_buf value = {0};

	kmln_buf_add(&value, "", 0);
	for (uint32_t i = 1; i < node->count; i++)
		kmln_buf_printf(&value, "%s%s", i > 1 ? " " : "", node->words[i].text);
	attribute(w, &tag, "name", node->words[0].text);
	attribute(w, &tag, "value", value.data);
	kmln_buf_str(w->out, "/>\n");
}

static void write_children(struct writer *w, const struct kmln_node *block,
	const struct kmln_xml_inside *inside, unsigned depth);

/* The comments of what stands in a start tag come before it. */
static void write_comments(struct writer *w, const struct kmln_node *node, unsigned depth)
{
	comment(w, node->comment, depth);
	comment(w, node->end_comment, depth);
	if (node->kind != KMLN_NODE_BLOCK)
		return;
	for (const struct kmln_node *n = node->first; n; n = n->next)
		if (as_attribute(node->opens, n))
			comment(w, n->comment, depth);
}

/* A block: `name_word` is the word of its name, 0: it has none. */
static void write_block(struct writer *w, const struct kmln_node *node, uint32_t name_word,
	const struct kmln_xml_element *element, const struct kmln_xml_inside *from, unsigned depth)
{
	struct tag tag = open_tag(w, depth, element->name);
	struct kmln_xml_inside inside;
	bool filled = false;

	kmln_xml_opens(element, from, &inside);
	if (kmln_xml_has_name(element) && name_word < node->count)
		attribute(w, &tag, "name", node->words[name_word].text);
	for (const struct kmln_node *n = node->first; n; n = n->next) {
		const struct kmln_keyword *keyword = as_attribute(inside.block, n);

		if (keyword)
			write_item_attribute(w, &tag, keyword, n);
		else
			filled = true;
	}
	kmln_buf_str(w->out, filled ? ">\n" : "/>\n");
	if (!filled)
		return;
	write_children(w, node, &inside, depth + 1);
	indent(w->out, depth);
	kmln_buf_printf(w->out, "</%s>\n", element->name);
}

/* The element that a node is written as. */
static bool find_element(const struct kmln_xml_inside *inside, const struct kmln_node *node,
	struct kmln_xml_element *element)
{
	KMLN_FREE char *name = NULL;

	if (inside->block == KMLN_BLOCK_ROWS) {
		const char *row = inside->keyword ? inside->keyword->row : "member";

		return node->kind == KMLN_NODE_ITEM && kmln_xml_find(inside, row, element);
	}
	if (inside->block == KMLN_BLOCK_GROUPS)
		return kmln_xml_find(inside, "group", element);
	for (const struct kmln_keyword *k = NULL; (k = kmln_keyword_next(k));)
		if (k->grouped && k->grouped == inside->block)
			return kmln_xml_find(inside, k->name, element);
	name = kmln_printf("%s%s", node->words[0].text,
		node->kind == KMLN_NODE_BLOCK && node->opens >= KMLN_BLOCK_SWITCHES ? "-group"
										    : "");
	return kmln_xml_find(inside, name, element);
}

static void write_replace(struct writer *w, const struct kmln_node *node,
	const struct kmln_xml_inside *from, unsigned depth)
{
	const struct kmln_xml_inside inside = {.block = from->block, .replace = true};
	struct kmln_xml_element element;

	if (node->count < 2 || !kmln_xml_find(&inside, node->words[1].text, &element)) {
		w->unknown = w->unknown ? w->unknown : node;
		return;
	}
	indent(w->out, depth);
	kmln_buf_str(w->out, "<" KMLN_WORD_REPLACE ">\n");
	write_block(w, node, 0, &element, &inside, depth + 1);
	indent(w->out, depth);
	kmln_buf_str(w->out, "</" KMLN_WORD_REPLACE ">\n");
}

/* What begins with a word: a keyword, a name or a row. */
static void write_words(struct writer *w, const struct kmln_node *node,
	const struct kmln_xml_inside *inside, unsigned depth)
{
	static const char *const removed[2] = {"keyword", "which"};
	struct kmln_xml_element element;
	const struct kmln_column *columns;

	if (!node->count || !find_element(inside, node, &element)) {
		w->unknown = w->unknown ? w->unknown : node;
		return;
	}
	columns = kmln_xml_row_columns(&element);
	if (element.form == KMLN_XML_REPLACE)
		write_replace(w, node, inside, depth);
	else if (element.form == KMLN_XML_REMOVE)
		write_pair(w, node, depth, element.name, removed, 1);
	else if (columns)
		write_row(w, node, element.form == KMLN_XML_KEYWORD ? 1 : 0, element.name, columns,
			depth);
	else
		write_block(
			w, node, element.form == KMLN_XML_KEYWORD ? 1 : 0, &element, inside, depth);
}

static void write_children(struct writer *w, const struct kmln_node *block,
	const struct kmln_xml_inside *inside, unsigned depth)
{
	static const char *const include[2] = {"path", NULL};
	bool first = true;

	for (const struct kmln_node *n = block->first; n; n = n->next) {
		if (as_attribute(inside->block, n))
			continue;
		if (n->blank_before && !first)
			kmln_buf_str(w->out, "\n");
		first = false;
		write_comments(w, n, depth);
		switch (n->kind) {
		case KMLN_NODE_COMMENT:
			break;
		case KMLN_NODE_LINE:
			write_line(w, n, depth);
			break;
		case KMLN_NODE_VARIABLE:
			write_variable(w, n, depth);
			break;
		case KMLN_NODE_INCLUDE:
			write_pair(w, n, depth, "include", include, 0);
			break;
		case KMLN_NODE_ITEM:
		case KMLN_NODE_BLOCK:
			write_words(w, n, inside, depth);
			break;
		}
	}
}

int kmln_xml_print(struct kmln_buf *out, const struct kmln_syntax *syntax, struct kmln_error *err)
{
	static const struct kmln_xml_inside root = {.block = KMLN_BLOCK_FILE};
	struct writer w = {.out = out};

	kmln_buf_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
			  "<!DOCTYPE " KMLN_XML_ROOT " PUBLIC \"" KMLN_XML_PUBLIC_ID
			  "\" \"" KMLN_XML_SYSTEM_ID "\">\n<" KMLN_XML_ROOT
			  " format=\"" KMLN_XML_FORMAT "\">\n");
	write_children(&w, syntax->root, &root, 1);
	kmln_buf_str(out, "</" KMLN_XML_ROOT ">\n");
	if (w.unknown)
		return kmln_fail(err, KMLN_EINVALID, "no XML for `%s`",
			w.unknown->count ? w.unknown->words[0].text : "");
	return 0;
}
