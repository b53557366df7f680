/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the probes have in common: findings, and asking programs of the host, never for long. */
#ifndef KMLN_PLATFORM_LOOK_H
#define KMLN_PLATFORM_LOOK_H

#include "platform/platform.h"

/* Nothing is copied: key and package are literals, value is NULL, a literal or in the pool. */
void kmln_probe_add(struct kmln_pool *pool, struct kmln_probe *probe, const char *key,
	const char *value, const char *package);
/* Sets the verdict; returns 0, so that a probe ends in one line. */
int kmln_probe_end(struct kmln_probe *probe, const char *state, const char *reason);

/*
 * The words (standard output, then standard error, from the pool) of a program that takes up to
 * three arguments (NULL: none) and at most eight seconds, whatever its status. NULL where it cannot
 * be run or does not end.
 */
char *kmln_look_ask(struct kmln_pool *pool, const char *program, const char *one, const char *two,
	const char *three);
/* The first word of the text that starts with a digit, without what follows ',' or ')': a version.
 * NULL: none. */
char *kmln_look_version(struct kmln_pool *pool, const char *text);
/* The first line of a small file of the host without its newline, from the pool; NULL: no such
 * file, or not readable. */
char *kmln_look_line(struct kmln_pool *pool, const char *path);
/* The first of "FOLDER/name" that is there, from the pool; folders end with NULL. */
char *kmln_look_file(struct kmln_pool *pool, const char *const *folders, const char *name);

#endif
