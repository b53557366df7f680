/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one place that carries out edits. */
#ifndef KMLN_RUN_APPLY_H
#define KMLN_RUN_APPLY_H

#include "plan/edits.h"
#include "tree/tree.h"

/* The edits inside the tree. `kit` is where `from` contents come from; NULL where none do. */
int kmln_apply_tree(const struct kmln_edits *edits, struct kmln_tree *tree, struct kmln_tree *kit,
	struct kmln_error *err);
/* The bytes around it, through a function that writes to the disk. */
int kmln_apply_bytes(const struct kmln_edits *edits,
	int (*write)(void *disk, const void *bytes, size_t size, uint64_t offset,
		struct kmln_error *err),
	void *disk, struct kmln_error *err);
/* The first edit of this kind, or NULL: for shift and resize, which the disk's maker carries out.
 */
const struct kmln_edit *kmln_edits_find(const struct kmln_edits *edits, enum kmln_edit_kind kind);

#endif
