// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A disk whose first bytes are the input: MBR, extended partitions, GPT. A GPT checksum that is
 * zero is filled in, so that random changes come past it.
 */
#include "fuzz.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "image/inspect.h"
#include "image/partitions.h"

#define DISK_SIZE (64ull << 20)
#define HEADER 512 /* of the GPT, in the second sector */

static uint32_t crc32(const uint8_t *bytes, size_t size)
{
	uint32_t sum = ~0u;

	while (size--) {
		sum ^= *bytes++;
		for (int bit = 0; bit < 8; bit++)
			sum = sum >> 1 ^ (sum & 1 ? 0xedb88320 : 0);
	}
	return ~sum;
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

static void put32(uint8_t *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

static void fill_in(uint8_t *disk, size_t size)
{
	uint64_t table, count, each, length;

	if (size < 2 * HEADER || memcmp(disk + HEADER, "EFI PART", 8) != 0)
		return;
	table = (uint64_t)get32(disk + HEADER + 0x48) * 512;
	count = get32(disk + HEADER + 0x50);
	each = get32(disk + HEADER + 0x54);
	if (!get32(disk + HEADER + 0x58) && table < size && count * each <= size - table)
		put32(disk + HEADER + 0x58, crc32(disk + table, count * each));
	length = get32(disk + HEADER + 0x0c);
	if (!get32(disk + HEADER + 0x10) && length <= size - HEADER)
		put32(disk + HEADER + 0x10, crc32(disk + HEADER, length));
}

/* Every partition lies inside the disk. */
static void check(const struct kmln_facts *facts, const struct kmln_disk *disk)
{
	for (size_t i = 0; i < facts->partition_count; i++) {
		const struct kmln_range *range = &facts->partitions[i].range;

		if (range->offset > disk->size || range->size > disk->size - range->offset)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_facts facts = {.pool = pool};
	KMLN_BUF struct kmln_buf bytes = {0};
	KMLN_DISK struct kmln_disk disk;
	struct kmln_error err = {0};

	kmln_buf_add(&bytes, data, size);
	fill_in((uint8_t *)bytes.data, bytes.size);
	fuzz_disk((const uint8_t *)bytes.data, bytes.size, DISK_SIZE, &disk);
	if (kmln_partitions_read(&disk, &facts, &err) == 0) {
		check(&facts, &disk);
		kmln_filesystems_read(&disk, &facts, &err);
	}
	return 0;
}
