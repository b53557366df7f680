/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading text into a tree, strictly: lex.h cuts it into words, this puts them together. A mistake
 * is reported, the reader goes on behind it, and the tree holds what could be understood.
 */
#ifndef KMLN_PROJECT_PARSE_H
#define KMLN_PROJECT_PARSE_H

#include "project/report.h"
#include "project/syntax.h"

/*
 * Opens what an #include names, for the item `at`, from the file `from`. Reports what is refused or
 * missing; returns the new source, or NULL. `data` is the reader's own.
 */
typedef struct kmln_source *(*kmln_include_fn)(void *data, struct kmln_syntax *syntax,
	struct kmln_report *report, const struct kmln_source *from, const struct kmln_word *at);

/*
 * Parses one source below `parent` (the root, or an include). `include` NULL leaves includes
 * without children: what fmt wants.
 */
void kmln_parse(struct kmln_syntax *syntax, struct kmln_report *report,
	const struct kmln_source *source, struct kmln_node *parent, kmln_include_fn include,
	void *data);

#endif
