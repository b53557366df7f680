/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the commands about a project's life have in common: finding it, be its file broken or gone;
 * saying what happens; Ctrl-C.
 */
#ifndef KMLN_CLI_LIFE_H
#define KMLN_CLI_LIFE_H

#include <signal.h>

#include "cli/project.h"
#include "cluster/life.h"

/* Seconds. */
#define KMLN_READY_LIMIT 300
#define KMLN_SHUTDOWN_LIMIT 60

#define KMLN_OPT_READY(type) \
	{ \
		"timeout", 0, KMLN_OPT_NUMBER, "SECONDS", \
			"how long a host may take until it is ready (default 300)", \
			offsetof(type, timeout), NULL \
	}
#define KMLN_OPT_SHOW_ONLY(type) \
	{ \
		"dry-run", 'n', KMLN_OPT_FLAG, NULL, "only show what would be done", \
			offsetof(type, dry_run), NULL \
	}
#define KMLN_OPT_UNCONFINED(type) \
	{ \
		"unconfined", 0, KMLN_OPT_FLAG, NULL, \
			"for a host that cannot confine machines; see kmln-boot(1)", \
			offsetof(type, unconfined), NULL \
	}
#define KMLN_OPT_JOBS(type) \
	{ \
		"jobs", 'j', KMLN_OPT_NUMBER, "N", \
			"start N hosts at once (default: all of a level)", offsetof(type, jobs), \
			NULL \
	}

/* How the project is named on the command line. */
struct kmln_which {
	const char *file, *project;
	bool allow_include;
};

/* A project that is worked on. KMLN_ALIVE_NONE before; is never copied. */
struct kmln_alive {
	struct kmln_loaded loaded;
	struct kmln_pool *pool;
	struct kmln_store store;
	struct kmln_life life;
	int lock; /* -1: not locked */
	sigset_t mask; /* before signals were caught */
	bool catching;
};
#define KMLN_ALIVE_NONE ((struct kmln_alive){.life.signals = -1, .lock = -1})
#define KMLN_ALIVE KMLN_CLEANUP(kmln_alive_fini)
void kmln_alive_fini(struct kmln_alive *alive);

enum kmln_alive_how {
	KMLN_ALIVE_BUILT, /* as it was built, whole; KMLN_ENO where it was not */
	/* As it was built; with a file of mistakes, or none at all, life.model is NULL, and its
	 * nodes are those that are found. */
	KMLN_ALIVE_FOUND,
	KMLN_ALIVE_SEEN, /* as its file has it now, else as above */
};
int kmln_alive_open(struct kmln_alive *alive, const struct kmln_which *which,
	enum kmln_alive_how how, struct kmln_error *err);
/* The same from what kmln_project_choose() has put into alive->loaded. */
int kmln_alive_use(struct kmln_alive *alive, struct kmln_error *err);
/* Locks it against other commands. */
int kmln_alive_lock(struct kmln_alive *alive, struct kmln_error *err);

/*
 * From here on Ctrl-C ends the waiting and not us. Once the waiting has ended with EINTR,
 * kmln_alive_release() says what goes on running, and ends kmln by the signal.
 */
int kmln_alive_catch(struct kmln_alive *alive, struct kmln_error *err);
void kmln_alive_release(struct kmln_alive *alive, int result);

/* Starts and stops, as kmln_life_start() and kmln_life_stop() do, with Ctrl-C caught. */
int kmln_alive_start(
	struct kmln_alive *alive, const struct kmln_life_start *wish, struct kmln_error *err);
int kmln_alive_stop(
	struct kmln_alive *alive, const struct kmln_life_stop *wish, struct kmln_error *err);

/* Seconds, within what can be counted in milliseconds. */
int kmln_seconds(uint64_t given, unsigned otherwise, unsigned *seconds, struct kmln_error *err);

/* life-show.c: what is told while nodes start and stop, on stderr. */
void kmln_life_tell_user(struct kmln_life *life);

#endif
