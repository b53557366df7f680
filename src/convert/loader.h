/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GRUB and the EFI system partition, made before planning: they come from programs and the disk. */
#ifndef KMLN_CONVERT_LOADER_H
#define KMLN_CONVERT_LOADER_H

#include "guest/step.h"

/*
 * Fills in what goal->form needs of GRUB's images and the ESP's new content; nothing where the
 * guest keeps a loader of its own. KMLN_ELACK where GRUB is not installed; KMLN_EINVALID for an EFI
 * system partition that cannot be read, ENOSPC for a full one.
 */
int kmln_loader_prepare(const struct kmln_disk *disk, const struct kmln_facts *facts,
	struct kmln_pool *pool, struct kmln_goal *goal, struct kmln_error *err);

#endif
