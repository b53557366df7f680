/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filesystems of one disk put together into the root, for one that stands alone. */
#ifndef KMLN_CONVERT_MERGE_H
#define KMLN_CONVERT_MERGE_H

#include "convert/work.h"

/* Fills goal->merged: what the guest mounts below its root, and kmln can read. KMLN_EUSAGE, with
 * the reason, where there is nothing of the kind. */
int kmln_merge_prepare(struct kmln_work *work, struct kmln_error *err);
/*
 * Copies them into the tree, as the edits say, with their journals replayed in what is read. The
 * disk stays as it is.
 */
int kmln_merge(struct kmln_work *work, struct kmln_tree *tree, struct kmln_error *err);

#endif
