// SPDX-License-Identifier: GPL-2.0-or-later
/* A scanner of documents that are known to be well-formed; of others it reads the beginning. */
#include "project/xml-place.h"

#include <string.h>
#include <strings.h>

struct scanner {
	const struct kmln_source *source;
	const char *at, *line_start;
	uint32_t line;
};

static struct scanner start(const struct kmln_source *source)
{
	struct scanner scanner = {
		.source = source, .at = source->text, .line_start = source->text, .line = 1};

	if (kmln_starts(scanner.at, "\xef\xbb\xbf"))
		scanner.at += 3;
	return scanner;
}

static void go_to(struct scanner *scanner, const char *to)
{
	for (; scanner->at < to; scanner->at++)
		if (*scanner->at == '\n') {
			scanner->line++;
			scanner->line_start = scanner->at + 1;
		}
}

/* Behind the next `end`, or at the end of the text. */
static void go_behind(struct scanner *scanner, const char *end)
{
	const char *p = scanner->at;

	/* no strstr(): a sanitizer's measures all of the text each time */
	while (*p && !kmln_starts(p, end))
		p++;
	go_to(scanner, *p ? p + strlen(end) : p);
}

static void blanks(struct scanner *scanner)
{
	go_to(scanner, scanner->at + strspn(scanner->at, " \t\r\n"));
}

/* From the scanner's place up to `to`, or to the end of the line. */
static struct kmln_place place(const struct scanner *scanner, const char *to)
{
	const char *newline = memchr(scanner->at, '\n', (size_t)(to - scanner->at));

	return (struct kmln_place){
		.source = scanner->source,
		.line = scanner->line,
		.column = (uint32_t)(scanner->at - scanner->line_start) + 1,
		.length = (uint32_t)((newline ? newline : to) - scanner->at),
	};
}

/* Steps over a DOCTYPE, quotes and all; true at a [ in it. */
static bool over_doctype(struct scanner *scanner)
{
	while (*scanner->at && *scanner->at != '>' && *scanner->at != '[') {
		const char *quote = *scanner->at == '"' || *scanner->at == '\''
					    ? strchr(scanner->at + 1, *scanner->at)
					    : NULL;

		go_to(scanner, (quote ? quote : scanner->at) + 1);
	}
	return *scanner->at == '[';
}

/* Steps over one thing that is no tag: a comment and the like. False: it is none. */
static bool over_other(struct scanner *scanner)
{
	const char *p = scanner->at;

	if (kmln_starts(p, "<!--")) {
		go_to(scanner, p + 4);
		go_behind(scanner, "-->");
	} else if (kmln_starts(p, "<![CDATA[")) {
		go_behind(scanner, "]]>");
	} else if (kmln_starts(p, "<?")) {
		go_behind(scanner, "?>");
	} else if (kmln_starts(p, "<!")) {
		over_doctype(scanner);
		go_behind(scanner, ">");
	} else if (kmln_starts(p, "</")) {
		go_behind(scanner, ">");
	} else {
		return false;
	}
	return true;
}

/* <?xml version="1.0" encoding="X"?>: anything may follow `encoding` but another encoding. */
static bool good_encoding(struct scanner *scanner, struct kmln_place *at)
{
	static const char *const good[] = {"utf-8", "us-ascii", "ascii"};
	const char *end, *p;

	if (!kmln_starts(scanner->at, "<?xml") || !strchr(" \t\r\n", scanner->at[5]))
		return true;
	end = strstr(scanner->at, "?>");
	p = strstr(scanner->at, "encoding");
	if (!end || !p || p > end)
		return true;
	go_to(scanner, p + 8);
	blanks(scanner);
	if (*scanner->at != '=')
		return true;
	go_to(scanner, scanner->at + 1);
	blanks(scanner);
	p = strpbrk(scanner->at + 1, "\"'?");
	if (!p || (*scanner->at != '"' && *scanner->at != '\''))
		return true;
	scanner->at++;
	for (size_t i = 0; i < KMLN_COUNT(good); i++)
		if (strncasecmp(scanner->at, good[i], strlen(good[i])) == 0 &&
			scanner->at + strlen(good[i]) == p)
			return true;
	*at = place(scanner, p);
	return false;
}

enum kmln_xml_prolog kmln_xml_prolog(const struct kmln_source *source, struct kmln_place *at)
{
	struct scanner scanner = start(source);

