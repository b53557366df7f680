/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tree held against the vocabulary: known words, in blocks where they belong, with the right
 * number of words behind them, each of its type as far as no variables are in it. It knows nothing
 * of other blocks; that is for resolve.c. Both readers' trees go through it.
 */
#ifndef KMLN_PROJECT_SHAPE_H
#define KMLN_PROJECT_SHAPE_H

#include "project/report.h"
#include "project/words.h"

/*
 * What the children of a block are, for the readers to set `opens`: the words of the block are in
 * the node, `in` is what its parent opens. KMLN_BLOCK_KINDS where that cannot be known.
 */
enum kmln_block kmln_node_opens(enum kmln_block in, const struct kmln_node *node);

/* Reports what is wrong, sets `keyword` of the nodes that have one, and `broken`. */
void kmln_project_shape(struct kmln_syntax *syntax, struct kmln_report *report);

/*
 * Reports, once for each word, a value that is not of its type; true where it is, and *number set.
 * `keyword` is what it belongs to, `row` that it is a column of a list.
 */
bool kmln_shape_value(struct kmln_report *report, const char *keyword, bool row,
	const struct kmln_column *column, struct kmln_word *word, const char *value,
	uint64_t *number);

#endif
