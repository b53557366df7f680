/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One job on several images at once: each in a process of its own, so that none disturbs another.
 */
#ifndef KMLN_CLI_MANY_H
#define KMLN_CLI_MANY_H

#include "base/mem.h"

/*
 * Calls work(data, i) for each of `count` names, `parallel` at a time, in children. What they say
 * goes to stderr with the name in front; on a terminal a line for each that runs shows how far it
 * is. Ends with a summary, and an error (EIO) where any of them failed. Their standard output must
 * not be used.
 */
int kmln_many(const char *const *names, size_t count, unsigned parallel,
	int (*work)(void *data, size_t index, struct kmln_error *err), void *data,
	struct kmln_error *err);

#endif
