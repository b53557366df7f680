// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rpm's headers, as librpm reads them out of a file of SUSE's kind: the input is one header, or,
 * where it begins as such a file does, the file.
 */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#include "image/inspect-rpm.h"

static void put(struct kmln_buf *to, const char *magic, uint32_t a, uint32_t b, uint32_t c)
{
	const uint32_t numbers[3] = {a, b, c};

	kmln_buf_add(to, magic, 4);
	kmln_buf_add(to, numbers, sizeof(numbers));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	KMLN_BUF struct kmln_buf file = {0};
	FILE *to = fopen("/dev/null", "w");

	if (size >= 4 && memcmp(data, "RpmP", 4) == 0) {
		kmln_buf_add(&file, data, size);
	} else {
		uint32_t blocks = (uint32_t)((size + 28 + 15) / 16);

		put(&file, "RpmP", 0, 1, 1);
		kmln_buf_grow(&file, 16);
		put(&file, "Slot", 1, 256, blocks);
		while (file.size < 4096)
			put(&file, "Slot", 0, 0, 0);
		put(&file, "BlbS", 1, 1, (uint32_t)size);
		kmln_buf_add(&file, data, size);
		kmln_buf_grow(&file, (size_t)blocks * 16 - 16 - size);
	}
	kmln_parse_rpm_slots(to, (const unsigned char *)file.data, file.size);
	fclose(to);
	return 0;
}
