// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Both of GRUB's images are patched as grub-install would: boot.img learns where core.img begins,
 * and core.img's first sector learns where its rest lies.
 */
#include "guest/mbr.h"

#include <endian.h>
#include <string.h>

#include "guest/disk-layout.h"

/* Offsets in the boot sector. */
#define BOOT_CORE_SECTOR 0x5c /* u64: where core.img begins */
#define BOOT_DRIVE_CHECK 0x66 /* two bytes: a jump that trusts the BIOS's drive number, or not */
#define BOOT_CODE_SIZE 0x1b8
#define MBR_DISK_ID 0x1b8
#define MBR_TABLE 0x1be
#define MBR_MAGIC 0x1fe

/* Offsets in core.img's first sector: the block list's one entry. */
#define CORE_REST_SECTOR 0x1f4 /* u64 */
#define CORE_REST_COUNT 0x1fc /* u16 */

void kmln_put_le16(char *at, uint16_t value)
{
	value = htole16(value);
	memcpy(at, &value, sizeof(value));
}

void kmln_put_le32(char *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

void kmln_put_le64(char *at, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, sizeof(value));
}

/* A place in cylinders, heads and sectors, as old readers of the table expect it (255 heads, 63
 * sectors). */
static void put_chs(char *at, uint64_t sector)
{
	uint64_t cylinder = sector / (255 * 63);

	if (cylinder > 1023) {
		memcpy(at, "\xfe\xff\xff", 3);
		return;
	}
	at[0] = (char)(sector / 63 % 255);
	at[1] = (char)((sector % 63 + 1) | (cylinder >> 2 & 0xc0));
	at[2] = (char)cylinder;
}

void kmln_mbr_table(char *sector, uint32_t disk_id, const struct kmln_mbr_partition *partition)
{
	char *entry = sector + MBR_TABLE;
	uint64_t count = partition->count < UINT32_MAX ? partition->count : UINT32_MAX;

	kmln_put_le32(sector + MBR_DISK_ID, disk_id);
	entry[0] = (char)(partition->active ? 0x80 : 0);
	put_chs(entry + 1, partition->start);
	entry[4] = (char)partition->type;
	put_chs(entry + 5, partition->start + partition->count - 1);
	kmln_put_le32(entry + 8, (uint32_t)partition->start);
	kmln_put_le32(entry + 12, (uint32_t)count);
	memcpy(sector + MBR_MAGIC, "\x55\xaa", 2);
}

void kmln_mbr_grub(char *sector, const char *boot_img, uint64_t core)
{
	memcpy(sector, boot_img, BOOT_CODE_SIZE);
	kmln_put_le64(sector + BOOT_CORE_SECTOR, core);
	memcpy(sector + BOOT_DRIVE_CHECK, "\x90\x90", 2);
}

char *kmln_mbr_core(
	struct kmln_pool *pool, const char *core, size_t size, uint64_t at, size_t *padded)
{
	size_t sectors = (size + KMLN_SECTOR - 1) / KMLN_SECTOR;
	char *copy = kmln_pool_alloc(pool, sectors * KMLN_SECTOR);

	memcpy(copy, core, size);
	kmln_put_le64(copy + CORE_REST_SECTOR, at + 1);
	kmln_put_le16(copy + CORE_REST_COUNT, (uint16_t)(sectors - 1));
	*padded = sectors * KMLN_SECTOR;
	return copy;
}
