/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a host mounts beyond its root. A source that is a file of this host becomes a further disk
 * of the machine, if there is a filesystem in it: a project must not have a guest write into files
 * that are no disks. Any other source is the guest's own matter (a device, a label, a server) and a
 * line of its fstab alone.
 */
#ifndef KMLN_CLUSTER_FURTHER_H
#define KMLN_CLUSTER_FURTHER_H

#include "cluster/cluster.h"
#include "guest/settings.h"
#include "project/names.h"

struct kmln_further {
	const char *path; /* absolute, without links */
	const char *name; /* in fstab: "UUID=..."; NULL: it has none, and goes by its place */
	unsigned partition; /* that is mounted; 0: the disk as a whole */
	bool read_only;
	size_t row; /* of host->mounts */
};

/*
 * Looks at the sources of one host. `used` (of the cluster, by paths) keeps a disk that is written
 * to from a second host. KMLN_EINVALID for one that cannot be a disk.
 */
int kmln_further_look(struct kmln_cluster *cluster, struct kmln_placed *placed, const char *folder,
	struct kmln_names *used, struct kmln_error *err);

/* The lines of fstab, as this host's platform calls its disks. */
void kmln_further_settings(
	const struct kmln_placed *placed, struct kmln_pool *pool, struct kmln_settings *settings);

#endif
