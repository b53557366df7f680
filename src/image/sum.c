// SPDX-License-Identifier: GPL-2.0-or-later
/* SHA-512 as text. */
#include "image/sum.h"

#include <ext2fs/ext2fs.h>
#include <stdio.h>

char *kmln_sum(struct kmln_pool *pool, const char *bytes, size_t size)
{
	unsigned char sum[EXT2FS_SHA512_LENGTH];
	char *hex = kmln_pool_alloc(pool, 2 * sizeof(sum) + 1);

	ext2fs_sha512((const unsigned char *)bytes, size, sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	return hex;
}
