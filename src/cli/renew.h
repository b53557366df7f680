/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making a project on this host what it should be, while it lives: what is to be built, and what
 * must be stopped for it. First all is looked at, then the user is asked, then something is done.
 */
#ifndef KMLN_CLI_RENEW_H
#define KMLN_CLI_RENEW_H

#include "cli/build.h"
#include "cli/life.h"

struct kmln_renew_wish {
	const struct kmln_move *moves; /* hosts that get another platform; see kmln_cluster_wish */
	size_t move_count;
	const char *platform; /* for hosts that leave it open; "auto" or NULL: decided here */
	bool replatform, unconfined;
	bool dry_run; /* not even copies of images are made */
	/* Of these hosts alone what runs is touched; with none of all, and what the project does
	 * not have any more is stopped. */
	char *const *names;
	size_t name_count;
};

struct kmln_renew {
	struct kmln_alive *alive;
	struct kmln_building building;
	const char **stops; /* a node's place in alive->life: why it is stopped, or NULL */
	size_t stop_count;
	bool hosts_stop; /* there are hosts among these */
	bool only_wanted; /* some hosts were named */
};
#define KMLN_RENEW KMLN_CLEANUP(kmln_renew_fini)
void kmln_renew_fini(struct kmln_renew *renew);

/* Looks; `alive` is open, and locked unless it is a dry run. */
int kmln_renew_look(struct kmln_renew *renew, struct kmln_alive *alive,
	const struct kmln_renew_wish *wish, struct kmln_error *err);
/* The plan, with what will be started then: wanted nodes of alive->life that do not run. */
void kmln_renew_text(const struct kmln_renew *renew, const char *by, struct kmln_buf *out);
struct kmln_json *kmln_renew_json(const struct kmln_renew *renew);
/* Shows the plan and asks, where hosts that run will be stopped. KMLN_ENO: the user said no. */
int kmln_renew_ask(
	const struct kmln_renew *renew, const char *by, bool yes, struct kmln_error *err);
/* Stops and builds. Marks what was stopped as wanted, with what it is plugged into. */
int kmln_renew_carry_out(
	struct kmln_renew *renew, const struct kmln_life_stop *stop, struct kmln_error *err);

#endif
