/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of a guest's fstab: whether their disk is there, and the same line with one word changed.
 */
#ifndef KMLN_GUEST_FSTAB_LINES_H
#define KMLN_GUEST_FSTAB_LINES_H

#include "guest/step.h"

/*
 * True where the guest waits at its start for the disk of this line, and that is not part of the
 * image: of a filesystem that stands alone (`alone`, or an image without a table) only the root is.
 */
bool kmln_fstab_lacks(
	const struct kmln_facts *facts, const struct kmln_fstab_line *line, bool alone);
/* Appends the line (without its newline) with "nofail" among its options. */
void kmln_fstab_nofail(struct kmln_buf *out, const char *line, size_t size);
/* Appends the line with `device` as its first word. */
void kmln_fstab_device(struct kmln_buf *out, const char *line, size_t size, const char *device);

/* Appends the line as a comment that says where its filesystem went. */
void kmln_fstab_merged(struct kmln_buf *out, const char *line, size_t size);

#endif
