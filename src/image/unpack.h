/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A compressed file: a kernel module, what a kernel image carries. By libarchive, whose home for
 * this is unpack.c (archives are guest/archive*.c). The bytes are hostile: they cannot choose
 * another decoder than the one their first bytes name, and nobody takes more of what they unpack to
 * than he asked for.
 */
#ifndef KMLN_IMAGE_UNPACK_H
#define KMLN_IMAGE_UNPACK_H

#include "base/mem.h"

/*
 * The next bytes of what is to be unpacked, which last until the next call; *size 0: the end. The
 * first ones say what they are, so they are at least eight where there are as many.
 */
typedef int (*kmln_packed_fn)(void *data, const char **bytes, size_t *size, struct kmln_error *err);
/* Some of the unpacked bytes. Returns 0 to go on, 1 to end without an error, or a negative code. */
typedef int (*kmln_unpacked_fn)(void *data, const char *bytes, size_t size, struct kmln_error *err);

/*
 * Gives what the xz, gzip, zstd or lz4 bytes of `source` unpack to, piece by piece, to `fn`, each
 * called with `data`; other bytes as they are. No more is taken from the source than fn wants.
 * KMLN_EINVALID for damaged or cut bytes, once they are reached.
 */
int kmln_unpack(kmln_packed_fn source, kmln_unpacked_fn fn, void *data, struct kmln_error *err);

/*
 * Appends what the xz, gzip, zstd or lz4 bytes unpack to; other bytes are appended as they are.
 * More than `limit` bytes is EFBIG, damaged or cut bytes are KMLN_EINVALID.
 */
int kmln_decompress(
	const void *bytes, size_t size, size_t limit, struct kmln_buf *out, struct kmln_error *err);

#endif
