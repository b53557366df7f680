/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A kernel from the guest's own distribution, by the host's apt with the guest's sources and keys.
 */
#ifndef KMLN_GUEST_FETCH_H
#define KMLN_GUEST_FETCH_H

#include "image/facts.h"
#include "tree/tree.h"

/*
 * Fetches the distribution's small virtual-machine kernel into the cache; *release is the pool's.
 * Only http and https sources are used, and only their signed indexes: the guest cannot make apt
 * read the host's files. KMLN_ELACK where no kernel is to be had.
 */
int kmln_fetch_kernel(struct kmln_tree *tree, const struct kmln_facts *facts,
	struct kmln_pool *pool, const char **release, struct kmln_error *err);

/*
 * For tests: the one-line sources (each starts with "deb [...") that this text of a sources.list
 * (or, with deb822, of a .sources file) gives. Keyrings are named by `key`, a path for Signed-By;
 * NULL: apt's default.
 */
void kmln_fetch_sources(const char *text, bool deb822, struct kmln_pool *pool,
	void (*add)(void *data, const char *uri, const char *suite, const char *components,
		const char *signed_by),
	void *data);

#endif
