// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The head of an image file: qcow2, sparse VMDK, VDI, VHD, QED, and whatever begins like one. Names
 * that come out are text without NUL, and what may be joined is no longer than a disk can be.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "image/formats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_header header;
	struct kmln_error err = {0};

	if (size > KMLN_HEADER_MAX)
		size = KMLN_HEADER_MAX;
	if (size >= 512)
		kmln_vhd_fixed(data + size - 512, size);
	if (kmln_header_parse(data, size, pool, &header, &err) < 0) {
		if (err.code != KMLN_EINVALID || !*err.text)
			abort();
		return 0;
	}
	if (!header.driver != (header.extent_count > 0) || (header.backing && !*header.backing) ||
		(header.data && !*header.data))
		abort();
	return 0;
}
