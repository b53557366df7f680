/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which packages a conversion makes known to the guest's dpkg: the last of what is prepared before
 * planning.
 */
#ifndef KMLN_CONVERT_PACKAGES_H
#define KMLN_CONVERT_PACKAGES_H

#include "convert/convert.h"

/*
 * Fills in the goal's packages, or why the kernel is not among them; `goal->kernel` and from_kit
 * are there already. What the guest lacks and is not at hand is fetched. `facts` learns of the
 * packages' paths, whose names are added to `paths`: facts that are to be planned with the same
 * goal must know them too. All is the pool's; fails only where the kit is damaged.
 */
int kmln_packages_prepare(struct kmln_facts *facts, struct kmln_tree *guest,
	const struct kmln_choice *choice, const struct kmln_platform *platform,
	struct kmln_pool *pool, struct kmln_goal *goal, struct kmln_strv *paths,
	struct kmln_error *err);

#endif
