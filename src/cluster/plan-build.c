// SPDX-License-Identifier: GPL-2.0-or-later
/* The disks of a cluster: portable copies of images, overlays over them, and the settings of each
 * host as edits on its overlay. */
#include "cluster/plan.h"

#include <stdlib.h>
#include <string.h>

const char *kmln_disk_path(
	const struct kmln_cluster *cluster, const struct kmln_placed *placed, struct kmln_pool *pool)
{
	return kmln_pool_printf(
		pool, "%s/hosts/%s/disk.qcow2", cluster->folder, placed->host->name.text);
}

const char *kmln_swap_path(
	const struct kmln_cluster *cluster, const struct kmln_placed *placed, struct kmln_pool *pool)
{
	return kmln_pool_printf(
		pool, "%s/hosts/%s/swap", cluster->folder, placed->host->name.text);
}

int kmln_plan_base(const struct kmln_cluster *cluster, const struct kmln_base *base,
	struct kmln_actions *actions, struct kmln_error *err)
{
	struct kmln_action *action;

	(void)err;
	if (!base->edits.count)
		return 0;
	action = kmln_actions_add(actions, KMLN_ACTION_PREPARE, "image");
	action->path = base->prepared;
	action->from = base->path;
	action->edits = &base->edits;
	action->why = "starts on every platform; made once, for all hosts and projects";
	(void)cluster;
	return 0;
}
