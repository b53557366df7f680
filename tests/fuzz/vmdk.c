// SPDX-License-Identifier: GPL-2.0-or-later
/* A VMDK descriptor, alone and inside a sparse file. Its extents fit into a disk. */
#include "fuzz.h"

#include <stdlib.h>

#include "image/formats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_header header;
	struct kmln_error err = {0};
	uint64_t total = 0;

	kmln_vmdk_parse(data, size, true, pool, &header, &err);
	if (kmln_vmdk_parse(data, size, false, pool, &header, &err) < 0)
		return 0;
	if (!header.extent_count || header.extent_count > KMLN_VMDK_EXTENTS_MAX)
		abort();
	for (size_t i = 0; i < header.extent_count; i++) {
		const struct kmln_vmdk_extent *e = &header.extents[i];

		if (!*e->name || !e->size || e->size % 512 || e->start % 512 ||
			kmln_add_overflow(total, e->size, &total) || total > INT64_MAX)
			abort();
	}
	return 0;
}
