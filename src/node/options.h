/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of kmln-node, as data; docs/life.md has the table. Pure. */
#ifndef KMLN_NODE_OPTIONS_H
#define KMLN_NODE_OPTIONS_H

#include "base/mem.h"
#include "plan/actions.h"

/* What the program's descriptors 4 and 5 are. */
enum kmln_node_channel {
	KMLN_CHANNEL_NONE,
	KMLN_CHANNEL_SERIAL, /* 4: a line that stalls for good when flooded */
	KMLN_CHANNEL_VIRTIO, /* 4: a virtio port; 5: a serial line */
};

enum kmln_node_ready {
	KMLN_NODE_READY_NONE, /* once it runs */
	KMLN_NODE_READY_AGENT,
	KMLN_NODE_READY_PORT, /* of the guest's loopback */
	KMLN_NODE_READY_CONSOLE, /* a regex matches there */
	KMLN_NODE_READY_WORDS, /* the program says this text */
	KMLN_NODE_READY_SOCKET, /* can be connected to */
};

enum kmln_node_restart {
	KMLN_NODE_RESTART_NO,
	KMLN_NODE_RESTART_ON_FAILURE,
	KMLN_NODE_RESTART_ALWAYS,
};

struct kmln_node_options {
	const char *name, *run, *log;
	const char *transfer; /* or NULL */
	enum kmln_node_channel channel;
	enum kmln_node_ready ready;
	const char *ready_text; /* CONSOLE: the regex; WORDS; SOCKET: the path */
	unsigned ready_port;
	const char *waits_for; /* for people: what it is ready by; NULL where by nothing */
	enum kmln_node_restart restart;
	bool foreground, help;
	struct kmln_strv fresh; /* folders that are made, and emptied, before each start */
	struct kmln_spawn spawn;
	struct kmln_spawn serve; /* its argv is NULL where nothing serves a disk */
};

/*
 * Fills *options; text points into argv and the pool, and kmln_strv_fini(&options->fresh) ends it.
 * KMLN_EUSAGE. With --help nothing else is filled.
 */
int kmln_node_options(struct kmln_node_options *options, struct kmln_pool *pool, int argc,
	char **argv, struct kmln_error *err);

#endif
