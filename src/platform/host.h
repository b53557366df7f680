/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this host has beside the platforms: walls to put machines behind, networks, helper programs.
 * Everything is found by trying it where that is possible; nothing is changed.
 */
#ifndef KMLN_PLATFORM_HOST_H
#define KMLN_PLATFORM_HOST_H

#include "base/mem.h"

/* A helper program of kmln's, or a folder of files. */
struct kmln_tool {
	const char *name; /* "e2fsck" */
	const char *package; /* the Debian package that brings it */
	const char *use; /* what kmln needs it for, a few words */
	const char *path; /* NULL: missing */
	const char *version; /* NULL: not known, or missing */
};

/* Strings are in the pool. */
struct kmln_host {
	const char *kernel; /* release, like "6.1.0-25-amd64" */
	const char *machine; /* "x86_64" */
	bool root; /* this process has uid 0 */

	/* A process may enter a user, mount and PID namespace of its own and mount there; else
	 * why not. Tried. */
	bool namespaces;
	const char *namespaces_why;
	/* bwrap starts a program with everything unshared; else why not. Tried. */
	bool bwrap;
	const char *bwrap_why;
	uint64_t max_user_namespaces;
	bool apparmor_restricts; /* user namespaces only for programs with an AppArmor profile */
	/* The range of subordinate ids of this user; count 0: none. */
	uint64_t subuid_first, subuid_count;
	uint64_t subgid_first, subgid_count;
	bool id_maps; /* newuidmap and newgidmap are there */

	struct kmln_tool *tools;
	size_t tool_count;
};

/* Fails only where it cannot look at all. */
int kmln_host_look(struct kmln_pool *pool, struct kmln_host *host, struct kmln_error *err);

/* The namespaces alone; *why is NULL where they work. */
int kmln_host_namespaces(
	struct kmln_pool *pool, bool *work, const char **why, struct kmln_error *err);

/* NULL: kmln knows no such tool. */
const struct kmln_tool *kmln_host_tool(const struct kmln_host *host, const char *name);

/*
 * The first range for the user in the text of /etc/subuid or /etc/subgid, by name or by number;
 * false: none that makes sense.
 */
bool kmln_subid_find(
	const char *text, const char *name, unsigned uid, uint64_t *first, uint64_t *count);

#endif
