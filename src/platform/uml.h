/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What User-Mode Linux alone has: the modules of its kernel, which lie on the host. */
#ifndef KMLN_PLATFORM_UML_H
#define KMLN_PLATFORM_UML_H

#include "platform/platform.h"

/* The disk that a storage daemon serves, as the guest sees it, without /dev/. */
#define KMLN_UML_SERVED "vda"

/*
 * Where the modules of this linux.uml are: `*release` is a folder in the host's `*folder`. The text
 * is the pool's. KMLN_ELACK, with the package, where they are not there.
 */
int kmln_uml_find_modules(struct kmln_pool *pool, const char *program, const char **folder,
	const char **release, struct kmln_error *err);

/* True for a file that is a linux.uml: a kernel of no other platform's. */
bool kmln_uml_is_program(const char *path);

#endif
