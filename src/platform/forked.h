/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trying something on the host that may hang, kill its process or change it: a child does it and
 * says how it went. The caller's own process is left as it was.
 */
#ifndef KMLN_PLATFORM_FORKED_H
#define KMLN_PLATFORM_FORKED_H

#include <stddef.h>

#include "base/error.h"

/*
 * Runs `work` in a child, which ends behind it, and copies the `size` bytes of its answer back
 * (zeroed before; at most one page). `work` must not print, nor use what threads share: it is a few
 * system calls. Returns 0; -ETIMEDOUT when it was killed after limit_ms, -ECHILD when it died
 * without an answer: then *answer is as it was.
 */
int kmln_forked(void (*work)(const void *arg, void *answer), const void *arg, void *answer,
	size_t size, unsigned limit_ms, struct kmln_error *err);

#endif
