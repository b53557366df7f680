/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image as a conversion would leave it, without making it: for plans that stand on that plan, as
 * the settings of a cluster's hosts stand on their image's preparation.
 */
#ifndef KMLN_CONVERT_FORESEE_H
#define KMLN_CONVERT_FORESEE_H

#include "convert/convert.h"
#include "guest/settings.h"

/* Looks further into a guest than kmln_inspect() does. */
typedef void (*kmln_look_further)(void *data, struct kmln_tree *tree, struct kmln_facts *facts);

/*
 * Plans the job (dry_run) and copies its edits into `edits`, an empty list. The edits are carried
 * out in memory, but for the files of the kernel, and what is then read, also by `further`, becomes
 * *facts, which the caller frees and which knows of no kernels. `settings` are given to the guest
 * besides (`further` must have looked for what they ask); NULL: none. Nobody asks e2fsck where the
 * job says so.
 */
int kmln_foresee(const struct kmln_convert *job, const struct kmln_settings *settings,
	struct kmln_edits *edits, struct kmln_facts **facts, kmln_look_further further, void *data,
	struct kmln_error *err);

#endif
