// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A whole image: partition table or bare filesystem, its superblock, its folders and files, as
 * `kmln inspect` reads them. A superblock checksum that is zero is filled in, so that random
 * changes come past it. The size of the disk is that of the input, so truncated filesystems are
 * among them.
 */
#include "fuzz.h"

#include <ext2fs/ext2fs.h>
#include <stddef.h>
#include <string.h>

#include "image/inspect.h"

#define SUPER 1024

static void fill_in(uint8_t *bytes, size_t size)
{
	const size_t at = SUPER + offsetof(struct ext2_super_block, s_checksum);
	uint32_t sum;

	if (size < at + sizeof(sum))
		return;
	memcpy(&sum, bytes + at, sizeof(sum));
	if (sum)
		return;
	sum = ext2fs_cpu_to_le32(ext2fs_crc32c_le(~0u, bytes + SUPER, at - SUPER));
	memcpy(bytes + at, &sum, sizeof(sum));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	KMLN_FACTS struct kmln_facts *facts = NULL;
	KMLN_BUF struct kmln_buf bytes = {0};
	KMLN_DISK struct kmln_disk disk;
	struct kmln_error err = {0};

	/* kmln_disk_open() refuses what is less than a sector */
	if (size < 512)
		return 0;
	kmln_buf_add(&bytes, data, size);
	fill_in((uint8_t *)bytes.data, bytes.size);
	fuzz_disk((const uint8_t *)bytes.data, bytes.size, 0, &disk);
	kmln_inspect(&disk, &facts, &err);
	return 0;
}
