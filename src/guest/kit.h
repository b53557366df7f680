/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel kits: a kernel, its modules and their indexes, ready to be put into guests. A kit is a
 * folder laid out as a root filesystem (boot/vmlinuz-RELEASE, usr/lib/modules/RELEASE), so it is
 * looked at as a tree, like a guest; the host's own kernels are kits whose folder is "/".
 *
 * Kits of the cache are made beside and renamed: one that is there is complete, and one that is
 * replaced while somebody reads it stays until nobody does.
 */
#ifndef KMLN_GUEST_KIT_H
#define KMLN_GUEST_KIT_H

#include "image/facts.h"
#include "platform/platform.h"
#include "tree/tree.h"

struct kmln_kit {
	struct kmln_tree *tree;
	struct kmln_pool *pool; /* owned; holds the kernel */
	struct kmln_kernel *kernel;
	const char *origin; /* "cache", "host" or "fetched" */
	const char *folder;
	int lock; /* nobody removes its files while we read them; 0: none, as for the host's own */
};

void kmln_kit_close(struct kmln_kit *kit);
#define KMLN_KIT KMLN_CLEANUP(kmln_kit_close)

/* A kernel that could be had; for lists and for choosing. Text is the pool's. */
struct kmln_kit_entry {
	const char *release, *origin, *folder;
	const char *initramfs; /* kept beside it in the cache, or NULL */
	uint64_t bytes; /* of its files; 0 in a list for some guest */
	bool suits; /* the platform asked for */
	const char *const *entries; /* as struct kmln_kernel has them */
	const char *arch;
};

/*
 * Kernels of the cache, then of the host, then those fetched by the keys of some guest ("fetched"),
 * each newest first. `facts` (may be NULL) is the guest that it shall start. What cannot be read is
 * left out.
 */
int kmln_kits_list(struct kmln_pool *pool, const struct kmln_platform *platform,
	const struct kmln_facts *facts, struct kmln_kit_entry **entries, size_t *count,
	struct kmln_error *err);
/* Appends the kits of one folder of kits, newest first; a missing folder has none. */
int kmln_kits_in(struct kmln_pool *pool, const char *folder, const char *origin,
	const struct kmln_platform *platform, const struct kmln_facts *facts,
	struct kmln_kit_entry **entries, size_t *count, struct kmln_error *err);
int kmln_kit_open(const struct kmln_kit_entry *entry, struct kmln_kit *kit, struct kmln_error *err);

/*
 * Adds the kernel of a .deb file, or each kernel of a folder laid out as a root filesystem, to the
 * folder of kits `to` (NULL: the cache's own). *release (the pool's) is the one that was added, of
 * several the newest. One that is there already is replaced. `with` (NULL-ended, or NULL) are .deb
 * files that the kernel's package depends on: they are kept beside it.
 */
int kmln_kit_add(const char *path, const char *const *with, const char *to, struct kmln_pool *pool,
	const char **release, struct kmln_error *err);

#endif
