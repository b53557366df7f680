/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carries out actions: starts a machine, shows its console on standard output, waits for what is to
 * appear there, types, and ends it. When this returns, however it returns, no process of the
 * machine is left; SIGINT, SIGTERM, SIGHUP and SIGQUIT end it too. The commands of cli/ call it.
 */
#ifndef KMLN_RUN_MACHINE_H
#define KMLN_RUN_MACHINE_H

#include "plan/actions.h"

/* Ends an attached machine when typed on a terminal: Ctrl-] */
#define KMLN_MACHINE_QUIT 0x1d

/*
 * Runs the actions, which are those of one node and begin with its spawn. On failure `tail` gets
 * the last lines of the console, or of the program's own words where the console shows none,
 * without control bytes. Errors: KMLN_ELACK where the walls cannot be had, ETIMEDOUT, EBUSY where
 * the image is in use, EINTR, EIO for a panic and for a program that failed, KMLN_EUSAGE for a bad
 * regex.
 */
int kmln_actions_run(
	const struct kmln_actions *actions, struct kmln_buf *tail, struct kmln_error *err);

#endif
