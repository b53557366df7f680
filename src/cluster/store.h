/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A project on this host's disk: its folder, what is in it, and the lock that keeps two commands
 * from changing it at once (docs/life.md has the layout). Names come from a valid model or are
 * checked here: none can leave the project's folder.
 */
#ifndef KMLN_CLUSTER_STORE_H
#define KMLN_CLUSTER_STORE_H

#include "base/file.h"

struct kmln_store {
	struct kmln_pool *pool; /* borrowed; all text is in it */
	const char *project;
	const char *folder; /* data/projects/P */
	const char *runtime; /* runtime/P */
};

/* KMLN_EUSAGE for a name that no project can have. Nothing is made. */
int kmln_store_init(struct kmln_store *store, struct kmln_pool *pool, const char *project,
	struct kmln_error *err);
/* True where the project was built here. */
bool kmln_store_exists(const struct kmln_store *store);
/* The names of all projects of this user, sorted. */
int kmln_store_list(struct kmln_pool *pool, struct kmln_strv *names, struct kmln_error *err);

enum kmln_node_kind { KMLN_NODE_HOST, KMLN_NODE_SWITCH, KMLN_NODE_UPLINK, KMLN_NODE_WIRE };
/* "host", "switch" ... */
const char *kmln_node_kind_name(enum kmln_node_kind kind);
/* "host-a": what a node is called; wires are called after host and interface, "wire-a-eth0". */
const char *kmln_store_node(
	const struct kmln_store *store, enum kmln_node_kind kind, const char *name);
/* Its folder under runtime/P/nodes/, and its log. */
const char *kmln_store_node_folder(const struct kmln_store *store, const char *node);
const char *kmln_store_log(const struct kmln_store *store, const char *node);
/* Of the nodes that have a folder, alive or not: sorted. No folder: none. */
int kmln_store_nodes(
	const struct kmln_store *store, struct kmln_strv *nodes, struct kmln_error *err);

/*
 * Locks the project for a command that changes it; *fd is the caller's to close, which unlocks.
 * Waits up to `seconds` for another command, then EBUSY with that one's pid.
 */
int kmln_store_lock(
	const struct kmln_store *store, unsigned seconds, int *fd, struct kmln_error *err);

/* What a host was built from: written last, so a host without it was not built to the end. */
struct kmln_built {
	const char *platform, *why; /* where it runs, and the reason */
	const char *wish; /* what the file said then: "auto", "uml" ... */
	const char *image; /* the path of its image */
	const char *prepared; /* the disk under its overlay */
	const char *settings; /* SHA-256 of the settings that its disk has */
};
/* 1 where it was built, 0 where not; text is the pool's. */
int kmln_built_read(const struct kmln_store *store, const char *host, struct kmln_built *built,
	struct kmln_error *err);
int kmln_built_write(const struct kmln_store *store, const char *host,
	const struct kmln_built *built, struct kmln_error *err);

#endif
