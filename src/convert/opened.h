/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An image with a guest in it, opened, locked, inspected, and fit to be changed or copied. */
#ifndef KMLN_CONVERT_OPENED_H
#define KMLN_CONVERT_OPENED_H

#include "image/disk.h"
#include "image/facts.h"

struct kmln_opened {
	struct kmln_disk source;
	/* Over the source's device, with the guest's journal replayed; NULL: not needed. */
	struct kmln_device *replayed;
	struct kmln_disk disk; /* what is looked at; its device is borrowed from one of the two */
	struct kmln_facts *facts; /* of that, with a root filesystem */
};

/* e2fsck is not asked: a plan is made that nobody carries out. */
#define KMLN_OPENED_UNCHECKED 0x10000u

/*
 * `flags` as for kmln_disk_open(), or the one above; `root` as in struct kmln_disk. KMLN_EINVALID
 * where there is no root filesystem that e2fsck finds nothing wrong with. A journal that was not
 * replayed is replayed in what we see; the image stays as it is. *opened is to be closed also after
 * an error.
 */
int kmln_opened_read(const char *path, unsigned root, unsigned flags, struct kmln_opened *opened,
	struct kmln_error *err);
/* Before a change in place: what was replayed becomes the image's own, all or nothing. */
int kmln_opened_settle(const char *path, struct kmln_opened *opened, struct kmln_error *err);
/* Inspects a disk whose root filesystem is known to lie there: another system on it does not count.
 */
int kmln_inspect_at(const struct kmln_disk *disk, const struct kmln_range *root,
	struct kmln_facts **facts, struct kmln_error *err);
void kmln_opened_close(struct kmln_opened *opened);

bool kmln_fs_has(const struct kmln_filesystem *fs, const char *feature);

#endif
