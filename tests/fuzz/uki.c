// SPDX-License-Identifier: GPL-2.0-or-later
/* A unified kernel image: a PE program with the kernel's words and names in sections. */
#include "fuzz.h"

#include <string.h>

#include "image/inspect-parts.h"

struct input {
	const uint8_t *data;
	size_t size;
};

static ssize_t window(void *data, void *to, size_t size, uint64_t offset)
{
	const struct input *input = data;

	if (offset >= input->size)
		return 0;
	size = size < input->size - offset ? size : (size_t)(input->size - offset);
	memcpy(to, input->data + offset, size);
	return (ssize_t)size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_facts facts = {.pool = pool};
	struct input input = {data, size};

	kmln_parse_uki(&facts, "/efi/linux.efi", window, &input, size);
	return 0;
}
