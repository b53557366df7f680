// SPDX-License-Identifier: GPL-2.0-or-later
/* GPT revision 1.0 with 128 entries, as the UEFI specification has it. */
#include "guest/gpt.h"

#include <stdlib.h>
#include <string.h>

#include "guest/disk-layout.h"
#include "guest/mbr.h"
#include "base/sum.h"

#define ENTRIES 128u
#define ENTRY 128u
#define HEADER 92u

static uint32_t crc32(const char *data, size_t size)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < size; i++) {
		crc ^= (unsigned char)data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static unsigned char hex_byte(const char *text)
{
	const char digits[] = {text[0], text[1], '\0'};

	return (unsigned char)strtoul(digits, NULL, 16);
}

/* The first three fields of a GUID are little-endian on a disk. */
static void put_guid(char *at, const char *text)
{
	static const unsigned char places[] = {
		6, 4, 2, 0, 11, 9, 16, 14, 19, 21, 24, 26, 28, 30, 32, 34};

	for (size_t i = 0; i < sizeof(places); i++)
		at[i] = (char)hex_byte(text + places[i]);
}

/* A GUID of its own for what it is called by: version 8, made of a checksum. */
static void put_own_guid(char *at, const char *seed, const char *what)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	char *words = kmln_pool_printf(pool, "kmln %s %s", what, seed);
	char *sum = kmln_sum(pool, words, strlen(words));

	for (size_t i = 0; i < 16; i++)
		at[i] = (char)hex_byte(sum + 2 * i);
	at[7] = (char)((at[7] & 0x0f) | 0x80);
	at[8] = (char)((at[8] & 0x3f) | 0x80);
}

static void put_header(char *header, uint64_t here, uint64_t other, uint64_t entries,
	uint64_t sectors, const char *seed, uint32_t sum)
{
	memcpy(header, "EFI PART\0\0\1\0", 12);
	kmln_put_le32(header + 12, HEADER);
	kmln_put_le64(header + 24, here);
	kmln_put_le64(header + 32, other);
	kmln_put_le64(header + 40, KMLN_GPT_SECTORS);
	kmln_put_le64(header + 48, sectors - KMLN_GPT_BACKUP_SECTORS - 1);
	put_own_guid(header + 56, seed, "disk");
	kmln_put_le64(header + 72, entries);
	kmln_put_le32(header + 80, ENTRIES);
	kmln_put_le32(header + 84, ENTRY);
	kmln_put_le32(header + 88, sum);
	kmln_put_le32(header + 16, crc32(header, HEADER));
}

void kmln_gpt_make(char *head, char *tail, uint64_t sectors, const char *seed,
	const struct kmln_gpt_partition *partitions, size_t count)
{
	const struct kmln_mbr_partition protective = {
		.type = 0xee, .start = 1, .count = sectors - 1};
	char *entries = head + 2 * KMLN_SECTOR;
	uint32_t sum;

	kmln_mbr_table(head, 0, &protective);
	for (size_t i = 0; i < count; i++) {
		const struct kmln_gpt_partition *p = &partitions[i];
		char *entry = entries + (p->number - 1) * ENTRY;

		put_guid(entry, p->type);
		put_own_guid(entry + 16, seed, p->name);
		kmln_put_le64(entry + 32, p->start);
		kmln_put_le64(entry + 40, p->start + p->count - 1);
		for (size_t n = 0; p->name[n]; n++)
			entry[56 + 2 * n] = p->name[n];
	}
	sum = crc32(entries, ENTRIES * ENTRY);
	memcpy(tail, entries, ENTRIES * ENTRY);
	put_header(head + KMLN_SECTOR, 1, sectors - 1, 2, sectors, seed, sum);
	put_header(tail + ENTRIES * ENTRY, sectors - 1, 1, sectors - KMLN_GPT_BACKUP_SECTORS,
		sectors, seed, sum);
}
