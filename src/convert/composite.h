/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk without copying: a VMDK descriptor that joins a head file (partition table and GRUB) with
 * the filesystem's own image where it lies. QEMU starts the descriptor, UML the filesystem.
 */
#ifndef KMLN_CONVERT_COMPOSITE_H
#define KMLN_CONVERT_COMPOSITE_H

#include "image/device.h"
#include "image/journal.h"

/* Names beside the image, without a folder. Owned. */
struct kmln_composite {
	char *image, *descriptor, *head, *tail;
};
void kmln_composite_fini(struct kmln_composite *composite);

/*
 * The names for the image at `path`: IMAGE.vmdk, or what `out` says, and NAME.head, NAME.tail. A
 * name that a descriptor cannot hold, or another folder than the image's, is KMLN_EUSAGE.
 */
int kmln_composite_names(struct kmln_composite *composite, const char *path, const char *out,
	struct kmln_error *err);
/* EEXIST where one of the files is there already, beside the image at `path`, unless `force`. */
int kmln_composite_check(const struct kmln_composite *composite, const char *path, bool force,
	struct kmln_error *err);
/* True where the descriptor is there and names this image as one of its parts. */
bool kmln_composite_uses(const struct kmln_composite *composite, const char *path);
/*
 * The files to be made: descriptor, head and, where `tail` is not NULL, tail. *text is the
 * descriptor's content, which the caller closes. `bytes` is the image's length. Returns how many.
 */
int kmln_composite_files(const struct kmln_composite *composite, struct kmln_device *head,
	uint64_t bytes, struct kmln_device *tail, struct kmln_device **text,
	struct kmln_journal_file files[3], struct kmln_error *err);

#endif
