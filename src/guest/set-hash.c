// SPDX-License-Identifier: GPL-2.0-or-later
/* Hashes of passwords: the home of libcrypt. */
#include <crypt.h>
#include <string.h>

#include "guest/set.h"

const char *kmln_set_hash(struct kmln_pool *pool, const char *password, const char *about)
{
	/* half of the digest, as bytes: a salt must differ from others, and need not be secret */
	const char *seed = kmln_set_sum(pool, about, strlen(about));
	char salt[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data *data = kmln_pool_alloc(pool, sizeof(*data));
	const char *hash;

	if (!crypt_gensalt_rn(NULL, 0, seed, 32, salt, sizeof(salt)))
		return NULL;
	hash = crypt_r(password, salt, data);
	return hash && hash[0] != '*' ? hash : NULL;
}

bool kmln_set_hash_is(const char *hash, const char *password)
{
	struct crypt_data *data;
	const char *again;
	bool same;

	/* a lock or nothing: crypt() would take it for a salt of the oldest kind */
	if (hash[0] != '$')
		return false;
	data = kmln_malloc(sizeof(*data));
	memset(data, 0, sizeof(*data));
	again = crypt_r(password, hash, data);
	same = kmln_eq(again, hash);
	kmln_free_cleanup(&data);
	return same;
}
