// SPDX-License-Identifier: GPL-2.0-or-later
/* The rules of the XML notation. */
#include "project/xml-names.h"

#include <stdio.h>
#include <string.h>

#define GROUP_SUFFIX "-group"
#define VARIABLES_IN \
	(KMLN_IN(GLOBAL) | KMLN_IN(SWITCH) | KMLN_IN_MACHINE | KMLN_IN(NETWORK) | KMLN_IN(AUTOENUM))
#define INCLUDES_IN (VARIABLES_IN | KMLN_IN(FILE) | KMLN_IN(KVM))

unsigned kmln_xml_columns(const struct kmln_keyword *keyword)
{
	unsigned n = 0;

	while (keyword->columns && keyword->columns[n].name)
		n++;
	return n;
}

bool kmln_xml_is_attribute(const struct kmln_keyword *keyword)
{
	if (keyword->shape == KMLN_SHAPE_FLAG)
		return true;
	return keyword->shape == KMLN_SHAPE_VALUE && !keyword->repeated &&
	       kmln_xml_columns(keyword) == 1;
}

const struct kmln_column *kmln_xml_row_columns(const struct kmln_xml_element *element)
{
	if (element->form == KMLN_XML_MEMBER)
		return kmln_group_columns;
	if (element->form == KMLN_XML_ROW)
		return element->keyword->columns;
	if (element->form == KMLN_XML_KEYWORD && element->keyword->shape == KMLN_SHAPE_VALUE)
		return element->keyword->columns;
	return NULL;
}

/* What is being told of one place. */
struct telling {
	bool (*each)(void *data, const struct kmln_xml_element *element);
	void *data;
	const char *wanted; /* NULL: all */
	bool go_on;
};

static void tell(struct telling *telling, enum kmln_xml_form form,
	const struct kmln_keyword *keyword, const char *name, const char *suffix)
{
	struct kmln_xml_element element = {.form = form, .keyword = keyword};

	if (!telling->go_on || (telling->wanted && telling->wanted[0] != name[0]))
		return;
	snprintf(element.name, sizeof(element.name), "%s%s", name, suffix);
	telling->go_on = telling->each(telling->data, &element);
}

static void tell_rows(struct telling *telling, const struct kmln_keyword *of)
{
	if (of && of->row)
		tell(telling, KMLN_XML_ROW, of, of->row, "");
	else
		tell(telling, KMLN_XML_MEMBER, NULL, "member", "");
	tell(telling, KMLN_XML_INCLUDE, NULL, "include", "");
}

/* The inside of a group: what its keyword stands for. */
static void tell_named(struct telling *telling, enum kmln_block group)
{
	for (const struct kmln_keyword *k = NULL; (k = kmln_keyword_next(k));)
		if (k->grouped == group && k->named)
			tell(telling, KMLN_XML_NAMED, k, k->name, "");
	tell(telling, KMLN_XML_INCLUDE, NULL, "include", "");
}

static void tell_keywords(struct telling *telling, const struct kmln_xml_inside *inside)
{
	for (const struct kmln_keyword *k = NULL; (k = kmln_keyword_next(k));) {
		bool list = k->shape == KMLN_SHAPE_ROWS || k->shape == KMLN_SHAPE_LINES;

		if (!(k->in & (1u << inside->block)) || k->standing == KMLN_STANDING_REFUSED ||
			kmln_xml_is_attribute(k) || (inside->replace && !list))
			continue;
		tell(telling, KMLN_XML_KEYWORD, k, k->name, "");
		if (k->grouped)
			tell(telling, KMLN_XML_GROUP, k, k->name, GROUP_SUFFIX);
	}
}

