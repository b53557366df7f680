// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The first sectors: partition table, GRUB's boot sector and its core image in the gap before the
 * first partition. Both images are patched as grub-install would: boot.img learns where core.img
 * begins, and core.img's first sector learns where its rest lies.
 */
#include "guest/steps.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "guest/disk-layout.h"
#include "guest/vouch.h"

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

static void put_le64(char *at, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, sizeof(value));
}

static void put_le32(char *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

static void put_le16(char *at, uint16_t value)
{
	value = htole16(value);
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

/* One active Linux partition behind the first MiB; the id comes from the UUID, so it is as unique.
 */
static void make_table(char *sector, const struct kmln_filesystem *root, uint64_t bytes)
{
	uint64_t start = KMLN_FIRST_PARTITION / KMLN_SECTOR;
	uint64_t count = (bytes + KMLN_SECTOR - 1) / KMLN_SECTOR;
	unsigned long id = root->uuid ? strtoul(root->uuid, NULL, 16) : 0;
	char *entry = sector + MBR_TABLE;

	put_le32(sector + MBR_DISK_ID, id ? (uint32_t)id : 0x6b6d6c6e);
	entry[0] = (char)0x80;
	put_chs(entry + 1, start);
	entry[4] = (char)0x83;
	put_chs(entry + 5, start + count - 1);
	put_le32(entry + 8, (uint32_t)start);
	put_le32(entry + 12, (uint32_t)count);
	memcpy(sector + MBR_MAGIC, "\x55\xaa", 2);
}

static char *make_boot_sector(struct kmln_planning *planning, uint64_t root_bytes)
{
	const struct kmln_facts *facts = planning->facts;
	char *sector = kmln_pool_alloc(planning->edits->pool, KMLN_SECTOR);

	if (facts->table)
		memcpy(sector, facts->head, KMLN_SECTOR);
	else
		make_table(sector, facts->root, root_bytes);
	memcpy(sector, planning->goal->grub_boot, BOOT_CODE_SIZE);
	put_le64(sector + BOOT_CORE_SECTOR, 1);
	memcpy(sector + BOOT_DRIVE_CHECK, "\x90\x90", 2);
	return sector;
}

static char *make_core(struct kmln_planning *planning, size_t *size)
{
	size_t sectors = (planning->goal->grub_core_size + KMLN_SECTOR - 1) / KMLN_SECTOR;
	char *core = kmln_pool_alloc(planning->edits->pool, sectors * KMLN_SECTOR);

	memcpy(core, planning->goal->grub_core, planning->goal->grub_core_size);
	put_le64(core + CORE_REST_SECTOR, 2);
	put_le16(core + CORE_REST_COUNT, (uint16_t)(sectors - 1));
	*size = sectors * KMLN_SECTOR;
	return core;
}

/* Bytes that the disk has already are no edit. */
static int want_bytes(struct kmln_planning *planning, uint64_t offset, const char *data,
	size_t size, const char *why, struct kmln_error *err)
{
	const struct kmln_facts *facts = planning->facts;
	bool there = offset + size <= facts->head_size;
	const struct kmln_edit edit = {
		.kind = KMLN_EDIT_BYTES,
		.by = "loader",
		.why = why,
		.offset = offset,
		.data = data,
		.size = size,
		.replaces = there ? facts->head + offset : NULL,
		.replaces_size = there ? size : 0,
	};

	if (there && memcmp(facts->head + offset, data, size) == 0)
		return 0;
	return kmln_edits_add(planning->edits, &edit, err);
}

static int check_room(struct kmln_planning *planning, uint64_t root_bytes, struct kmln_error *err)
{
	const struct kmln_facts *facts = planning->facts;
	size_t gap = facts->table ? facts->head_size : KMLN_FIRST_PARTITION;

	if (kmln_eq(facts->table, "gpt"))
		return kmln_fail(err, KMLN_EINVALID,
			"the disk has a GPT and no boot loader, and a GPT leaves no room for one in "
			"front; `kmln boot` can start it without");
	if (planning->goal->grub_core_size + KMLN_SECTOR > gap)
		return kmln_fail(err, KMLN_EINVALID,
			"only %zu bytes are free in front of the first partition; GRUB needs %zu",
			gap, planning->goal->grub_core_size + KMLN_SECTOR);
	if (!facts->table &&
		root_bytes / KMLN_SECTOR > UINT32_MAX - KMLN_FIRST_PARTITION / KMLN_SECTOR)
		return kmln_fail(
			err, KMLN_EINVALID, "an MBR cannot hold a partition of 2 TiB or more");
	return 0;
}

static int plan(struct kmln_planning *planning, struct kmln_error *err)
{
	const struct kmln_facts *facts = planning->facts;
	uint64_t root_bytes = facts->root->range.size;
	size_t core_size;
	char *sector, *core;
	int r;

	if (!planning->platform->needs_loader || kmln_has_own_loader(facts))
		return 0;
	if (!facts->boot)
		kmln_missing(planning, "a boot loader in the first sectors");
	if (!planning->edits)
		return 0;
	if (planning->goal->size > root_bytes)
		root_bytes = planning->goal->size;
	r = check_room(planning, root_bytes, err);
	if (r < 0)
		return r;
	sector = make_boot_sector(planning, root_bytes);
	core = make_core(planning, &core_size);
	r = want_bytes(planning, 0, sector, KMLN_SECTOR,
		facts->table ? "GRUB's boot sector, the partition table kept"
			     : "partition table and GRUB's boot sector",
		err);
	if (r == 0)
		r = want_bytes(planning, KMLN_SECTOR, core, core_size, "GRUB's core", err);
	return r;
}

/* The boot sector, or whole sectors behind it and before the first partition. */
static bool could_write(const struct kmln_facts *facts, const struct kmln_record_item *item)
{
	uint64_t end;

	(void)facts;
	if (item->kind != KMLN_RECORD_BYTES || kmln_add_overflow(item->offset, item->size, &end) ||
		!item->size || end > KMLN_FIRST_PARTITION)
		return false;
	return item->offset == 0 ? item->size == KMLN_SECTOR
				 : item->offset == KMLN_SECTOR && item->size % KMLN_SECTOR == 0;
}

const struct kmln_step kmln_step_loader = {
	.name = "loader",
	.summary = "write GRUB into the first sectors",
	.plan = plan,
	.could_write = could_write,
};
