/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where things stand in a document: libxml2 knows lines of elements and nothing of attributes, so
 * the text is walked once more, in step with its tree. For xml-*.c alone.
 */
#ifndef KMLN_PROJECT_XML_PLACE_H
#define KMLN_PROJECT_XML_PLACE_H

#include <libxml/tree.h>

#include "project/syntax.h"

/* Of an element: its name, and the text behind its start tag, on that line. Of an attribute: its
 * name and value. */
struct kmln_xml_place {
	struct kmln_place name, value;
};

/* What is wrong before the root element: looked for in the text, before libxml2 sees it. */
enum kmln_xml_prolog {
	KMLN_XML_PROLOG_FINE,
	KMLN_XML_PROLOG_ENCODING, /* declares one that is neither UTF-8 nor ASCII */
	KMLN_XML_PROLOG_SUBSET, /* a DOCTYPE with an internal subset */
};
/* `*at` becomes the place of what is wrong. Anything else that is wrong is libxml2's to say. */
enum kmln_xml_prolog kmln_xml_prolog(const struct kmln_source *source, struct kmln_place *at);

/* False where a start tag with the text behind it is longer than `most` bytes: libxml2 compares
 * each attribute with each. */
bool kmln_xml_short_tags(const struct kmln_source *source, size_t most, struct kmln_place *at);

/* Gives each element and attribute its place; the document is the source's, and well-formed. */
void kmln_xml_place_all(
	struct kmln_pool *pool, const struct kmln_source *source, xmlDocPtr document);
/* The place of any node: of what has none, that of the element around it. */
struct kmln_xml_place kmln_xml_place_of(const struct kmln_source *source, const xmlNode *node);

#endif
