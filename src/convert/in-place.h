/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changing the only copy of a disk, all or nothing. Edits are carried out on an overlay, the result
 * is proved there, and only then does a journal beside the image take it to the disk: after kill -9
 * at any moment the image is as before, or the next command that opens it finishes the work.
 */
#ifndef KMLN_CONVERT_IN_PLACE_H
#define KMLN_CONVERT_IN_PLACE_H

#include "convert/beside.h"
#include "convert/composite.h"
#include "plan/edits.h"
#include "tree/tree.h"

struct kmln_in_place {
	const char *path; /* of the image */
	struct kmln_disk *disk; /* writable and locked */
	struct kmln_range root; /* the filesystem whose tree the edits mean */
	const struct kmln_edits *edits;
	struct kmln_tree *kit; /* for contents from a kernel kit, or NULL */
	/* Front and end become files beside the image, which stays where it is; or NULL. */
	const struct kmln_composite *composite;
	const struct kmln_beside *beside; /* more files to be made beside it; not with composite */
	/*
	 * Looks at the disk as it will be; an error here leaves the image as it was. `root` is
	 * where the filesystem then lies.
	 */
	int (*prove)(void *data, const struct kmln_disk *result, const struct kmln_range *root,
		struct kmln_error *err);
	void *data;
};

/* Afterwards *disk may be longer or shorter than it was, and is closed for use. */
int kmln_in_place(const struct kmln_in_place *job, struct kmln_error *err);

#endif
