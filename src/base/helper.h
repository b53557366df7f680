/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs of ours that only kmln starts (kmln-uplink ...). They are of the same build as the kmln
 * that runs: never looked up in PATH.
 */
#ifndef KMLN_BASE_HELPER_H
#define KMLN_BASE_HELPER_H

#include "base/mem.h"

/*
 * The absolute path of the helper program `name`, from the pool: beside the running program (a
 * build folder), else in the folder where they are installed. Fails with KMLN_ELACK.
 */
int kmln_find_helper(
	struct kmln_pool *pool, const char *name, const char **path, struct kmln_error *err);

#endif
