/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From libxml2's tree to the project's. For xml-read.c alone. */
#ifndef KMLN_PROJECT_XML_TREE_H
#define KMLN_PROJECT_XML_TREE_H

#include <libxml/tree.h>

#include "project/parse.h"

struct kmln_xml_reader {
	struct kmln_syntax *syntax;
	struct kmln_report *report;
	const struct kmln_source *source;
	kmln_include_fn include;
	void *data;
	size_t invalid; /* mistakes that make the document invalid by its DTD */
};

/* A mistake that the DTD knows too: it is counted. */
void kmln_xml_invalid(struct kmln_xml_reader *reader, const char *code, struct kmln_place at,
	const char *fmt, ...) KMLN_PRINTF(4, 5);

/* The root's children become the parent's. The document has its places. */
void kmln_xml_tree(struct kmln_xml_reader *reader, const xmlNode *root, struct kmln_node *parent);

/* --- xml-words.c */

/* An element's name with its prefix, which none of ours has. */
const char *kmln_xml_name(struct kmln_xml_reader *reader, const xmlNode *node);
/* The text of an attribute or element, to be freed; a reference to an entity in it is reported. */
char *kmln_xml_content(struct kmln_xml_reader *reader, const xmlNode *node, struct kmln_place at);
/* Whether a text holds only what one line of a text file may; reported where not. */
bool kmln_xml_good_bytes(struct kmln_xml_reader *reader, const char *text, struct kmln_place at);
/* Adds bytes as they are, for a name or a shell line; what is beyond the limits is dropped. */
void kmln_xml_add_raw(struct kmln_xml_reader *reader, struct kmln_node *node, const char *text,
	size_t size, struct kmln_place at, bool line);
void kmln_xml_add_name(struct kmln_xml_reader *reader, struct kmln_node *node, const char *name,
	struct kmln_place at);
/* Adds one word, with its variables and escapes. */
void kmln_xml_add_word(struct kmln_xml_reader *reader, struct kmln_node *node, const char *text,
	struct kmln_place at);
/* Adds words with blanks between them; those with a blank inside stand in double quotes. */
void kmln_xml_add_list(struct kmln_xml_reader *reader, struct kmln_node *node, const char *text,
	struct kmln_place at);

#endif
