/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Building a project, for the commands that do it: build, and those that start what it made. */
#ifndef KMLN_CLI_BUILD_H
#define KMLN_CLI_BUILD_H

#include <stdio.h>

#include "cli/project.h"
#include "cluster/build.h"

/* How long a command waits for another one that changes the same project. */
#define KMLN_LOCK_SECONDS 10

/* Zeroed but for the wishes. */
struct kmln_building {
	struct kmln_loaded *loaded; /* borrowed, of kmln_project_choose(); must outlive it */
	const char *platform; /* "auto" or NULL: decided here */
	bool unconfined, replatform, replace;
	const struct kmln_move *moves; /* see kmln_cluster_wish */
	size_t move_count;
	struct kmln_shared shared;
	struct kmln_cluster cluster;
	struct kmln_build_plan plan;
};
#define KMLN_BUILDING KMLN_CLEANUP(kmln_building_fini)
void kmln_building_fini(struct kmln_building *building);

/*
 * Looks at the host and compares: fills cluster and plan. `prepare`: images are converted first
 * where their copies are missing, else what they would be is foreseen and nothing is made.
 */
int kmln_building_look(struct kmln_building *building, bool prepare, struct kmln_error *err);
/* The plan, a change a line. */
void kmln_building_show(const struct kmln_building *building, FILE *to);
/* Makes it so; the project is locked, and what must be stopped is. Nothing where nothing changes.
 */
int kmln_building_carry_out(struct kmln_building *building, struct kmln_error *err);

#endif
