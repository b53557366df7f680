/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Short-lived helper programs: started from an argument vector, never through a shell, waited for,
 * their words captured. Machines are started elsewhere (run/).
 */
#ifndef KMLN_BASE_CHILD_H
#define KMLN_BASE_CHILD_H

#include "base/mem.h"

struct kmln_child {
	const char *const *argv; /* argv[0] is looked up in PATH, then /usr/sbin and /sbin */
	const char *package; /* the Debian package that brings argv[0], for the message */
	const char *input; /* NULL: /dev/null */
	int keep_fd; /* a descriptor the child inherits under the same number; <= 0: none */
	const char *folder; /* where it runs; NULL: here */
	const char *const
		*env; /* "NAME=value" to set beside the inherited ones, NULL-ended, or NULL */
	const char *const *unset; /* names to take out of the environment, NULL-ended, or NULL */
	bool own_group; /* Ctrl-C at our terminal does not reach it */
	unsigned limit_ms; /* kmln_child_run() kills it after this time (ETIMEDOUT); 0: none */
};

/*
 * Runs it to its end. Standard output is appended to *out and standard error to *errors (either may
 * be NULL: discarded), each up to 1 MiB, the rest is read and dropped. Returns the exit status
 * (0-255; 128 + signal), or a negative code where it could not be run (KMLN_ELACK: no such
 * program).
 */
int kmln_child_run(const struct kmln_child *child, struct kmln_buf *out, struct kmln_buf *errors,
	struct kmln_error *err);

/* As above, and fails unless the status is 0, with the last words of the program in the error. */
int kmln_child_must(const struct kmln_child *child, struct kmln_buf *out, struct kmln_error *err);

/*
 * Starts it with its standard output readable from *out_fd (the caller closes it) and standard
 * error passed to a file descriptor of the caller's. Returns the pid or a negative code.
 */
int kmln_child_start(
	const struct kmln_child *child, int *out_fd, int err_fd, struct kmln_error *err);
/* Waits for a started child; returns its status as kmln_child_run() does. */
int kmln_child_wait(int pid, struct kmln_error *err);

#endif
