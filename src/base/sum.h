/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checksums of content: the one home of nettle. */
#ifndef KMLN_BASE_SUM_H
#define KMLN_BASE_SUM_H

#include <stdint.h>

#include "base/mem.h"

/* The SHA-512 of the bytes in hexadecimal, from the pool. */
char *kmln_sum(struct kmln_pool *pool, const char *bytes, size_t size);

/* SHA-256, piece by piece. */
struct kmln_sha256 {
	_Alignas(8) unsigned char state[128];
};
#define KMLN_SHA256_TEXT 65 /* in hexadecimal, with a NUL */

void kmln_sha256_start(struct kmln_sha256 *sum);
void kmln_sha256_add(struct kmln_sha256 *sum, const void *bytes, size_t size);
void kmln_sha256_end(struct kmln_sha256 *sum, char text[KMLN_SHA256_TEXT]);

#endif
