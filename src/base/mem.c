// SPDX-License-Identifier: GPL-2.0-or-later
/* Pools, buffers, string vectors. A pool is a chain of blocks; big objects get one of their own. */
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE 16384
/* Most texts that are put together fit into this. */
#define SHORT 256
/* Bytes that a text is begun with. */
#define SMALL 64

/*
 * Under the address sanitizer each object is a block of its own, to the byte, so that a step over
 * its end is seen.
 */
#if defined(__SANITIZE_ADDRESS__)
#define SHARED_BLOCKS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SHARED_BLOCKS 0
#endif
#endif
#ifndef SHARED_BLOCKS
#define SHARED_BLOCKS 1
#endif

struct block {
	struct block *next;
	size_t used, room;
	_Alignas(max_align_t) char bytes[];
};

struct kmln_pool {
	struct block *blocks; /* the first one is being filled */
};

void *kmln_malloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		abort();
	return p;
}

void *kmln_realloc(void *old, size_t size)
{
	void *p = realloc(old, size ? size : 1);

	if (!p)
		abort();
	return p;
}

char *kmln_strdup(const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(kmln_malloc(size), text, size);
}

char *kmln_printf(const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		abort();
	va_end(args);
	return text;
}

void kmln_free_cleanup(void *pointer_to_pointer)
{
	void *p;

	memcpy(&p, pointer_to_pointer, sizeof(p));
	free(p);
}

struct kmln_pool *kmln_pool_new(void)
{
	struct kmln_pool *pool = kmln_malloc(sizeof(*pool));

	pool->blocks = NULL;
	return pool;
}

struct kmln_pool *kmln_pool_free(struct kmln_pool *pool)
{
	while (pool && pool->blocks) {
		struct block *next = pool->blocks->next;

		free(pool->blocks);
		pool->blocks = next;
	}
	free(pool);
	return NULL;
}

void kmln_pool_cleanup(struct kmln_pool **pool)
{
	*pool = kmln_pool_free(*pool);
}

static struct block *block_new(size_t room)
{
	struct block *b = kmln_malloc(sizeof(*b) + room);

	b->next = NULL;
	b->used = 0;
	b->room = room;
	return b;
}

void *kmln_pool_alloc(struct kmln_pool *pool, size_t size)
{
	const size_t align = _Alignof(max_align_t);
	struct block *b = pool->blocks;
	void *p;

	if (size > SIZE_MAX / 2)
		abort();
	if (SHARED_BLOCKS)
		size = (size + align - 1) & ~(align - 1);
	if (!SHARED_BLOCKS || size > BLOCK_SIZE / 4) {
		/* behind the block that is being filled, so that its rest is not lost */
		struct block *big = block_new(size);

		if (b) {
			big->next = b->next;
			b->next = big;
		} else {
			pool->blocks = big;
		}
		big->used = size;
		return memset(big->bytes, 0, size);
	}
	if (!b || b->room - b->used < size) {
		b = block_new(BLOCK_SIZE);
		b->next = pool->blocks;
		pool->blocks = b;
	}
	p = b->bytes + b->used;
	b->used += size;
	return memset(p, 0, size);
}

void *kmln_pool_array(struct kmln_pool *pool, size_t count, size_t size)
{
	size_t total;

	if (kmln_mul_overflow(count, size, &total))
		abort();
	return kmln_pool_alloc(pool, total);
}

char *kmln_pool_memdup(struct kmln_pool *pool, const void *data, size_t size)
{
	char *copy = kmln_pool_alloc(pool, size + 1);

	if (size)
		memcpy(copy, data, size);
	return copy;
}

char *kmln_pool_strdup(struct kmln_pool *pool, const char *text)
{
	return text ? kmln_pool_memdup(pool, text, strlen(text)) : NULL;
}

char *kmln_pool_printf(struct kmln_pool *pool, const char *fmt, ...)
{
	char text[SHORT], *longer;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (n < 0)
		abort();
	if ((size_t)n < sizeof(text))
		return kmln_pool_memdup(pool, text, (size_t)n);
	longer = kmln_pool_alloc(pool, (size_t)n + 1);
	va_start(args, fmt);
	vsnprintf(longer, (size_t)n + 1, fmt, args);
	va_end(args);
	return longer;
}

