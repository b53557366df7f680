/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A kernel from the guest's own distribution, by the host's apt with the guest's sources and keys.
 */
#ifndef KMLN_GUEST_FETCH_H
#define KMLN_GUEST_FETCH_H

#include "guest/kit.h"
#include "image/facts.h"
#include "tree/tree.h"

/*
 * The distribution's small virtual-machine kernel, as a kit of the cache. Whoever has the guest's
 * keys can make any kernel, so the kit is kept for guests with the very same sources and keys: one
 * that such a guest had fetched before is given again. Only http and https sources are used, and
 * only their signed indexes. KMLN_ELACK where no kernel is to be had.
 */
int kmln_fetch_kernel(struct kmln_tree *tree, const struct kmln_facts *facts,
	const struct kmln_platform *platform, struct kmln_pool *pool, struct kmln_kit_entry *kit,
	struct kmln_error *err);

/*
 * Fetches the packages `names` (NULL-ended) and what else the guest lacks for them, by apt's
 * choice, and gives the folder that they are in: one of the cache for guests with the very same
 * sources and keys. With names NULL nothing is fetched: the folder alone is given, which may not be
 * there.
 */
int kmln_fetch_packages(struct kmln_tree *tree, const struct kmln_facts *facts,
	const char *const *names, struct kmln_pool *pool, const char **folder,
	struct kmln_error *err);

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
