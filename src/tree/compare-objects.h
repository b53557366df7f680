/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In what two objects of one name differ; for compare.c, which walks. */
#ifndef KMLN_TREE_COMPARE_OBJECTS_H
#define KMLN_TREE_COMPARE_OBJECTS_H

#include "tree/compare.h"
#include "tree/numbers.h"

/* Which file of one tree stands for which of the other, where files have several names. */
struct kmln_links {
	struct kmln_numbers a, b; /* inode: the other's inode */
	struct kmln_numbers names_a, names_b; /* inode: names that are still to come */
};
void kmln_links_fini(struct kmln_links *links);

struct kmln_pair {
	struct kmln_tree *tree_a, *tree_b;
	const char *path_a, *path_b;
	bool no_content, no_mtime;
	/* What comes out: */
	struct kmln_stat a, b;
	struct kmln_buf target_a, target_b; /* of links */
	struct kmln_xattrs xattrs_a, xattrs_b;
	unsigned what;
	bool unread; /* content or attributes could not be read: `why`; `what` has the rest */
	struct kmln_error why;
};
void kmln_pair_fini(struct kmln_pair *pair);

/* Fails only where not even one of them can be looked at. */
int kmln_pair_compare(struct kmln_pair *pair, struct kmln_links *links, struct kmln_error *err);

#endif
