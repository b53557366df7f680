/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of building, for build.c. */
#ifndef KMLN_CLUSTER_BUILD_PARTS_H
#define KMLN_CLUSTER_BUILD_PARTS_H

#include "cluster/build.h"

/* ---- build-script.c ---- */

struct kmln_script {
	const char *path, *text;
	const char *node; /* "host-a" */
	const struct kmln_placed *placed; /* the host that it starts; NULL: it starts no host */
	bool starts; /* else it stops */
};

struct kmln_scripts {
	struct kmln_pool *pool; /* borrowed */
	struct kmln_script *items;
	size_t count;
};

/* All scripts of a cluster; pure but for looking for programs. */
int kmln_scripts_make(const struct kmln_cluster *cluster, const struct kmln_store *store,
	struct kmln_scripts *scripts, struct kmln_error *err);
/* The files in the project's folder that are scripts of ours by their names, but not of these. */
int kmln_scripts_stale(const struct kmln_store *store, const struct kmln_scripts *scripts,
	struct kmln_strv *names, struct kmln_error *err);
/* Words in which two scripts differ: "mem=128M -> mem=256M"; from the pool. */
const char *kmln_scripts_difference(struct kmln_pool *pool, const char *old, const char *new);

/* ---- build-project.c ---- */

/* 1 where the copy of the project's file is not what was read, or is not there. */
int kmln_copy_differs(const struct kmln_cluster *cluster, const struct kmln_store *store);
/* Writes the copy, resolved.xml, and where all of it came from. */
int kmln_copy_write(const struct kmln_cluster *cluster, const struct kmln_store *store,
	const char *folder, struct kmln_error *err);
/* A file of ours: complete or as it was. Not synced. Nothing happens where it is the same. */
int kmln_write_text(
	const char *path, const char *text, size_t size, unsigned mode, struct kmln_error *err);

/* ---- build-known.c ---- */

/* ssh is to forget the key of a guest whose disk is made anew. */
int kmln_known_forget(const struct kmln_store *store, const char *host, struct kmln_error *err);

/* ---- build-disk.c ---- */

/* A base that was made bigger, for all hosts that are to be of that size. */
struct kmln_grown {
	const struct kmln_base *base;
	uint64_t size;
	struct kmln_device *below, *zeroes, *joined, *overlay; /* owned */
	struct kmln_clusters *changed; /* owned */
	int fd; /* of the base */
};

struct kmln_disks {
	const struct kmln_cluster *cluster;
	const struct kmln_store *store;
	struct kmln_shared *shared;
	struct kmln_grown *items; /* in the cluster's pool */
	size_t count;
};
#define KMLN_DISKS KMLN_CLEANUP(kmln_disks_fini)
void kmln_disks_fini(struct kmln_disks *disks);

/* The sum of a host's settings, as planned from its base, without the size of its disk. */
int kmln_settings_sum(const struct kmln_cluster *cluster, const struct kmln_placed *placed,
	struct kmln_shared *shared, const char **sum, struct kmln_error *err);
/* Makes the disks of a host that has none: whatever is in their place goes. */
int kmln_disk_make(
	struct kmln_disks *disks, const struct kmln_placed *placed, struct kmln_error *err);
/* Changes the disks of a host in place. */
int kmln_disk_change(
	struct kmln_disks *disks, const struct kmln_placed *placed, struct kmln_error *err);
/* What is wrong with the sizes of a built host's disks, for people; NULL: nothing. */
const char *kmln_disk_sizes(const struct kmln_cluster *cluster, const struct kmln_placed *placed);

#endif
