/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands on a disk around its root filesystem, before that is made to stand alone. */
#ifndef KMLN_CONVERT_AROUND_H
#define KMLN_CONVERT_AROUND_H

#include "guest/step.h"
#include "image/disk.h"

/*
 * Fills goal->around, in place: all sectors in front of the root filesystem and behind it that are
 * not zeros. More of them than a record holds is goal->around_too_big. The bytes are the pool's.
 */
int kmln_around_read(const struct kmln_disk *disk, const struct kmln_facts *facts,
	struct kmln_pool *pool, struct kmln_goal *goal, struct kmln_error *err);

#endif
