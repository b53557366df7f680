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

#endif
