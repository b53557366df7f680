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

/*
 * Makes the portable copies of images that the cluster needs and this host does not have. *made:
 * one was, and the cluster is to be looked at again, since it was only foreseen. Copies belong to
 * all projects; who makes one locks it, and others wait.
 */
int kmln_build_prepare(const struct kmln_cluster *cluster, bool *made, struct kmln_error *err);

/* What building would do to one host. */
enum kmln_change {
	KMLN_CHANGE_NONE,
	KMLN_CHANGE_NEW, /* it is not built yet */
	KMLN_CHANGE_SETTINGS, /* its disks get other settings or sizes; needs it stopped */
	KMLN_CHANGE_START, /* it is started in another way (platform, memory, networks ...) */
	KMLN_CHANGE_IMAGE, /* it stands on another image: its disk would be lost */
	KMLN_CHANGE_GONE, /* the file has it no more; its disk stays */
};
/* "new", "settings" ... */
const char *kmln_change_name(enum kmln_change change);

struct kmln_host_change {
	const char *host;
	enum kmln_change change; /* the gravest: settings may come with another start */
	const char *why; /* for people: "mem=128M -> mem=256M" */
};

struct kmln_build_plan {
	struct kmln_host_change *hosts; /* those that change, in file order; gone ones last */
	size_t host_count;
	struct kmln_strv nodes; /* switches, uplinks ... whose scripts change or go: "switch-lan" */
	bool file_changed; /* the project's file, or what it includes */
	bool details_changed; /* something that no machine sees */
};
#define KMLN_BUILD_PLAN KMLN_CLEANUP(kmln_build_plan_fini)
void kmln_build_plan_fini(struct kmln_build_plan *plan);
/* True where there is nothing to do. */
bool kmln_build_plan_empty(const struct kmln_build_plan *plan);

/* Compares the cluster with what is in the folder. Reads only. Text is the cluster's pool's. */
int kmln_build_compare(const struct kmln_cluster *cluster, const struct kmln_store *store,
	struct kmln_shared *shared, struct kmln_build_plan *plan, struct kmln_error *err);

struct kmln_build_job {
	const struct kmln_cluster *cluster;
	const struct kmln_store *store; /* locked */
	struct kmln_shared *shared;
	const struct kmln_build_plan *plan;
	const char *folder; /* of the project's file: "" or ending in a slash */
	bool replace; /* disks that would be lost may be (the user was asked) */
	/* Tells of progress: `done` of `count` hosts; or NULL. */
	void (*progress)(void *data, size_t done, size_t count, const char *host);
	void *data;
};
/*
 * Carries the plan out. EBUSY for a change to a node that runs, EEXIST where a disk would be lost
 * that may not be; nothing is changed then.
 */
int kmln_build(const struct kmln_build_job *job, struct kmln_error *err);

#endif
