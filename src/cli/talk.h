/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Passing bytes between this process and streams of nodes: one as it is, or several at once. One
 * loop, which never lets one side run ahead of the other: memory is bounded however fast a guest
 * speaks and however slowly it is read.
 */
#ifndef KMLN_CLI_TALK_H
#define KMLN_CLI_TALK_H

#include "cli/output.h"
#include "cluster/stream.h"

/* One of those that are spoken to. */
struct kmln_talker {
	const char *host;
	struct kmln_control control;
	struct kmln_stream stream;
	struct kmln_prefixer lines[2]; /* for standard output and standard error */
	bool gone; /* its line has broken: `failure` says how */
	struct kmln_error failure;
};

enum kmln_talk_end {
	KMLN_TALK_DONE, /* all streams have closed */
	KMLN_TALK_DETACHED, /* the user has typed Ctrl-] */
	KMLN_TALK_TIMEOUT,
	KMLN_TALK_ENOUGH, /* the user has asked three times to end it */
};

struct kmln_talk {
	struct kmln_talker *talkers;
	size_t count;
	bool input; /* standard input goes to all of them */
	bool endless; /* its end is not passed on */
	bool raw; /* the terminal is raw: keys are passed, and Ctrl-] is the way out */
	unsigned escapes; /* so many of them in a row, within a second: 1 or 3 */
	bool resize; /* the size of the terminal is passed on */
	bool signals; /* SIGINT, SIGTERM, SIGHUP and SIGQUIT are passed on; else they end us */
	bool prefixed; /* the talkers' prefixers make lines of it */
	unsigned limit_ms; /* of it all; 0: none */
	/* Takes what comes instead of our own outputs; or NULL. */
	void (*take)(void *data, size_t index, bool is_error, const char *bytes, size_t size);
	void *data;
};

/*
 * Until all streams have closed, or else. What ended it is in *end; errors are those of this
 * process (a terminal, an output that cannot be written), the talkers have their own.
 */
int kmln_talk(struct kmln_talk *talk, enum kmln_talk_end *end, struct kmln_error *err);
void kmln_talker_fini(struct kmln_talker *talker);

/* {"do": what}, to be filled further. */
struct kmln_json *kmln_request(const char *what);
/* The terminal's size, with 24 and 80 where there is none. */
void kmln_terminal_size(unsigned *rows, unsigned *columns);

#endif
