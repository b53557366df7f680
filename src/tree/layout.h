/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a tree is laid out: what stands at its top, and how much is below it. */
#ifndef KMLN_TREE_LAYOUT_H
#define KMLN_TREE_LAYOUT_H

#include "tree/tree.h"

struct kmln_layout_item {
	const char *path; /* "/usr" */
	uint32_t mode;
	const char *target; /* of a link, or NULL */
	uint64_t folders, others; /* that are in it */
	uint64_t bytes; /* of all files in it, a file with several names as often as it has them */
};

struct kmln_layout {
	struct kmln_pool *pool; /* borrowed */
	struct kmln_layout_item *items; /* sorted by path */
	size_t count;
	uint64_t objects, bytes; /* of all */
	uint64_t unreadable; /* what could not be looked at */
};

/* Fills *layout, which is zeroed but for its pool. */
int kmln_tree_layout(struct kmln_tree *tree, struct kmln_layout *layout, struct kmln_error *err);

#endif
