/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a user names where a guest is to be read: a disk image of any format that kmln opens, or a
 * folder with a root filesystem laid out. It is only read. All parts are found when they are first
 * asked for, so that showing one file does not inspect the guest.
 */
#ifndef KMLN_IMAGE_SOURCE_H
#define KMLN_IMAGE_SOURCE_H

#include "image/inspect.h"

struct kmln_source {
	const char *path; /* as named; borrowed */
	struct kmln_disk disk; /* fd -1 and no device: a folder */
	struct kmln_facts
		*facts; /* of the disk, the root's place, and, once inspected, the guest */
	struct kmln_tree *root; /* the root filesystem; NULL: not looked for, or none */
	struct kmln_tree *other; /* a partition that was asked for */
	bool looked, inspected;
};
#define KMLN_SOURCE KMLN_CLEANUP(kmln_source_close)

/*
 * Opens what `path` names; warns where a machine has the image open. `backing`: files that the
 * image names may be opened. All errors of these functions name the path.
 */
int kmln_source_open(
	const char *path, bool backing, struct kmln_source *source, struct kmln_error *err);
void kmln_source_close(struct kmln_source *source);
static inline bool kmln_source_is_folder(const struct kmln_source *source)
{
	return !source->disk.device;
}

/*
 * The root filesystem, or where `partition` is not 0 the filesystem in it. The tree is the
 * source's. KMLN_EINVALID where there is none; KMLN_EUSAGE for a partition of a folder.
 */
int kmln_source_tree(struct kmln_source *source, unsigned partition, struct kmln_tree **tree,
	struct kmln_error *err);
/* What lies around the filesystems; the guest's facts are not read yet. NULL for a folder. */
const struct kmln_facts *kmln_source_disk(const struct kmln_source *source);
/* All facts; they are the source's. As kmln_inspect(), no root is no error. */
int kmln_source_inspect(
	struct kmln_source *source, const struct kmln_facts **facts, struct kmln_error *err);

/* To be asked at the end: fails where the host could not read something that then looked like
 * damage. */
int kmln_source_check(const struct kmln_source *source, struct kmln_error *err);

#endif
