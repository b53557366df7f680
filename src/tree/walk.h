/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything below a folder, in the order of names, depth first. */
#ifndef KMLN_TREE_WALK_H
#define KMLN_TREE_WALK_H

#include "tree/tree.h"

struct kmln_walk {
	/*
	 * One object; a folder comes before what is in it. Return 0 to go on, 1 to leave out what
	 * is in this folder, or a negative code to end the walk.
	 */
	int (*each)(
		void *data, const char *path, const struct kmln_stat *st, struct kmln_error *err);
	/* What could not be read; the walk goes on behind it, unless a negative code is returned.
	 */
	int (*problem)(void *data, const char *path, struct kmln_error *err);
	void *data;
};

/*
 * Walks what is in `path`, not the folder itself. A folder that damage has put into itself, or that
 * has two parents, is a problem and is entered once only.
 */
int kmln_tree_walk(struct kmln_tree *tree, const char *path, const struct kmln_walk *walk,
	struct kmln_error *err);

#endif
