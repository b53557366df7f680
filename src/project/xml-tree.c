// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A document's tree as a project's. Only the outermost shape is looked at here: which elements and
 * attributes may stand where. Whether words are right is for shape.c to say, as of text; so the
 * mistakes told here are exactly those that the DTD knows, and those that no text could make.
 */
#include "project/xml-tree.h"

#include <stdarg.h>
#include <string.h>

#include "base/nearest.h"
#include "project/lex.h"
#include "project/shape.h"
#include "project/xml-names.h"
#include "project/xml-place.h"
#include "project/xml.h"

static void read_children(struct kmln_xml_reader *r, const xmlNode *element,
	struct kmln_node *block, const struct kmln_xml_inside *inside);

void kmln_xml_invalid(
	struct kmln_xml_reader *r, const char *code, struct kmln_place at, const char *fmt, ...)
{
	va_list args;
	KMLN_BUF struct kmln_buf text = {0};

	va_start(args, fmt);
	kmln_buf_vprintf(&text, fmt, args);
	va_end(args);
	kmln_report_error(r->report, code, at, "%s", text.data);
	r->invalid++;
}

static struct kmln_xml_place place_of(const struct kmln_xml_reader *r, const xmlNode *node)
{
	return kmln_xml_place_of(r->source, node);
}

/* --- attributes */

/* The attributes of an element that have been asked for. */
static const xmlAttr *find_attribute(const xmlNode *element, const char *name)
{
	for (const xmlAttr *a = element->properties; a; a = a->next)
		if (!a->ns && kmln_eq((const char *)a->name, name))
			return a;
	return NULL;
}

static bool take_attribute(struct kmln_xml_reader *r, const xmlNode *element,
	struct kmln_node *node, const char *name, bool needed)
{
	const xmlAttr *attribute = find_attribute(element, name);
	KMLN_FREE char *text = NULL;

	if (!attribute) {
		if (needed) {
			kmln_xml_invalid(r, "xml-attribute", place_of(r, element).name,
				"<%s> needs the attribute `%s`", kmln_xml_name(r, element), name);
			node->broken = true;
		}
		return false;
	}
	text = kmln_xml_content(
		r, (const xmlNode *)attribute, place_of(r, (const xmlNode *)attribute).value);
	kmln_xml_add_word(r, node, text, place_of(r, (const xmlNode *)attribute).value);
	return true;
}

static void unknown_attribute(struct kmln_xml_reader *r, const xmlNode *element,
	const xmlAttr *attribute, enum kmln_block block, const char *const *known)
{
	const char *name = (const char *)attribute->name;
	struct kmln_nearest nearest = {.word = name};
	const struct kmln_keyword *keyword = NULL;

	for (; known && *known; known++)
		kmln_nearest_offer(&nearest, *known);
	while ((keyword = kmln_xml_attribute_next(block, keyword)))
		kmln_nearest_offer(&nearest, keyword->name);
	kmln_xml_invalid(r, "xml-attribute", place_of(r, (const xmlNode *)attribute).name,
		"<%s> has no attribute `%s`", kmln_xml_name(r, element), name);
	kmln_report_suggest(r->report, nearest.name);
	keyword = kmln_keyword_find(block, name, false);
	if (keyword && keyword->standing == KMLN_STANDING_REFUSED)
		kmln_report_note(r->report, (struct kmln_place){0}, "`%s` is not supported: %s",
			name, keyword->why);
	else if (keyword)
		kmln_report_note(r->report, (struct kmln_place){0}, "it is an element: <%s>", name);
}

/* Reports all attributes but `known`, a list that ends in NULL; of a block also its keywords. */
static void check_attributes(struct kmln_xml_reader *r, const xmlNode *element,
	enum kmln_block block, const char *const *known)
{
	for (const xmlNs *ns = element->nsDef; ns; ns = ns->next)
		kmln_xml_invalid(r, "xml-attribute", place_of(r, element).name,
			"<%s> stands in a name space; kmln's elements are in none",
			kmln_xml_name(r, element));
	for (const xmlAttr *a = element->properties; a; a = a->next) {
		const char *const *k = known;
		const struct kmln_keyword *keyword =
			kmln_keyword_find(block, (const char *)a->name, false);

		while (k && *k && !kmln_eq(*k, (const char *)a->name))
			k++;
		if (a->ns || !((k && *k) || (keyword && kmln_xml_is_attribute(keyword) &&
						    keyword->standing != KMLN_STANDING_REFUSED)))
			unknown_attribute(r, element, a, block, known);
	}
}