/* What stands in blocks beside keywords. */
static void tell_common(struct telling *telling, const struct kmln_xml_inside *inside)
{
	unsigned in = 1u << inside->block;

	if (inside->replace)
		return;
	if (in & VARIABLES_IN)
		tell(telling, KMLN_XML_VARIABLE, NULL, "variable", "");
	if (in & INCLUDES_IN)
		tell(telling, KMLN_XML_INCLUDE, NULL, "include", "");
	if (in & (KMLN_IN_MACHINE | KMLN_IN(NETWORK)))
		tell(telling, KMLN_XML_REMOVE, NULL, KMLN_WORD_REMOVE, "");
	if (in & KMLN_IN_MACHINE)
		tell(telling, KMLN_XML_REPLACE, NULL, KMLN_WORD_REPLACE, "");
}

static void tell_all(struct telling *telling, const struct kmln_xml_inside *inside)
{
	switch (inside->block) {
	case KMLN_BLOCK_LINES:
		tell(telling, KMLN_XML_LINE, NULL, "line", "");
		break;
	case KMLN_BLOCK_ROWS:
		tell_rows(telling, inside->keyword);
		break;
	case KMLN_BLOCK_GROUPS:
		tell(telling, KMLN_XML_USERS, NULL, "group", "");
		tell(telling, KMLN_XML_INCLUDE, NULL, "include", "");
		break;
	case KMLN_BLOCK_SWITCHES:
	case KMLN_BLOCK_HOSTS:
	case KMLN_BLOCK_SUPERCLASSES:
		tell_named(telling, inside->block);
		break;
	default:
		tell_common(telling, inside);
		tell_keywords(telling, inside);
	}
}

void kmln_xml_elements(const struct kmln_xml_inside *inside,
	bool (*each)(void *data, const struct kmln_xml_element *element), void *data)
{
	struct telling telling = {.each = each, .data = data, .go_on = true};

	tell_all(&telling, inside);
}

struct search {
	const char *name;
	struct kmln_xml_element *element;
	bool found;
};

static bool search_one(void *data, const struct kmln_xml_element *element)
{
	struct search *search = data;

	if (!kmln_eq(search->name, element->name))
		return true;
	*search->element = *element;
	search->found = true;
	return false;
}

bool kmln_xml_find(
	const struct kmln_xml_inside *inside, const char *name, struct kmln_xml_element *element)
{
	struct search search = {.name = name, .element = element};
	struct telling telling = {
		.each = search_one, .data = &search, .wanted = name, .go_on = true};

	tell_all(&telling, inside);
	return search.found;
}

bool kmln_xml_opens(const struct kmln_xml_element *element, const struct kmln_xml_inside *from,
	struct kmln_xml_inside *inside)
{
	const struct kmln_keyword *k = element->keyword;

	*inside = (struct kmln_xml_inside){.block = KMLN_BLOCK_KINDS};
	switch (element->form) {
	case KMLN_XML_KEYWORD:
		if (k->shape < KMLN_SHAPE_ROWS)
			return false;
		inside->block = k->opens;
		inside->keyword = k->shape == KMLN_SHAPE_ROWS ? k : NULL;
		return true;
	case KMLN_XML_GROUP:
		inside->block = k->grouped;
		return true;
	case KMLN_XML_NAMED:
		inside->block = k->opens;
		return true;
	case KMLN_XML_USERS:
		inside->block = KMLN_BLOCK_ROWS;
		return true;
	case KMLN_XML_REPLACE:
		inside->block = from->block;
		inside->replace = true;
		return true;
	default:
		return false;
	}
}

bool kmln_xml_has_name(const struct kmln_xml_element *element)
{
	return element->form == KMLN_XML_NAMED || element->form == KMLN_XML_USERS ||
	       (element->form == KMLN_XML_KEYWORD && element->keyword->named);
}

const struct kmln_keyword *kmln_xml_attribute_next(
	enum kmln_block block, const struct kmln_keyword *keyword)
{
	while ((keyword = kmln_keyword_next(keyword)))
		if (keyword->in & (1u << block) && keyword->standing != KMLN_STANDING_REFUSED &&
			kmln_xml_is_attribute(keyword))
			return keyword;
	return NULL;
}
