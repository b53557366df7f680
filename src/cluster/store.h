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
/* True where the project was built here, be it in part. */
bool kmln_store_exists(const struct kmln_store *store);
/* The names of all projects of this user, sorted. */
int kmln_store_list(struct kmln_pool *pool, struct kmln_strv *names, struct kmln_error *err);

enum kmln_role {
	KMLN_ROLE_HOST,
	KMLN_ROLE_SWITCH,
	KMLN_ROLE_UPLINK,
	KMLN_ROLE_END, /* the private switch at the end of an impaired cable */
	KMLN_ROLE_WIRE, /* that cable */
};
/* "host", "switch" ... */
const char *kmln_role_name(enum kmln_role role);
/* "host-a": what a node is called. Ends and wires are called after host and interface: "a.eth0". */
const char *kmln_store_node(const struct kmln_store *store, enum kmln_role role, const char *name);
/* Its folder under runtime/P/nodes/, and its log. */
const char *kmln_store_node_folder(const struct kmln_store *store, const char *node);
const char *kmln_store_log(const struct kmln_store *store, const char *node);
/*
 * The path of the script that starts (or stops) a node: `verb` is "start" or "stop". Hosts have
 * their boot order in front of their name; for all others `order` is not used.
 */
const char *kmln_store_script(const struct kmln_store *store, const char *verb, enum kmln_role role,
	const char *name, unsigned order);
/* A host's own folder, and a file in it (NULL: the folder). */
const char *kmln_store_host(const struct kmln_store *store, const char *host, const char *below);
/* The hosts that have a folder, built to the end or not: sorted. */
int kmln_store_hosts(
	const struct kmln_store *store, struct kmln_strv *hosts, struct kmln_error *err);
/* Of the nodes that have a folder, alive or not: sorted. No folder: none. */
int kmln_store_nodes(
	const struct kmln_store *store, struct kmln_strv *nodes, struct kmln_error *err);

/* The names in a folder but for hidden ones, sorted; a folder that is not there has none. */
int kmln_store_names(const char *folder, struct kmln_strv *names, struct kmln_error *err);

/*
 * Of taps.c: takes away the host's network devices (taps) that start scripts made for nodes that do
 * not run any more. Needs root where there are any, as making them did.
 */
int kmln_taps_clear(const struct kmln_store *store, struct kmln_error *err);

/*
 * Locks the project for a command that changes it; *fd is the caller's to close, which unlocks. Its
 * folder is made where it is missing. Waits up to `seconds` for another command, then EBUSY with
 * that one's pid. KMLN_EINVALID where somebody else owns the folder.
 */
int kmln_store_lock(
	const struct kmln_store *store, unsigned seconds, int *fd, struct kmln_error *err);

/*
 * Unlocks. Where nothing was ever built in it, and nothing is in it but the lock, the folder goes.
 */
void kmln_store_unlock(const struct kmln_store *store, int *fd);

/* Where the project came from, for commands that know it by its name alone. */
struct kmln_origin {
	/* What it is read from: the copy of its file, or, where that includes files from elsewhere,
	 * resolved.xml. Full path; below the project's folder when it is written. */
	const char *file;
	/* Where its file was: relative images and files are from there. Absolute, with a slash at
	 * its end. */
	const char *folder;
	const char *source; /* that file's name in there; NULL: not known */
};
/* 1 where it is there, 0 where not; text is the store's pool's. */
int kmln_origin_read(
	const struct kmln_store *store, struct kmln_origin *origin, struct kmln_error *err);
int kmln_origin_write(
	const struct kmln_store *store, const struct kmln_origin *origin, struct kmln_error *err);

/* What a host was built from: written last, so a host without it was not built to the end. */
struct kmln_built {
	const char *platform, *why; /* where it runs, and the reason */
	const char *wish; /* what the file said then: "auto", "uml" ... */
	const char *name; /* of its image, as the file has it */
	const char *image; /* the path of its image */
	const char *prepared; /* the disk under its overlay */
	const char *settings; /* SHA-256 of the settings that its disk has */
};
/* 1 where it was built, 0 where not; text is the pool's. */
int kmln_built_read(const struct kmln_store *store, const char *host, struct kmln_built *built,
	struct kmln_error *err);
/* Complete or as it was: the file is replaced at once. */
int kmln_built_write(const struct kmln_store *store, const char *host,
	const struct kmln_built *built, struct kmln_error *err);
/* The same without a sync, for many hosts that are synced together. */
int kmln_built_put(const struct kmln_store *store, const char *host, const struct kmln_built *built,
	struct kmln_error *err);
bool kmln_built_equal(const struct kmln_built *a, const struct kmln_built *b);

#endif
