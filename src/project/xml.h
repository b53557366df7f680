/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The XML notation of project files: the same tree in other clothes. A keyword with one value is
 * an attribute of its block, whatever may stand several times or has several words an element, and
 * words keep their variables and escapes. What no text file could say is refused, so that every
 * document can be written as text, and every text as a document.
 *
 * Documents are foreign: no entity, no internal subset and no DTD but kmln's own, which is made
 * from the table of words and never loaded from anywhere. See docs/project-dtd.md.
 */
#ifndef KMLN_PROJECT_XML_H
#define KMLN_PROJECT_XML_H

#include "project/parse.h"
#include "project/report.h"
#include "project/syntax.h"

/* Of the notation: the attribute `format` of the root, and what the DTD is called by. */
#define KMLN_XML_FORMAT "1"
#define KMLN_XML_PUBLIC_ID "-//KMLN//DTD Project 1.0//EN"
#define KMLN_XML_SYSTEM_ID "kmln-project.dtd"

/* Elements, attributes and comments of one document together: they cost more memory than words do.
 */
#define KMLN_XML_PARTS_MAX 600000u

/* Whether a source is XML: by its name, which ends in .xml, or by its first byte that is no blank.
 */
bool kmln_xml_is(const struct kmln_source *source);

/*
 * Reads a document into the tree, as kmln_parse() does a text: what is wrong is reported, with its
 * line and column in the document, and the tree holds what could be understood.
 */
void kmln_xml_parse(struct kmln_syntax *syntax, struct kmln_report *report,
	const struct kmln_source *source, struct kmln_node *parent, kmln_include_fn include,
	void *data);

/*
 * Appends the tree as a document, in the one layout of documents. The tree must be without
 * mistakes: KMLN_EINVALID names what there is no element for. Comments stand in front of what they
 * stood behind.
 */
int kmln_xml_print(struct kmln_buf *out, const struct kmln_syntax *syntax, struct kmln_error *err);

/* Appends the DTD, with a comment for each element. */
void kmln_xml_dtd(struct kmln_buf *out);

#endif