/* The keywords among a block's attributes, as items of the block. */
static void read_attributes(struct kmln_xml_reader *r, const xmlNode *element,
	struct kmln_node *block, enum kmln_block in)
{
	for (const xmlAttr *a = element->properties; a; a = a->next) {
		const xmlNode *attribute = (const xmlNode *)a;
		const struct kmln_keyword *keyword =
			a->ns ? NULL : kmln_keyword_find(in, (const char *)a->name, false);
		const struct kmln_xml_place at = place_of(r, attribute);
		KMLN_FREE char *text = NULL;
		struct kmln_node *node;

		if (!keyword || !kmln_xml_is_attribute(keyword) ||
			keyword->standing == KMLN_STANDING_REFUSED)
			continue;
		node = kmln_syntax_node(r->syntax, block, KMLN_NODE_ITEM);
		if (!node)
			return;
		kmln_xml_add_name(r, node, keyword->name, at.name);
		text = kmln_xml_content(r, attribute, at.value);
		if (keyword->shape == KMLN_SHAPE_FLAG) {
			if (!kmln_eq(text, "on"))
				kmln_xml_add_word(r, node, text, at.value);
		} else if (keyword->columns[0].rest) {
			kmln_xml_add_list(r, node, text, at.value);
		} else if (*text || !keyword->columns[0].optional) {
			kmln_xml_add_word(r, node, text, at.value);
		}
	}
}

/* --- elements */

static void no_text(struct kmln_xml_reader *r, const xmlNode *element, const xmlNode *node)
{
	bool is_text = node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE;
	const char *text = is_text ? (const char *)node->content : NULL;

	if (node->type == XML_ENTITY_REF_NODE) {
		kmln_report_error(r->report, "xml-entity", place_of(r, element).name,
			"documents have no entities of their own: `&%s;`",
			(const char *)node->name);
		return;
	}
	if (text && text[strspn(text, " \t\r\n")])
		kmln_xml_invalid(r, "xml-text", place_of(r, element).name,
			"<%s> holds elements only, and no text", kmln_xml_name(r, element));
}

/* An element that holds words or nothing: other elements in it are none of it. */
static void no_elements(struct kmln_xml_reader *r, const xmlNode *element, bool text)
{
	for (const xmlNode *n = element->children; n; n = n->next) {
		bool blank = n->type == XML_TEXT_NODE || n->type == XML_CDATA_SECTION_NODE;

		if (n->type == XML_ELEMENT_NODE)
			kmln_xml_invalid(r, "xml-element", place_of(r, n).name,
				"<%s> cannot stand in <%s>", kmln_xml_name(r, n),
				kmln_xml_name(r, element));
		else if (!text && (blank || n->type == XML_ENTITY_REF_NODE))
			kmln_xml_invalid(r, "xml-text", place_of(r, element).name,
				"<%s> holds nothing", kmln_xml_name(r, element));
	}
}

static void read_line(struct kmln_xml_reader *r, const xmlNode *element, struct kmln_node *node)
{
	const struct kmln_place at = place_of(r, element).value;
	KMLN_FREE char *text = kmln_xml_content(r, element, at);
	size_t from = strspn(text, " \t"), to = strlen(text);

	while (to > from && strchr(" \t", text[to - 1]))
		to--;
	text[to] = '\0';
	if (!kmln_xml_good_bytes(r, text, at))
		text[from = 0] = '\0';
	node->indent = from ? kmln_pool_memdup(r->syntax->pool, text, from) : NULL;
	kmln_xml_add_raw(r, node, text + from, strlen(text + from), at, true);
	check_attributes(r, element, KMLN_BLOCK_KINDS, NULL);
	no_elements(r, element, true);
}

