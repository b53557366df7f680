/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A node while it lives: the one state that the files of this folder share. life.c turns the loop;
 * each of the others looks after its part of it. One process, one thread, one poll(); it sleeps
 * while nothing happens.
 */
#ifndef KMLN_NODE_NODE_H
#define KMLN_NODE_NODE_H

#include <signal.h>

#include "node/agent.h"
#include "node/log.h"
#include "node/options.h"
#include "node/screen.h"
#include "node/server.h"
#include "run/daemon.h"

#define KMLN_NEVER INT64_MAX

enum kmln_node_state { KMLN_NODE_STARTING, KMLN_NODE_RUNNING, KMLN_NODE_ENDING };

/* How a node ended, for those who come later. */
struct kmln_node_end {
	const char *state; /* "ended", "stopped", "failed" */
	int status; /* of its program */
	int code; /* of the error; 0: none */
	char why[640]; /* "" where there is no more to say */
};

struct kmln_node {
	const struct kmln_node_options *options;
	int folder; /* its own, a descriptor to find files by */
	int lock, signals;
	int report; /* whoever started it waits here for a word; -1: told */
	sigset_t mask; /* of signals, for programs */

	enum kmln_node_state state;
	bool ready, over;
	int64_t now; /* milliseconds, of this turn */
	int64_t wake; /* when the next turn is due at the latest */
	int64_t started; /* when the program was */
	unsigned restarts;
	int64_t restart_at; /* KMLN_NEVER: no restart is due */
	int64_t pause; /* before the next restart */

	struct kmln_process process;
	struct kmln_daemon daemon;
	struct kmln_buf walls;
	bool runs; /* behind its walls */
	struct kmln_console words;
	struct kmln_screen screen;
	struct kmln_node_log log;
	regex_t ready_regex;
	int64_t ready_next; /* when is looked again */
	int64_t watch_next; /* when watchers are told again */
	struct kmln_lane *ready_lane; /* a question on its way */
	bool guest_says_yes; /* to that question */

	bool end_asked, shutdown_wanted, shutdown_sent, keys_pressed, was_cut;
	int64_t end_asked_at, end_deadline;
	struct kmln_lane *end_lane;

	struct kmln_server server;
	struct kmln_agent agent;
	struct kmln_node_end end;
};

/* Milliseconds, of a clock that nobody sets. */
int64_t kmln_node_now(void);
/* The loop turns again at this time at the latest. */
void kmln_node_wake(struct kmln_node *node, int64_t time);
/* Something changed that watchers are told. */
void kmln_node_changed(struct kmln_node *node);

/*
 * Starts the program and keeps it to its end. `err` is filled where it could not be started.
 * Otherwise node->end tells.
 */
int kmln_node_live(struct kmln_node *node, struct kmln_error *err);
/* It is to end: by itself within `seconds`, or (0) at once. */
void kmln_node_ask_end(struct kmln_node *node, unsigned seconds);
/* Tells whoever waits for the start that it is one; or, with an error, that it is none. */
void kmln_node_report(struct kmln_node *node, const struct kmln_error *err);

#endif
