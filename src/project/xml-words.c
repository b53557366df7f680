// SPDX-License-Identifier: GPL-2.0-or-later
/* The words of a document, as text has them between double quotes: what no text can hold is refused
 * here. */
#include <string.h>

#include "base/utf8.h"
#include "project/xml-tree.h"

/* An element's name with its prefix, which none of ours has. */
const char *kmln_xml_name(struct kmln_xml_reader *r, const xmlNode *node)
{
	if (!node->ns || !node->ns->prefix)
		return (const char *)node->name;
	return kmln_pool_printf(
		r->syntax->pool, "%s:%s", (const char *)node->ns->prefix, (const char *)node->name);
}

/* Bytes that got in by character references, which no text can hold. */
bool kmln_xml_good_bytes(struct kmln_xml_reader *r, const char *text, struct kmln_place at)
{
	for (const char *p = text; *p;) {
		size_t n = *p == '\t' ? 1 : kmln_utf8_printable(p);

		if (!n) {
			kmln_report_error(r->report, "bad-byte", at,
				*p == '\n' ? "a line end inside a word"
					   : "control character: \\x%02x",
				(unsigned char)*p);
			return false;
		}
		p += n;
	}
	if (strlen(text) <= KMLN_LINE_MAX)
		return true;
	kmln_report_error(r->report, "too-long", at, "a word of %zu bytes: the limit is %u",
		strlen(text), KMLN_LINE_MAX);
	return false;
}

/* Each $[ must be a variable, as in text. */
static void check_variables(struct kmln_xml_reader *r, const char *text, struct kmln_place at)
{
	for (const char *p = text; (p = strpbrk(p, "\\$")); p++) {
		size_t n;

		if (*p == '\\' && p[1]) {
			p++;
			continue;
		}
		n = p[0] == '$' && p[1] == '[' ? kmln_variable_name(p + 2) : 1;
		if (!n || (p[0] == '$' && p[1] == '[' && p[2 + n] != ']')) {
			kmln_report_error(r->report, "bad-variable", at,
				"$[ begins a variable, like $[name]; a dollar sign alone is \\$");
			return;
		}
	}
}

void kmln_xml_add_raw(struct kmln_xml_reader *r, struct kmln_node *node, const char *text,
	size_t size, struct kmln_place at, bool line)
{
	struct kmln_word *word =
		r->syntax->full ? NULL : kmln_syntax_word(r->syntax, node, text, size, at);

	if (word)
		word->line = line;
}

/* What text has between quotes: a quote alone and a backslash at the end need one before them. */
void kmln_xml_add_word(
	struct kmln_xml_reader *r, struct kmln_node *node, const char *text, struct kmln_place at)
{
	KMLN_BUF struct kmln_buf content = {0};

	if (!kmln_xml_good_bytes(r, text, at)) {
		text = "";
		node->broken = true;
	}
	check_variables(r, text, at);
	kmln_buf_add(&content, "", 0);
	for (const char *p = text; *p; p++) {
		if (*p == '\\' && p[1]) {
			kmln_buf_add(&content, p++, 1);
		} else if (*p == '\\' || *p == '"') {
			kmln_buf_str(&content, "\\");
		}
		kmln_buf_add(&content, p, 1);
	}
	kmln_xml_add_raw(r, node, content.data, content.size, at, false);
}

void kmln_xml_add_name(
	struct kmln_xml_reader *r, struct kmln_node *node, const char *name, struct kmln_place at)
{
	kmln_xml_add_raw(r, node, name, strlen(name), at, false);
}

/* A list: words with blanks between them, in double quotes where they hold some. */
void kmln_xml_add_list(
	struct kmln_xml_reader *r, struct kmln_node *node, const char *text, struct kmln_place at)
{
	bool exact = at.length == strlen(text);
	const char *p = text + strspn(text, " \t\n\r");

	while (*p) {
		bool quoted = *p == '"';
		const char *from = p + quoted, *to = from;
		KMLN_FREE char *word = NULL;
		struct kmln_place there = at;

		while (*to && !(quoted ? *to == '"' : !!strchr(" \t\n\r", *to)))
			to += quoted && *to == '\\' && to[1] ? 2 : 1;
		if (exact) {
			there.column += (uint32_t)(from - text);
			there.length = (uint32_t)(to - from);
		}
		word = kmln_printf("%.*s", (int)(to - from), from);
		kmln_xml_add_word(r, node, word, there);
		p = to + (quoted && *to);
		p += strspn(p, " \t\n\r");
	}
}

/* The text of an attribute or element; it may hold no reference to an entity. */
char *kmln_xml_content(struct kmln_xml_reader *r, const xmlNode *node, struct kmln_place at)
{
	xmlChar *content = NULL;
	char *text;

	for (const xmlNode *child = node->children; child; child = child->next)
		if (child->type == XML_ENTITY_REF_NODE) {
			kmln_report_error(r->report, "xml-entity", at,
				"documents have no entities of their own: `&%s;`",
				(const char *)child->name);
			return kmln_strdup("");
		}
	content = xmlNodeGetContent(node);
	text = kmln_strdup(content ? (const char *)content : "");
	xmlFree(content);
	return text;
}