/* Words as columns. */
static void read_row(struct kmln_xml_reader *r, const xmlNode *element, struct kmln_node *node,
	const struct kmln_column *columns)
{
	const char *known[16] = {NULL}, *missing = NULL;
	size_t count = 0;

	if (!columns[1].name) {
		const struct kmln_place at = place_of(r, element).value;
		KMLN_FREE char *text = kmln_xml_content(r, element, at);

		if (columns->rest)
			kmln_xml_add_list(r, node, text, at);
		else
			kmln_xml_add_word(r, node, text, at);
		check_attributes(r, element, KMLN_BLOCK_KINDS, NULL);
		no_elements(r, element, true);
		return;
	}
	for (; columns->name && count + 1 < KMLN_COUNT(known); columns++) {
		const xmlNode *a = (const xmlNode *)find_attribute(element, columns->name);

		known[count++] = columns->name;
		if (a && missing)
			kmln_report_error(r->report, "missing-value", place_of(r, a).name,
				"`%s` needs `%s` as well", columns->name, missing);
		if (a && columns->rest) {
			KMLN_FREE char *text = kmln_xml_content(r, a, place_of(r, a).value);

			kmln_xml_add_list(r, node, text, place_of(r, a).value);
		} else if (!take_attribute(r, element, node, columns->name, !columns->optional)) {
			missing = missing ? missing : columns->name;
		}
	}
	check_attributes(r, element, KMLN_BLOCK_KINDS, known);
	no_elements(r, element, false);
}

static void read_block(struct kmln_xml_reader *r, const xmlNode *element, struct kmln_node *node,
	const struct kmln_xml_element *kind, const struct kmln_xml_inside *from)
{
	static const char *const named[] = {"name", NULL};
	struct kmln_xml_inside inside;

	kmln_xml_opens(kind, from, &inside);
	if (kmln_xml_has_name(kind))
		take_attribute(r, element, node, "name", true);
	node->opens = (unsigned char)kmln_node_opens(from->block, node);
	check_attributes(r, element, inside.block, kmln_xml_has_name(kind) ? named : NULL);
	read_attributes(r, element, node, inside.block);
	read_children(r, element, node, &inside);
}

/* <replace><users>...</users></replace> is one block. */
static void read_replace(struct kmln_xml_reader *r, const xmlNode *element,
	struct kmln_node *parent, const struct kmln_xml_inside *from)
{
	const struct kmln_xml_inside inside = {.block = from->block, .replace = true};
	struct kmln_xml_element kind;
	const xmlNode *only = NULL;
	struct kmln_node *node;
	size_t count = 0;

	check_attributes(r, element, KMLN_BLOCK_KINDS, NULL);
	for (const xmlNode *n = element->children; n; n = n->next) {
		if (n->type == XML_ELEMENT_NODE && count++ == 0)
			only = n;
		else if (n->type != XML_ELEMENT_NODE && n->type != XML_COMMENT_NODE)
			no_text(r, element, n);
	}
	if (count != 1 || !kmln_xml_find(&inside, kmln_xml_name(r, only), &kind)) {
		kmln_xml_invalid(r, "xml-element", place_of(r, only ? only : element).name,
			"<replace> holds one list or block of lines");
		return;
	}
	node = kmln_syntax_node(r->syntax, parent, KMLN_NODE_BLOCK);
	if (!node)
		return;
	node->end = place_of(r, element).name;
	kmln_xml_add_name(r, node, KMLN_WORD_REPLACE, place_of(r, element).name);
	kmln_xml_add_name(r, node, kind.name, place_of(r, only).name);
	read_block(r, only, node, &kind, &inside);
}

static void read_variable(struct kmln_xml_reader *r, const xmlNode *element, struct kmln_node *node)
{
	static const char *const known[] = {"name", "value", NULL};
	const xmlAttr *name = find_attribute(element, "name");

	take_attribute(r, element, node, "name", true);
	take_attribute(r, element, node, "value", true);
	check_attributes(r, element, KMLN_BLOCK_KINDS, known);
	no_elements(r, element, false);
	if (!name || !node->count || node->broken)
		return;
	if (kmln_variable_name(node->words[0].text) != strlen(node->words[0].text) ||
		!*node->words[0].text) {
		kmln_report_error(r->report, "bad-variable", node->words[0].at,
			"the name of a variable is letters, digits and _");
		node->broken = true;
	}
}

static void read_include(struct kmln_xml_reader *r, const xmlNode *element, struct kmln_node *node)
{
	static const char *const known[] = {"path", NULL};
	struct kmln_source *source;

	node->opens = node->parent->opens;
	take_attribute(r, element, node, "path", true);
	check_attributes(r, element, KMLN_BLOCK_KINDS, known);
	no_elements(r, element, false);
	if (node->broken || !node->count)
		return;
	if (!node->words[0].plain || !*node->words[0].text) {
		kmln_report_error(r->report, "bad-include", node->words[0].at,
			"the path of an include cannot be empty or hold variables and backslashes");
		node->broken = true;
		return;
	}
	if (!r->include)
		return;
	source = r->include(r->data, r->syntax, r->report, r->source, node->words);
	node->broken = !source;
	if (source)
		kmln_parse(r->syntax, r->report, source, node, r->include, r->data);
}

