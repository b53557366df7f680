/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A table from names to things, for finding them again among many. Lives in a pool. */
#ifndef KMLN_PROJECT_NAMES_H
#define KMLN_PROJECT_NAMES_H

#include "base/mem.h"

struct kmln_names {
	struct kmln_pool *pool;
	bool any_case; /* a and A are one, as they are for hosts */
	struct kmln_name_slot *slots;
	size_t room, count;
};

/*
 * Puts `thing` under the name, unless something is there already: then that is returned, and
 * nothing is changed. NULL: it is new. The name is borrowed; it may hold any bytes.
 */
void *kmln_names_add(struct kmln_names *names, const char *name, size_t size, void *thing);
/* NULL: there is none. */
void *kmln_names_find(const struct kmln_names *names, const char *name, size_t size);

#endif
