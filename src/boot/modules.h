/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What depmod wrote about a kernel's modules: is a driver there, and what must be loaded before it.
 *
 * The files come out of a guest: they are bounded, a cycle ends, and a path in them is always taken
 * as one below the modules folder. Names are compared with '-' and '_' as one letter, as the kernel
 * does.
 */
#ifndef KMLN_BOOT_MODULES_H
#define KMLN_BOOT_MODULES_H

#include "tree/tree.h"

struct kmln_modules;

enum kmln_driver {
	KMLN_DRIVER_ABSENT,
	KMLN_DRIVER_BUILTIN,
	KMLN_DRIVER_MODULE,
};

struct kmln_module {
	const char *name; /* with '_' only: "virtio_blk"; fit for a file name */
	const char *file; /* below the folder: "kernel/drivers/block/virtio_blk.ko" */
};

/*
 * Reads modules.dep (which must be there), modules.builtin, modules.alias and modules.softdep
 * (which may be missing) of `folder` ("/usr/lib/modules/6.1.0-56-amd64") in the tree. All of
 * *modules is the pool's; the tree is not needed afterwards.
 */
int kmln_modules_read(struct kmln_tree *tree, const char *folder, struct kmln_pool *pool,
	struct kmln_modules **modules, struct kmln_error *err);

/* "none", "gz", "xz" or "zst", by the first module's name; NULL where there is none. */
const char *kmln_modules_compression(const struct kmln_modules *modules);

enum kmln_driver kmln_modules_find(const struct kmln_modules *modules, const char *name);

/* The module of this name, or NULL where it is absent or built in. */
const struct kmln_module *kmln_modules_get(const struct kmln_modules *modules, const char *name);

/*
 * Everything to load for these names (NULL-ended), in load order, dependencies first, each once;
 * names that are built in or absent add nothing. Soft dependencies ("pre:") are followed where they
 * name a module, or an alias that a module whose name ends in "_generic" serves. The list is the
 * pool's and ends in NULL.
 */
const struct kmln_module *const *kmln_modules_closure(
	const struct kmln_modules *modules, const char *const *names, struct kmln_pool *pool);

/* Calls fn for each alias pattern of a module, in the order of modules.alias. */
typedef void (*kmln_alias_fn)(void *data, const char *pattern);
void kmln_modules_aliases(const struct kmln_modules *modules, const struct kmln_module *module,
	kmln_alias_fn fn, void *data);

#endif
