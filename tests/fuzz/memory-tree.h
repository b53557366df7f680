/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kind of tree for tests: a few files in memory, and the folders that their paths need. What it
 * is made from stays the caller's. Reading gives small pieces, so that what is read as a stream is
 * cut at odd places.
 */
#ifndef KMLN_TESTS_MEMORY_TREE_H
#define KMLN_TESTS_MEMORY_TREE_H

#include "tree/tree.h"

struct memory_file {
	const char *path; /* as tree/tree.h wants it */
	const void *data; /* files with the same address are one inode; NULL: an empty file */
	size_t size;
};

#define MEMORY_FILES_MAX 16

struct memory_tree {
	struct kmln_tree tree; /* what is to be handed on */
	struct memory_file files[MEMORY_FILES_MAX];
	size_t count;
};

void memory_tree_init(struct memory_tree *memory);
void memory_tree_fini(struct memory_tree *memory);
#define MEMORY_TREE KMLN_CLEANUP(memory_tree_fini)
/* Aborts beyond MEMORY_FILES_MAX. A path that is there already gets the new content. */
void memory_tree_put(struct memory_tree *memory, const char *path, const void *data, size_t size);

#endif
