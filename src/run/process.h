/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes of one machine. It is started in a private folder with its console on descriptors
 * 0 and 1, its words on 2, the status of its walls on 3, lines to an agent from 4 on where it has
 * such, and with nothing else of ours.
 *
 * No process of it outlives kmln, however kmln ends: the kernel ends the first one with kmln, and
 * its PID namespace ends the others. A keeper, which is a process that sleeps until kmln is gone,
 * then removes the private folder; where there is no PID namespace (unconfined) it also ends the
 * machine's process group. Where the machine is no process of ours (a domain of Xen) a command
 * takes it away once the program ended; should kmln be killed, the keeper runs that. (UML asked by
 * SIGTERM to end its helper processes itself sometimes spins for ever instead.)
 */
#ifndef KMLN_RUN_PROCESS_H
#define KMLN_RUN_PROCESS_H

#include <signal.h>
#include <sys/types.h>

#include "base/file.h"
#include "plan/actions.h"

struct kmln_process {
	pid_t pid; /* 0: not started, or ended and waited for */
	int pidfd; /* readable once it has ended */
	int console; /* our end, both ways */
	int words; /* its standard error */
	int walls; /* what stands in front of it tells here how far it came */
	int channels[KMLN_CHANNELS]; /* our ends of its lines to an agent; -1: none */
	struct kmln_private folder;
	const struct kmln_spawn *spawn; /* borrowed until its end, which looks at it */
	pid_t keeper; /* 0: not started */
	int lifeline; /* the keeper sees it close */
};
#define KMLN_PROCESS_NONE \
	((struct kmln_process){.pidfd = -1, \
		.console = -1, \
		.words = -1, \
		.walls = -1, \
		.channels = {-1, -1}, \
		.lifeline = -1})

/* `mask` is the signal mask it starts with. */
int kmln_process_start(struct kmln_process *process, const struct kmln_spawn *spawn,
	const sigset_t *mask, struct kmln_error *err);
/*
 * Ends it if it has not ended, sees to it that nothing of it is left, and gives its exit status
 * (0-255; 128 + signal). The descriptors stay open: what it wrote can still be read.
 */
int kmln_process_end(struct kmln_process *process);
/* As above, and gives all back. */
void kmln_process_cleanup(struct kmln_process *process);
#define KMLN_PROCESS KMLN_CLEANUP(kmln_process_cleanup)

#endif