	if (!good_encoding(&scanner, at))
		return KMLN_XML_PROLOG_ENCODING;
	scanner = start(source);
	for (;;) {
		blanks(&scanner);
		if (kmln_starts(scanner.at, "<!DOCTYPE")) {
			if (!over_doctype(&scanner))
				return KMLN_XML_PROLOG_FINE;
			*at = place(&scanner, scanner.at + 1);
			return KMLN_XML_PROLOG_SUBSET;
		}
		if (!over_other(&scanner))
			return KMLN_XML_PROLOG_FINE;
	}
}

bool kmln_xml_short_tags(const struct kmln_source *source, size_t most, struct kmln_place *at)
{
	struct scanner scanner = start(source);

	for (;;) {
		const char *next;

		go_to(&scanner, scanner.at + strcspn(scanner.at, "<"));
		if (!*scanner.at)
			return true;
		if (over_other(&scanner))
			continue;
		/* no value may hold a < */
		next = scanner.at + 1 + strcspn(scanner.at + 1, "<");
		if ((size_t)(next - scanner.at) > most) {
			*at = place(&scanner, scanner.at + 1);
			return false;
		}
		go_to(&scanner, next);
	}
}

/* One attribute of a start tag; false at the end of the tag. */
static bool scan_attribute(struct scanner *scanner, struct kmln_xml_place *found, bool *namespace)
{
	const char *p;

	blanks(scanner);
	p = scanner->at;
	if (!*p || *p == '>' || *p == '/')
		return false;
	*namespace = kmln_starts(p, "xmlns") && (p[5] == ':' || strchr("= \t\r\n", p[5]));
	p += strcspn(p, "= \t\r\n");
	found->name = place(scanner, p);
	go_to(scanner, p);
	blanks(scanner);
	if (*scanner->at == '=')
		go_to(scanner, scanner->at + 1);
	blanks(scanner);
	if (*scanner->at != '"' && *scanner->at != '\'')
		return false;
	p = strchr(scanner->at + 1, *scanner->at);
	if (!p)
		return false;
	scanner->at++;
	found->value = place(scanner, p);
	go_to(scanner, p + 1);
	return true;
}

static void place_attributes(struct scanner *scanner, struct kmln_pool *pool, xmlNodePtr element)
{
	struct kmln_xml_place found;
	xmlAttrPtr attribute = element->properties;
	bool namespace;

	while (scan_attribute(scanner, &found, &namespace)) {
		if (namespace || !attribute)
			continue;
		attribute->_private = kmln_pool_memdup(pool, &found, sizeof(found));
		attribute = attribute->next;
	}
}

/* The scanner goes to the next start tag and over it. */
static bool place_element(struct scanner *scanner, struct kmln_pool *pool, xmlNodePtr element)
{
	struct kmln_xml_place *found = kmln_pool_alloc(pool, sizeof(*found));
	const char *p;

	do {
		go_to(scanner, scanner->at + strcspn(scanner->at, "<"));
		if (!*scanner->at)
			return false;
	} while (over_other(scanner));
	scanner->at++;
	p = scanner->at + strcspn(scanner->at, " \t\r\n/>");
	found->name = place(scanner, p);
	go_to(scanner, p);
	element->_private = found;
	place_attributes(scanner, pool, element);
	go_to(scanner, scanner->at + strcspn(scanner->at, ">"));
	if (*scanner->at)
		scanner->at++;
	found->value = place(scanner, scanner->at + strcspn(scanner->at, "<"));
	return true;
}

/* The next element in the order of the document. */
static xmlNodePtr next_element(xmlNodePtr node)
{
	xmlNodePtr below = xmlFirstElementChild(node);

	if (below)
		return below;
	while (node && node->type == XML_ELEMENT_NODE) {
		xmlNodePtr beside = xmlNextElementSibling(node);

		if (beside)
			return beside;
		node = node->parent;
	}
	return NULL;
}

void kmln_xml_place_all(
	struct kmln_pool *pool, const struct kmln_source *source, xmlDocPtr document)
{
	struct scanner scanner = start(source);
	xmlNodePtr node = xmlDocGetRootElement(document);

	while (node && place_element(&scanner, pool, node))
		node = next_element(node);
}

struct kmln_xml_place kmln_xml_place_of(const struct kmln_source *source, const xmlNode *node)
{
	while (node && node->type != XML_DOCUMENT_NODE) {
		if ((node->type == XML_ELEMENT_NODE || node->type == XML_ATTRIBUTE_NODE) &&
			node->_private)
			return *(const struct kmln_xml_place *)node->_private;
		node = node->parent;
	}
	return (struct kmln_xml_place){.name = {.source = source, .line = 1, .column = 1}};
}
