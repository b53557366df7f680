/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reaching into the machines of a project that run: which project, which of its hosts, and the line
 * to their nodes. Quick: the project's file is read only where nothing else names the project or
 * tells the order of its hosts, and nothing is probed.
 */
#ifndef KMLN_CLI_REACH_H
#define KMLN_CLI_REACH_H

#include "cli/cli.h"
#include "cluster/control.h"
#include "cluster/store.h"

struct kmln_reach {
	struct kmln_pool *pool;
	struct kmln_store store;
};
#define KMLN_REACH KMLN_CLEANUP(kmln_reach_fini)
void kmln_reach_fini(struct kmln_reach *reach);

/* Finds the project: by -p, else by the name in the file of -f, or in the one here or above. */
int kmln_reach_open(struct kmln_reach *reach, const char *file, const char *project,
	bool allow_include, struct kmln_error *err);
/*
 * The host of this name as the project writes it, from the pool: letters are compared as names are.
 * KMLN_EUSAGE where the project has none of it.
 */
int kmln_reach_host(
	struct kmln_reach *reach, const char *name, const char **host, struct kmln_error *err);
/* All `count` of them, each once and in the order of the file; with `all` each host that is built.
 */
int kmln_reach_hosts(struct kmln_reach *reach, char *const *names, size_t count, bool all,
	struct kmln_strv *hosts, struct kmln_error *err);
/* The folder of a host's node. */
const char *kmln_reach_folder(struct kmln_reach *reach, const char *host);
/* Connects to a host's node. KMLN_ENO where it does not run, with how it ended. */
int kmln_reach_connect(struct kmln_reach *reach, const char *host, struct kmln_control *control,
	struct kmln_error *err);
/* What to do where it is the agent that does not answer: appended to such an error. */
int kmln_reach_explain(struct kmln_reach *reach, const char *host, struct kmln_error *err);

#endif