void *kmln_pool_append(struct kmln_pool *pool, void *array, size_t *count, size_t size)
{
	char *items;

	memcpy(&items, array, sizeof(items));
	if ((*count & (*count - 1)) == 0) {
		char *bigger = kmln_pool_array(pool, *count ? *count * 2 : 1, size);

		if (*count)
			memcpy(bigger, items, *count * size);
		items = bigger;
		memcpy(array, &items, sizeof(items));
	}
	return items + (*count)++ * size;
}

static void buf_reserve(struct kmln_buf *buf, size_t more)
{
	size_t need;

	if (kmln_add_overflow(buf->size, more, &need) || kmln_add_overflow(need, (size_t)1, &need))
		abort();
	if (need <= buf->room)
		return;
	buf->room = need > 2 * buf->room ? need : 2 * buf->room;
	/* most that grow do so by a few bytes at a time */
	if (SHARED_BLOCKS && buf->room < SMALL)
		buf->room = SMALL;
	buf->data = kmln_realloc(buf->data, buf->room);
}

void *kmln_buf_grow(struct kmln_buf *buf, size_t size)
{
	void *p;

	buf_reserve(buf, size);
	p = buf->data + buf->size;
	memset(p, 0, size + 1);
	buf->size += size;
	return p;
}

void kmln_buf_add(struct kmln_buf *buf, const void *data, size_t size)
{
	buf_reserve(buf, size);
	if (size)
		memcpy(buf->data + buf->size, data, size);
	buf->size += size;
	buf->data[buf->size] = '\0';
}

void kmln_buf_str(struct kmln_buf *buf, const char *text)
{
	kmln_buf_add(buf, text, strlen(text));
}

void kmln_buf_vprintf(struct kmln_buf *buf, const char *fmt, va_list args)
{
	va_list again;
	int n;

	va_copy(again, args);
	buf_reserve(buf, SHORT);
	n = vsnprintf(buf->data + buf->size, buf->room - buf->size, fmt, args);
	if (n < 0)
		abort();
	if ((size_t)n >= buf->room - buf->size) {
		buf_reserve(buf, (size_t)n);
		vsnprintf(buf->data + buf->size, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	buf->size += (size_t)n;
}

void kmln_buf_printf(struct kmln_buf *buf, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	kmln_buf_vprintf(buf, fmt, args);
	va_end(args);
}

void kmln_buf_fini(struct kmln_buf *buf)
{
	free(buf->data);
	*buf = (struct kmln_buf){0};
}

/* Takes `text` over. The room doubles; the count alone says how much there is. */
static void strv_take(struct kmln_strv *strv, char *text)
{
	const size_t used = strv->count + 1; /* with the NULL at the end */

	if (!strv->items || (used & (used - 1)) == 0)
		strv->items = kmln_realloc(strv->items, 2 * used * sizeof(char *));
	strv->items[strv->count++] = text;
	strv->items[strv->count] = NULL;
}

void kmln_strv_add(struct kmln_strv *strv, const char *text)
{
	strv_take(strv, kmln_strdup(text));
}

void kmln_strv_printf(struct kmln_strv *strv, const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		abort();
	va_end(args);
	strv_take(strv, text);
}

void kmln_strv_adds(struct kmln_strv *strv, ...)
{
	va_list args;

	va_start(args, strv);
	for (const char *text; (text = va_arg(args, const char *));)
		kmln_strv_add(strv, text);
	va_end(args);
}

bool kmln_strv_has(const struct kmln_strv *strv, const char *text)
{
	for (size_t i = 0; i < strv->count; i++)
		if (strcmp(strv->items[i], text) == 0)
			return true;
	return false;
}

void kmln_strv_fini(struct kmln_strv *strv)
{
	for (size_t i = 0; i < strv->count; i++)
		free(strv->items[i]);
	free(strv->items);
	*strv = (struct kmln_strv){0};
}

bool kmln_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool kmln_ends(const char *text, const char *suffix)
{
	size_t a = strlen(text), b = strlen(suffix);

	return a >= b && strcmp(text + a - b, suffix) == 0;
}
