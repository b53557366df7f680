/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taking conversions back: inspect, read the records that they left in the guest, plan, carry out
 * in place (or on a copy), look again. All conversions of the guest are taken back, the last first;
 * nothing is written before all is known to be possible and proved.
 */
#ifndef KMLN_CONVERT_UNDO_H
#define KMLN_CONVERT_UNDO_H

#include "plan/edits.h"

struct kmln_undo_job {
	const char *image;
	const char *out; /* a copy that is made instead; NULL: the image itself is changed */
	unsigned root; /* the partition of the root filesystem; 0: it is looked for */
	bool backing; /* the files that the image names may be opened */
	bool dry_run; /* plan only */
	bool force; /* take back what was edited since as well; replace `out` */
	/* Called with the finished plan, before anything is written; NULL: not wanted. */
	int (*show)(const struct kmln_edits *edits, struct kmln_error *err);
};

/*
 * KMLN_ENO where there is nothing to take back. KMLN_EINVALID where a record is not one that kmln
 * would have written. EEXIST, naming it, where kmln's own part was edited since.
 */
int kmln_undo_image(const struct kmln_undo_job *job, struct kmln_error *err);

#endif
