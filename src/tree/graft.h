/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One tree put into a folder of another, as mounting it there would show it. */
#ifndef KMLN_TREE_GRAFT_H
#define KMLN_TREE_GRAFT_H

#include "tree/tree.h"

/*
 * Copies all of `from`, but a lost+found at its top, into the folder `path` of `to`, with owners,
 * modes, times, extended attributes, links and nodes; the folder gets those of the tree's own top.
 * EEXIST where something is in that folder, which mounting would hide. *flagged counts files that
 * were immutable or append-only, and are not any more.
 */
int kmln_tree_graft(struct kmln_tree *from, struct kmln_tree *to, const char *path,
	unsigned *flagged, struct kmln_error *err);

#endif
