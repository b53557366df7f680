/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which elements and attributes there are: the rules by which the table of words becomes XML, in
 * one place for the reader, the writer and the DTD.
 *
 *     FLAG, VALUE of one word            an attribute of the block
 *     VALUE of several, or repeated      an element: an attribute a column, or, with one
 *                                        column, its text
 *     ROWS                               an element that holds an element `row` for each
 *     LINES                              an element that holds a `line` for each
 *     BLOCK                              an element; a name is its attribute `name`
 *     BLOCK without a name               `host-group`, which holds elements `host`
 */
#ifndef KMLN_PROJECT_XML_NAMES_H
#define KMLN_PROJECT_XML_NAMES_H

#include "project/words.h"

#define KMLN_XML_ROOT "project"

enum kmln_xml_form {
	KMLN_XML_KEYWORD, /* an element that is called as its keyword */
	KMLN_XML_GROUP, /* of a keyword: "host-group" */
	KMLN_XML_NAMED, /* what stands in there */
	KMLN_XML_ROW,
	KMLN_XML_LINE,
	KMLN_XML_USERS, /* one group of `groups` */
	KMLN_XML_MEMBER, /* a row of that */
	KMLN_XML_VARIABLE,
	KMLN_XML_INCLUDE,
	KMLN_XML_REMOVE,
	KMLN_XML_REPLACE,
};

struct kmln_xml_element {
	char name[40];
	enum kmln_xml_form form;
	const struct kmln_keyword *keyword; /* NULL where the form says it all */
};

/* Where elements stand. */
struct kmln_xml_inside {
	enum kmln_block block;
	const struct kmln_keyword *keyword; /* of rows: what they are rows of; NULL: members */
	bool replace; /* inside of <replace>, which stands in `block` */
};

/* Whether a keyword is an attribute of its block. */
bool kmln_xml_is_attribute(const struct kmln_keyword *keyword);
/* The number of a keyword's columns. */
unsigned kmln_xml_columns(const struct kmln_keyword *keyword);
/* The columns of an element that has a row of words: of a row, a member or a VALUE; else NULL. */
const struct kmln_column *kmln_xml_row_columns(const struct kmln_xml_element *element);

/* Calls `each` for every element that may stand there, in the order of the table, until it is
 * false. */
void kmln_xml_elements(const struct kmln_xml_inside *inside,
	bool (*each)(void *data, const struct kmln_xml_element *element), void *data);
bool kmln_xml_find(
	const struct kmln_xml_inside *inside, const char *name, struct kmln_xml_element *element);
/* What stands inside of an element that is found in `from`; false: words or nothing. */
bool kmln_xml_opens(const struct kmln_xml_element *element, const struct kmln_xml_inside *from,
	struct kmln_xml_inside *inside);
/* Whether it has the attribute `name`, before those of its keywords. */
bool kmln_xml_has_name(const struct kmln_xml_element *element);
/* The next keyword that is an attribute of such a block; NULL begins and ends. */
const struct kmln_keyword *kmln_xml_attribute_next(
	enum kmln_block block, const struct kmln_keyword *keyword);

#endif