static void read_remove(struct kmln_xml_reader *r, const xmlNode *element, struct kmln_node *node)
{
	static const char *const known[] = {"keyword", "which", NULL};

	take_attribute(r, element, node, "keyword", true);
	take_attribute(r, element, node, "which", false);
	check_attributes(r, element, KMLN_BLOCK_KINDS, known);
	no_elements(r, element, false);
}

/* What a node of such an element is, and its first word where that is no name of somebody's. */
static enum kmln_node_kind node_kind(const struct kmln_xml_element *kind, const char **first)
{
	*first = NULL;
	switch (kind->form) {
	case KMLN_XML_LINE:
		return KMLN_NODE_LINE;
	case KMLN_XML_VARIABLE:
		return KMLN_NODE_VARIABLE;
	case KMLN_XML_INCLUDE:
		return KMLN_NODE_INCLUDE;
	case KMLN_XML_ROW:
	case KMLN_XML_MEMBER:
		return KMLN_NODE_ITEM;
	case KMLN_XML_NAMED:
	case KMLN_XML_USERS:
		return KMLN_NODE_BLOCK;
	case KMLN_XML_REMOVE:
		*first = kind->name;
		return KMLN_NODE_ITEM;
	default:
		*first = kind->keyword->name;
		return kmln_xml_row_columns(kind) ? KMLN_NODE_ITEM : KMLN_NODE_BLOCK;
	}
}

static void read_element(struct kmln_xml_reader *r, const xmlNode *element,
	struct kmln_node *parent, const struct kmln_xml_element *kind,
	const struct kmln_xml_inside *inside, bool blank_before)
{
	const struct kmln_column *columns = kmln_xml_row_columns(kind);
	const char *first;
	const enum kmln_node_kind as = node_kind(kind, &first);
	struct kmln_node *node = kmln_syntax_node(r->syntax, parent, as);

	if (!node)
		return;
	node->blank_before = blank_before;
	node->end = place_of(r, element).name;
	if (first)
		kmln_xml_add_name(r, node, first, place_of(r, element).name);
	if (as == KMLN_NODE_LINE)
		read_line(r, element, node);
	else if (as == KMLN_NODE_VARIABLE)
		read_variable(r, element, node);
	else if (as == KMLN_NODE_INCLUDE)
		read_include(r, element, node);
	else if (kind->form == KMLN_XML_REMOVE)
		read_remove(r, element, node);
	else if (columns)
		read_row(r, element, node, columns);
	else
		read_block(r, element, node, kind, inside);
}

/* What an element's name may have been meant to be. */
struct guess {
	struct kmln_nearest nearest;
	struct kmln_pool *pool;
};

static bool offer(void *data, const struct kmln_xml_element *element)
{
	struct guess *guess = data;

	kmln_nearest_offer(&guess->nearest, kmln_pool_strdup(guess->pool, element->name));
	return true;
}

static void unknown_element(struct kmln_xml_reader *r, const xmlNode *parent,
	const xmlNode *element, const struct kmln_xml_inside *inside)
{
	struct guess guess = {{.word = kmln_xml_name(r, element)}, r->syntax->pool};
	const struct kmln_keyword *keyword;

	kmln_xml_elements(inside, offer, &guess);
	kmln_xml_invalid(r, "xml-element", place_of(r, element).name, "<%s> cannot stand in <%s>",
		kmln_xml_name(r, element), kmln_xml_name(r, parent));
	keyword = kmln_keyword_find(inside->block, guess.nearest.word, true);
	if (keyword && keyword->standing == KMLN_STANDING_REFUSED)
		kmln_report_note(r->report, (struct kmln_place){0}, "`%s` is not supported: %s",
			keyword->name, keyword->why);
	else if (keyword && kmln_xml_is_attribute(keyword))
		kmln_report_note(r->report, (struct kmln_place){0},
			"it is an attribute: %s=\"...\"", keyword->name);
	else
		kmln_report_suggest(r->report, guess.nearest.name);
}

