/* SPDX-License-Identifier: GPL-2.0-or-later */
/* By what kmln knows its own boot loader for UEFI: guest/grub.c puts it in, inspect looks for it.
 */
#ifndef KMLN_IMAGE_LOADER_MARK_H
#define KMLN_IMAGE_LOADER_MARK_H

/* A line of the configuration inside; GRUB's first parser knows no comments. */
#define KMLN_LOADER_MARK "set written_by=kmln\n"
/* What firmware starts where it was told nothing else. */
#define KMLN_LOADER_PATH "/EFI/BOOT/BOOTX64.EFI"

#endif
