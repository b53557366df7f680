/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In which ways a kernel can be started (struct kmln_kernel's `entries`): as a PC's, by the header
 * of its image; by Xen, by the notes in the ELF that the image carries, compressed or not. The
 * image is a hostile guest's: only its heads and notes are read, and each within bounds.
 */
#ifndef KMLN_IMAGE_ENTRIES_H
#define KMLN_IMAGE_ENTRIES_H

#include "boot/kernel.h"

/* What was found in an image; none of it where the bytes are something else. */
struct kmln_entries {
	bool pc; /* a bzImage: GRUB and QEMU start it */
	bool xen_pv; /* has the notes ENTRY and VIRT_BASE */
	bool xen_pvh; /* has the note PHYS32_ENTRY */
	const char *arch; /* of the ELF within, as struct kmln_kernel's; NULL: none */
};

/* Reads the image at `path` of the tree as far as it has to. */
int kmln_entries_read(struct kmln_tree *tree, const char *path, struct kmln_entries *entries,
	struct kmln_error *err);

/*
 * As kmln_kernels_read(), and fills in `entries` of those that can be read, the newest first, and
 * of at most eight: each may have to be unpacked.
 */
int kmln_kernels_inspect(struct kmln_tree *tree, const char *release, bool with_files,
	struct kmln_pool *pool, struct kmln_kernel **kernels, size_t *count,
	struct kmln_error *err);

#endif
