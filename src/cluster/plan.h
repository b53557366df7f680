/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A cluster as actions: what building it from nothing, and starting it, would do. Pure: all was
 * looked at before. One host is planned at a time, into a pool of its own, so that a large cluster
 * needs no more memory than a small one.
 */
#ifndef KMLN_CLUSTER_PLAN_H
#define KMLN_CLUSTER_PLAN_H

#include "cluster/cluster.h"
#include "cluster/host-settings.h"
#include "plan/actions.h"

/* Where a host's disks are; from the pool. */
const char *kmln_disk_path(const struct kmln_cluster *cluster, const struct kmln_placed *placed,
	struct kmln_pool *pool);
const char *kmln_swap_path(const struct kmln_cluster *cluster, const struct kmln_placed *placed,
	struct kmln_pool *pool);
/* Through which UML's guest and the host pass files. */
const char *kmln_transfer_path(const struct kmln_cluster *cluster, const struct kmln_placed *placed,
	struct kmln_pool *pool);

/* Its portable copy; nothing where it is there already. */
void kmln_plan_base(const struct kmln_base *base, struct kmln_actions *actions);
/* The disks of a host, and its settings on them. `edits` is an empty list in the same pool. */
int kmln_plan_build(const struct kmln_cluster *cluster, const struct kmln_placed *placed,
	struct kmln_shared *shared, struct kmln_edits *edits, struct kmln_actions *actions,
	struct kmln_error *err);
/* Switches with all that hangs on them: uplinks, impaired cables. */
int kmln_plan_networks(
	const struct kmln_cluster *cluster, struct kmln_actions *actions, struct kmln_error *err);
/* A host's processes, and when it counts as ready. */
int kmln_plan_start(const struct kmln_cluster *cluster, const struct kmln_placed *placed,
	struct kmln_actions *actions, struct kmln_error *err);
/* The user's own lines at one of their places. */
void kmln_plan_hook(
	const struct kmln_cluster *cluster, enum kmln_hook hook, struct kmln_actions *actions);

#endif
