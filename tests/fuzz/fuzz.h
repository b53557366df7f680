/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What fuzz targets have in common. A target is one file here that defines
 * LLVMFuzzerTestOneInput(), which takes any bytes and must come back: without a crash, a
 * sanitizer's report, a leak, or an abort() of its own where something that must always hold does
 * not. libFuzzer calls it with bytes of its making, replay.c with the files of its corpus.
 */
#ifndef KMLN_TESTS_FUZZ_H
#define KMLN_TESTS_FUZZ_H

#include <stdint.h>

#include "image/disk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as text, up to its first NUL, in the pool. */
char *fuzz_text(struct kmln_pool *pool, const uint8_t *data, size_t size);

/* An image in memory that begins with the input and is at least `least` bytes long. */
void fuzz_disk(const uint8_t *data, size_t size, uint64_t least, struct kmln_disk *disk);

/*
 * Inspects a small guest in which the files `paths` (NULL-ended) have the input as their content,
 * once with sysvinit and once with busybox, and plans for it on each platform. Aborts where a
 * second plan, made of a guest changed by the first, is not empty.
 */
void fuzz_guest(const char *const *paths, const uint8_t *data, size_t size);

#endif
