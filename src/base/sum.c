// SPDX-License-Identifier: GPL-2.0-or-later
/* SHA-256 and SHA-512 by nettle, which uses what the processor has for them. */
#include "base/sum.h"

#include <nettle/sha2.h>

_Static_assert(sizeof(struct sha256_ctx) <= sizeof(struct kmln_sha256), "room for the state");

static void hex(char *text, const uint8_t *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < size; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[2 * size] = '\0';
}

char *kmln_sum(struct kmln_pool *pool, const char *bytes, size_t size)
{
	uint8_t digest[SHA512_DIGEST_SIZE];
	char *text = kmln_pool_alloc(pool, 2 * sizeof(digest) + 1);
	struct sha512_ctx context;

	sha512_init(&context);
	sha512_update(&context, size, (const uint8_t *)bytes);
	sha512_digest(&context, sizeof(digest), digest);
	hex(text, digest, sizeof(digest));
	return text;
}

void kmln_sha256_start(struct kmln_sha256 *sum)
{
	sha256_init((struct sha256_ctx *)sum->state);
}

void kmln_sha256_add(struct kmln_sha256 *sum, const void *bytes, size_t size)
{
	sha256_update((struct sha256_ctx *)sum->state, size, bytes);
}

void kmln_sha256_end(struct kmln_sha256 *sum, char text[KMLN_SHA256_TEXT])
{
	uint8_t digest[SHA256_DIGEST_SIZE];

	sha256_digest((struct sha256_ctx *)sum->state, sizeof(digest), digest);
	hex(text, digest, sizeof(digest));
}
