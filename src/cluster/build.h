/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes a project's folder what its plan says: prepared images, disks with their settings, scripts.
 * What is there already and right is left alone; what is killed in the middle is done again by the
 * next one. A host that runs is never touched: that it must be stopped first is an answer, not an
 * act.
 */
#ifndef KMLN_CLUSTER_BUILD_H
#define KMLN_CLUSTER_BUILD_H

#include "cluster/plan.h"
#include "cluster/store.h"

/* What building would do to one host. */
enum kmln_change {
	KMLN_CHANGE_NONE,
	KMLN_CHANGE_NEW, /* it is not built yet */
	KMLN_CHANGE_SETTINGS, /* its disk gets other settings, or becomes larger; needs it stopped
			       */
	KMLN_CHANGE_START, /* it is started in another way (platform, memory, networks ...) */
	KMLN_CHANGE_IMAGE, /* it stands on another image: its disk would be lost */
	KMLN_CHANGE_GONE, /* the file has it no more */
};

struct kmln_host_change {
	const char *host;
	enum kmln_change change;
	const char *why; /* for people: "memory 128M -> 256M" */
};

struct kmln_build_plan {
	struct kmln_host_change *hosts; /* those that change, in file order; gone ones last */
	size_t host_count;
	struct kmln_strv nodes; /* switches, uplinks, wires whose scripts change */
	bool file_changed; /* the project's file, or what it includes */
};

/* Compares the cluster with what is in the folder. Reads only. */
int kmln_build_compare(const struct kmln_cluster *cluster, const struct kmln_store *store,
	struct kmln_shared *shared, struct kmln_build_plan *plan, struct kmln_error *err);

struct kmln_build_job {
	const struct kmln_cluster *cluster;
	const struct kmln_store *store; /* locked */
	struct kmln_shared *shared;
	const struct kmln_build_plan *plan;
	unsigned jobs; /* disks made at once */
	bool replace; /* disks that would be lost may be (the user was asked) */
	/* Tells of progress: `done` of `count` hosts; or NULL. */
	void (*progress)(void *data, size_t done, size_t count, const char *host);
	void *data;
};
/* Carries the plan out. EBUSY for a change to a host that runs. */
int kmln_build(const struct kmln_build_job *job, struct kmln_error *err);

#endif
