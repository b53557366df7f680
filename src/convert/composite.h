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
/*
 * The files to be made: descriptor, head and, where `tail` is not NULL, tail. *text is the
 * descriptor's content, which the caller closes. `bytes` is the image's length. Returns how many.
 */
int kmln_composite_files(const struct kmln_composite *composite, struct kmln_device *head,
	uint64_t bytes, struct kmln_device *tail, struct kmln_device **text,
	struct kmln_journal_file files[3], struct kmln_error *err);

#endif
