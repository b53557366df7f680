/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Actions: steps in the life of machines, in order, as plain data. Making and printing them is
 * pure; run/machine.c alone carries them out.
 *
 * A node's name stands for what is known only once it runs (its processes, its console). A spawned
 * program starts in a private folder made for it, which is therefore "." and needs no name.
 */
#ifndef KMLN_PLAN_ACTIONS_H
#define KMLN_PLAN_ACTIONS_H

#include <stdint.h>

#include "base/mem.h"

struct kmln_edits;

enum kmln_action_kind {
	/* ---- what is made before machines start ---- */
	KMLN_ACTION_PREPARE, /* `path`, a copy of the image `from` with `edits` carried out */
	KMLN_ACTION_OVERLAY, /* `path`, a qcow2 of `size` bytes over the raw disk `from` */
	KMLN_ACTION_CREATE, /* `path`, a file of `size` bytes to swap on */
	KMLN_ACTION_EDIT, /* carry out `edits` on the disk `path` */
	/* ---- their life ---- */
	KMLN_ACTION_TAP, /* make the host's network device `text` for the node; needs root */
	KMLN_ACTION_RUN, /* a line of the user's own, for his shell: `text` */
	KMLN_ACTION_READY, /* until the node is ready: `text` says when */
	KMLN_ACTION_SERVE, /* start the program that serves the node's disk; see run/daemon.h */
	KMLN_ACTION_SPAWN, /* start the node */
	KMLN_ACTION_EXPECT, /* until `text`, a POSIX extended regex, appears on its console */
	KMLN_ACTION_SEND, /* type `text` on its console */
	KMLN_ACTION_ATTACH, /* the user's terminal or input is its console, until it ends */
	KMLN_ACTION_WAIT, /* until it ends */
	KMLN_ACTION_STOP, /* end it at once, as if its power were cut */
	KMLN_ACTION_KINDS
};

/* A name in the private folder, made before the program starts: a symbolic link to `target`. */
struct kmln_action_link {
	const char *name, *target;
};

/* The first descriptor of a program that is a line to an agent, and how many there can be. */
#define KMLN_CHANNEL 4
#define KMLN_CHANNELS 2

/* What SERVE and SPAWN start. Everything is in the pool of the actions. */
struct kmln_spawn {
	const char *const *argv; /* whole, confinement included; argv[0] is a path; NULL-ended */
	const char *const *env; /* "NAME=value": the whole environment; NULL-ended */
	const char *const *sandbox; /* what confines it and what it sees, for people; NULL-ended */
	const struct kmln_action_link *links;
	size_t link_count;
	const char *scratch; /* a folder of files made for it, which goes with it; NULL: none */
	bool confined; /* by namespaces: all its processes end with the first one */
	/* Nothing stands in front of the program: the machine is not a process of this host. Its
	 * console is a terminal then. */
	bool open;
	/* What is run, with the same environment, once the program has ended, however that was: it
	 * takes away what outlives it. NULL-ended, or NULL. */
	const char *const *ending;
	/* Descriptors for an agent in the guest, from KMLN_CHANNEL on, at most KMLN_CHANNELS: each
	 * is a line of its own; or, `split`, it reads the first and writes the second of one. */
	unsigned channels;
	bool split;
	/* Bytes that may be typed while the guest does not read them (run/typing.h); 0: any. */
	size_t type_ahead;
};

struct kmln_action {
	enum kmln_action_kind kind;
	const char *node;
	const char *why; /* a few words for people, or NULL */
	const char *text; /* EXPECT, SEND */
	const char *ready; /* READY: what `text` says, as kmln-node takes it; see docs/life.md */
	const char *tap_bridge, *tap_address; /* TAP: its bridge, the host's address; or NULL */
	unsigned timeout; /* EXPECT, WAIT, ATTACH: seconds since the spawn; 0: no limit */
	const struct kmln_spawn *spawn; /* SERVE, SPAWN */
	const char *path, *from; /* host paths: PREPARE, OVERLAY, CREATE, EDIT */
	uint64_t size; /* bytes */
	const struct kmln_edits *edits; /* PREPARE, EDIT */
};

struct kmln_actions {
	struct kmln_pool *pool; /* borrowed */
	const char *by; /* who asked for them: the command */
	struct kmln_action *items;
	size_t count;
};

/* Appends one step of this kind for the node, for the caller to fill in; valid until the next. */
struct kmln_action *kmln_actions_add(
	struct kmln_actions *actions, enum kmln_action_kind kind, const char *node);

/* Copies a vector into the pool; NULL-ended also where it is empty. */
const char *const *kmln_actions_words(struct kmln_actions *actions, const struct kmln_strv *words);

const char *kmln_action_kind_name(enum kmln_action_kind kind);

/*
 * Prints one step a line; below a spawn its sandbox and its command, which can be pasted into a
 * shell. This text is what --dry-run shows and golden tests hold.
 */
void kmln_actions_print(const struct kmln_actions *actions, struct kmln_buf *out);

#endif
