/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory: pools, growing buffers and string vectors. Running out of memory aborts: kmln bounds
 * what it reads, so an allocation that fails means that the machine is beyond help.
 *
 * A pool owns everything of one model (facts, a plan): pointers inside point into the same pool and
 * nothing in it is freed alone.
 */
#ifndef KMLN_BASE_MEM_H
#define KMLN_BASE_MEM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct kmln_pool;

struct kmln_pool *kmln_pool_new(void);
/* NULL is fine; returns NULL. */
struct kmln_pool *kmln_pool_free(struct kmln_pool *pool);
void kmln_pool_cleanup(struct kmln_pool **pool);
/* Zeroed memory, aligned for any type. */
void *kmln_pool_alloc(struct kmln_pool *pool, size_t size);
/* Zeroed memory for `count` objects of `size` bytes; aborts if the product overflows. */
void *kmln_pool_array(struct kmln_pool *pool, size_t count, size_t size);
/* NULL gives NULL. */
char *kmln_pool_strdup(struct kmln_pool *pool, const char *text);
/* A copy of `size` bytes with a NUL behind them, which is not counted. */
char *kmln_pool_memdup(struct kmln_pool *pool, const void *data, size_t size);
char *kmln_pool_printf(struct kmln_pool *pool, const char *fmt, ...) KMLN_PRINTF(2, 3);

/*
 * Appends one zeroed element to an array that lives in `pool`; returns it. *array and *count are
 * updated. The array doubles at powers of two, so pointers to its elements last only until the next
 * append.
 */
void *kmln_pool_append(struct kmln_pool *pool, void *array, size_t *count, size_t size);

/* A growing run of bytes. `data` is NULL or ends in a NUL that `size` does not count. */
struct kmln_buf {
	char *data;
	size_t size;
	size_t room;
};

void kmln_buf_add(struct kmln_buf *buf, const void *data, size_t size);
void kmln_buf_str(struct kmln_buf *buf, const char *text);
void kmln_buf_printf(struct kmln_buf *buf, const char *fmt, ...) KMLN_PRINTF(2, 3);
void kmln_buf_vprintf(struct kmln_buf *buf, const char *fmt, va_list args) KMLN_PRINTF(2, 0);
/* Makes the buffer `size` bytes longer, zeroed; returns the new bytes, valid until the next add. */
void *kmln_buf_grow(struct kmln_buf *buf, size_t size);
/* Frees the bytes; the buffer may be used again. */
void kmln_buf_fini(struct kmln_buf *buf);

/* A vector of strings it owns, always ending in NULL once something was added: an argv. */
struct kmln_strv {
	char **items;
	size_t count;
};

void kmln_strv_add(struct kmln_strv *strv, const char *text);
void kmln_strv_printf(struct kmln_strv *strv, const char *fmt, ...) KMLN_PRINTF(2, 3);
/* Adds strings up to a NULL. */
void kmln_strv_adds(struct kmln_strv *strv, ...) __attribute__((sentinel));
bool kmln_strv_has(const struct kmln_strv *strv, const char *text);
void kmln_strv_fini(struct kmln_strv *strv);

void *kmln_malloc(size_t size);
void *kmln_realloc(void *old, size_t size);
char *kmln_strdup(const char *text);
char *kmln_printf(const char *fmt, ...) KMLN_PRINTF(1, 2);

void kmln_free_cleanup(void *pointer_to_pointer);

#define KMLN_CLEANUP(f) __attribute__((cleanup(f)))
#define KMLN_FREE KMLN_CLEANUP(kmln_free_cleanup)
#define KMLN_BUF KMLN_CLEANUP(kmln_buf_fini)
#define KMLN_STRV KMLN_CLEANUP(kmln_strv_fini)
#define KMLN_POOL KMLN_CLEANUP(kmln_pool_cleanup)

#define KMLN_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Checked arithmetic for numbers that come out of an image: true when the result does not fit. */
#define kmln_add_overflow(a, b, result) __builtin_add_overflow(a, b, result)
#define kmln_mul_overflow(a, b, result) __builtin_mul_overflow(a, b, result)

/* Small text helpers without a better home. */
bool kmln_starts(const char *text, const char *prefix);
bool kmln_ends(const char *text, const char *suffix);
static inline bool kmln_eq(const char *a, const char *b)
{
	return a && b && __builtin_strcmp(a, b) == 0;
}

#endif
