// SPDX-License-Identifier: GPL-2.0-or-later
/* A compressed kernel module: xz, gzip or zstd. */
#include "fuzz.h"

#include <stdlib.h>

#include "guest/archive.h"

#define LIMIT (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	KMLN_BUF struct kmln_buf plain = {0};
	struct kmln_error err = {0};

	if (kmln_decompress(data, size, LIMIT, &plain, &err) == 0 && plain.size > LIMIT)
		abort();
	return 0;
}
