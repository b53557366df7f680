/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a project says of a host, as settings of its guest. Files that a project names are read once
 * for all hosts; so is the list of hosts that each of them is given.
 */
#ifndef KMLN_CLUSTER_HOST_SETTINGS_H
#define KMLN_CLUSTER_HOST_SETTINGS_H

#include "cluster/cluster.h"
#include "guest/settings.h"
#include "project/names.h"

struct kmln_shared {
	struct kmln_pool *pool; /* borrowed */
	const struct kmln_model *model;
	const char *folder; /* of the project file, where relative paths begin */
	struct kmln_set_host *hosts;
	size_t host_count;
	struct kmln_set_memo memo;
	struct kmln_names files; /* by their paths: struct kmln_buf, in the pool */
	struct kmln_names sources; /* of `files`, by their paths: what a line brings */
};

void kmln_shared_init(struct kmln_shared *shared, const struct kmln_model *model,
	const char *folder, struct kmln_pool *pool);

/*
 * Fills *settings for this host; what it points to is the pool's and the shared part's. Errors: a
 * file that cannot be read.
 */
int kmln_host_settings(struct kmln_shared *shared, const struct kmln_host *host,
	struct kmln_pool *pool, struct kmln_settings *settings, struct kmln_error *err);

/* What a portable copy is given for all hosts, so that it need not be on each disk. */
extern const struct kmln_settings kmln_base_settings;

/* All that any of these hosts is given, each thing once: for looking at a guest, not for planning.
 */
int kmln_all_settings(struct kmln_shared *shared, const struct kmln_placed *hosts, size_t count,
	const struct kmln_base *base, struct kmln_settings *settings, struct kmln_error *err);

/* The UUID of the filesystem or swap space that kmln makes under this name for a host. */
#define KMLN_UUID_TEXT 37
void kmln_derived_uuid(
	char text[KMLN_UUID_TEXT], const char *project, const char *host, const char *name);

#endif
