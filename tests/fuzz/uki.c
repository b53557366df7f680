// SPDX-License-Identifier: GPL-2.0-or-later
/* A unified kernel image: the PE headers, and the sections where they say. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "image/inspect-parts.h"

struct file {
	const uint8_t *data;
	size_t size;
};

static ssize_t window(void *data, void *to, size_t size, uint64_t offset)
{
	const struct file *file = data;

	/* the parser looks only inside the file */
	if (offset > file->size)
		abort();
	if (size > file->size - offset)
		size = file->size - (size_t)offset;
	memcpy(to, file->data + offset, size);
	return (ssize_t)size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_facts facts = {.pool = pool};
	struct file file = {data, size};

	kmln_parse_uki(&facts, "/boot/EFI/Linux/x.efi", window, &file, size);
	return 0;
}
