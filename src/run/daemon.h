/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qemu-storage-daemon as a process behind walls: its words are heard, its end is explained, and one
 * that writes is told to finish, so that it closes its image well. It ends with kmln, however kmln
 * ends. What it is told to serve is the business of image/storage.c and image/serve.c.
 */
#ifndef KMLN_RUN_DAEMON_H
#define KMLN_RUN_DAEMON_H

#include "run/process.h"

#define KMLN_DAEMON_PROGRAM "qemu-storage-daemon"
/* What is said where somebody else has an image open. */
#define KMLN_IN_USE \
	"in use: a running machine (UML, QEMU) or another kmln has it open; stop that first"

struct kmln_daemon {
	struct kmln_process process;
	struct kmln_buf words, walls, answers;
	bool monitored; /* it has a monitor on its console */
};
#define KMLN_DAEMON_NONE ((struct kmln_daemon){.process = KMLN_PROCESS_NONE})

/* Takes what it says: it would else wait for us for ever. */
void kmln_daemon_hear(struct kmln_daemon *daemon);
/* The last line that it said, without the command line that it repeats in front; or NULL. */
const char *kmln_daemon_words(struct kmln_daemon *daemon);
/*
 * Why it ended before it served: EBUSY where the image is in use, KMLN_ELACK where it could not be
 * confined, else KMLN_EINVALID with its words. `what` it could not do: "read it as qcow2".
 */
int kmln_daemon_explain(struct kmln_daemon *daemon, const char *what, struct kmln_error *err);
/* It broke off while it was needed: EIO, with its words. */
int kmln_daemon_lost(struct kmln_daemon *daemon, const char *what, struct kmln_error *err);
/*
 * Starts one whose monitor is the last that it opens, and waits until that greets: all else is
 * served by then. EINTR where `signals` (a signalfd) has something to read.
 */
int kmln_daemon_serve(struct kmln_daemon *daemon, const struct kmln_spawn *spawn,
	const sigset_t *mask, int signals, struct kmln_error *err);
/* Ends it, one that has a monitor in its own time, and gives all back. */
void kmln_daemon_stop(struct kmln_daemon *daemon);

#endif
