/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Planning the way back: from the facts of a guest, the records of its conversions and what stands
 * now where they changed something, to edits that take out kmln's own part and nothing else. Pure,
 * like all planning.
 *
 * The records come from the guest and are not trusted. They can never make kmln write what a plan
 * would not:
 * - kmln_undo_vouch() takes nothing that the step named in it would not have written in this
 *   guest: paths (with the guest's own links followed, as inspect found them), kinds of change,
 *   modes, lines of shared files, places on the disk. Nothing else is ever edited.
 * - A file is removed only if it is what the record says was put there, by its checksum, or its
 *   size and time; a folder only if nothing is left in it.
 * - Text comes back only into the file that it came from. In files that others change too that is
 *   a line which the step would have exchanged or added; elsewhere (GRUB's configuration) the
 *   whole file is one that kmln writes as it likes. The guest could have written either itself.
 * - On the disk only a shift of just what wrapping makes is taken back, and only where the table
 *   is the one that the loader step makes for it; bytes come back only in front of the first
 *   partition, and never into the partition table.
 * - A cut is taken back only where the image is as long as what stayed, and what comes back lies
 *   around it, in a bounded room. The disk is then inspected: its table must lead to that root.
 * - Paths are opened without following links (states.h), so one that has become a link since leads
 *   nowhere, and numbers and lengths are bounded by the parser (record.c).
 */
#ifndef KMLN_GUEST_UNDO_H
#define KMLN_GUEST_UNDO_H

#include "guest/record.h"
#include "image/facts.h"
#include "image/states.h"

struct kmln_undo {
	const struct kmln_facts *facts; /* with a root filesystem */
	const struct kmln_record *records; /* the newest first, with `file` set */
	size_t record_count;
	bool force; /* take back what was edited since as well */
	/* Made by kmln_undo_ask(), filled by kmln_states_read(); sorted by path, each path once. */
	struct kmln_state *states;
	size_t state_count;
	/* Filled by kmln_plan_undo(). */
	struct kmln_edits *edits;
	struct kmln_strv *edited; /* one line each: what of kmln's own was edited since, and how */
};

/* KMLN_EINVALID, naming it, for a change that no step would have made. */
int kmln_undo_vouch(const struct kmln_undo *undo, struct kmln_error *err);
/* Lists what must be looked at. */
void kmln_undo_ask(struct kmln_undo *undo, struct kmln_pool *pool);
/*
 * Plans. Where something is in `edited` afterwards and force is not set, the edits are not to be
 * carried out.
 */
int kmln_plan_undo(struct kmln_undo *undo, struct kmln_error *err);

/* ---- the parts, each in a file of its own ---- */

/* undo-disk.c: around the tree. */
int kmln_undo_disk(struct kmln_undo *undo, struct kmln_error *err);
/* undo-cut.c: a filesystem that stands alone, by the cut of the record of this index. */
int kmln_undo_cut(struct kmln_undo *undo, const struct kmln_record_item *cut, size_t record,
	struct kmln_error *err);

/*
 * undo-text.c: `text` without what the item (CHANGE or APPEND) put into it, in the pool, *size
 * updated; NULL, with *why in the pool, where that was edited.
 */
const char *kmln_undo_text(const struct kmln_record_item *item, struct kmln_pool *pool,
	const char *text, size_t *size, const char **why);

#endif
