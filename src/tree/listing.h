/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of listings, between the core (tree.c) and what the kinds fill in; see tree.h. */
#ifndef KMLN_TREE_LISTING_H
#define KMLN_TREE_LISTING_H

#include "tree/tree.h"

/* Empty; how much it may take depends on what the tree holds already. */
struct kmln_listing *kmln_listing_new(const struct kmln_tree *tree);
/* Sorts a filled one and gives it to its tree for looking up. */
void kmln_listing_publish(struct kmln_listing *listing, struct kmln_tree *tree);
/* Takes all listings from the tree: it is about to change, or to go. */
void kmln_listings_forget(struct kmln_tree *tree);

#endif
