// SPDX-License-Identifier: GPL-2.0-or-later
/* The head of an image file that is not raw: its format, and which other files it names. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "image/formats.h"

/* A name that may be looked for is text; extents lie where numbers cannot overflow. */
static void check(const struct kmln_header *header)
{
	uint64_t end;

	if (!header->format || header->extent_count > KMLN_VMDK_EXTENTS_MAX)
		abort();
	for (size_t i = 0; i < header->extent_count; i++) {
		const struct kmln_vmdk_extent *e = &header->extents[i];

		if (!e->name || !*e->name || !e->size || e->start % 512 || e->size % 512 ||
			kmln_add_overflow(e->start, e->size, &end))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_header header = {0};
	struct kmln_error err = {0};
	const char *format = kmln_format_name(data, size);

	if (size >= 512)
		kmln_vhd_fixed(data, size);
	if (!kmln_eq(format, "raw") && !kmln_eq(format, "uml-cow") &&
		!kmln_starts(format, "compressed") &&
		kmln_header_parse(data, size, pool, &header, &err) == 0)
		check(&header);
	header = (struct kmln_header){.format = "vmdk"};
	if (kmln_vmdk_parse(data, size, false, pool, &header, &err) == 0)
		check(&header);
	return 0;
}