/* <!-- text --> -> "# text", a comment for each of its lines. */
static void read_comment(
	struct kmln_xml_reader *r, const xmlNode *comment, struct kmln_node *parent, bool blank)
{
	const char *text = (const char *)comment->content;

	while (text) {
		size_t n = strcspn(text, "\n"), used = n;
		struct kmln_node *node = kmln_syntax_node(r->syntax, parent, KMLN_NODE_COMMENT);

		if (!node)
			return;
		while (used && strchr(" \t\r", text[used - 1]))
			used--;
		node->comment = kmln_pool_printf(r->syntax->pool, "#%.*s", (int)used, text);
		node->blank_before = blank;
		blank = false;
		text = text[n] ? text + n + 1 : NULL;
	}
}

/* Whether an empty line stands before what follows. */
static bool blank_line(const xmlNode *node)
{
	const char *p = node ? (const char *)node->content : NULL;
	size_t lines = 0;

	for (; p && *p; p++)
		lines += *p == '\n';
	return lines > 1;
}

/* A line without anything in it is an empty line before the next one, as in text. */
static bool empty_line(
	struct kmln_xml_reader *r, const xmlNode *element, const struct kmln_xml_element *kind)
{
	KMLN_FREE char *text = NULL;

	if (kind->form != KMLN_XML_LINE)
		return false;
	for (const xmlNode *n = element->children; n; n = n->next)
		if (n->type == XML_ENTITY_REF_NODE)
			return false;
	text = kmln_xml_content(r, element, place_of(r, element).value);
	if (text[strspn(text, " \t")])
		return false;
	check_attributes(r, element, KMLN_BLOCK_KINDS, NULL);
	no_elements(r, element, true);
	return true;
}

static void read_children(struct kmln_xml_reader *r, const xmlNode *element,
	struct kmln_node *block, const struct kmln_xml_inside *inside)
{
	const xmlNode *space = NULL;
	bool empty = false;

	for (const xmlNode *n = element->children; n && !r->syntax->full; n = n->next) {
		bool blank = block->last && (blank_line(space) || empty);
		struct kmln_xml_element kind;

		space = NULL;
		if (n->type == XML_COMMENT_NODE) {
			read_comment(r, n, block, blank);
		} else if (n->type != XML_ELEMENT_NODE) {
			no_text(r, element, n);
			space = n->type == XML_TEXT_NODE ? n : NULL;
		} else if (!kmln_xml_find(inside, kmln_xml_name(r, n), &kind)) {
			unknown_element(r, element, n, inside);
		} else if (empty_line(r, n, &kind)) {
			empty = true;
			continue;
		} else if (kind.form == KMLN_XML_REPLACE) {
			read_replace(r, n, block, inside);
		} else {
			read_element(r, n, block, &kind, inside, blank);
		}
		empty = empty && n->type == XML_TEXT_NODE;
	}
	if (r->syntax->full)
		kmln_report_error(r->report, "too-many", place_of(r, element).name,
			"the project is too big: at most %u items with %u words", KMLN_NODES_MAX,
			KMLN_WORDS_MAX);
}

void kmln_xml_tree(struct kmln_xml_reader *r, const xmlNode *root, struct kmln_node *parent)
{
	static const struct kmln_xml_inside file = {.block = KMLN_BLOCK_FILE};
	static const char *const known[] = {"format", NULL};
	const xmlAttr *format = find_attribute(root, "format");

	if (!kmln_eq(kmln_xml_name(r, root), KMLN_XML_ROOT)) {
		kmln_xml_invalid(r, "xml-root", place_of(r, root).name,
			"the root of a project is <%s>, not <%s>", KMLN_XML_ROOT,
			kmln_xml_name(r, root));
		return;
	}
	check_attributes(r, root, KMLN_BLOCK_KINDS, known);
	if (!format) {
		kmln_xml_invalid(r, "xml-attribute", place_of(r, root).name,
			"<%s> needs the attribute `format`, which is \"%s\"", KMLN_XML_ROOT,
			KMLN_XML_FORMAT);
	} else {
		const struct kmln_place at = place_of(r, (const xmlNode *)format).value;
		KMLN_FREE char *text = kmln_xml_content(r, (const xmlNode *)format, at);

		if (!kmln_eq(text, KMLN_XML_FORMAT))
			kmln_xml_invalid(r, "xml-attribute", at,
				"this version of kmln knows format %s", KMLN_XML_FORMAT);
	}
	read_children(r, root, parent, &file);
}
