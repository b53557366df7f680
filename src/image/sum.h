/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-512, by libext2fs: for names of caches and for knowing a script by its content. */
#ifndef KMLN_IMAGE_SUM_H
#define KMLN_IMAGE_SUM_H

#include "base/mem.h"

/* The SHA-512 of the bytes in hexadecimal, from the pool. */
char *kmln_sum(struct kmln_pool *pool, const char *bytes, size_t size);

#endif
