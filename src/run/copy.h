/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copying a disk so that its holes stay holes. */
#ifndef KMLN_RUN_COPY_H
#define KMLN_RUN_COPY_H

#include <stdint.h>

#include "base/error.h"

/*
 * Copies `size` bytes of `from` (from its start) to byte `offset` of `to`, an empty file that this
 * makes long enough. Shares blocks where the host's filesystem can, else copies inside the kernel.
 */
int kmln_copy_sparse(int from, uint64_t size, int to, uint64_t offset, struct kmln_error *err);

#endif
