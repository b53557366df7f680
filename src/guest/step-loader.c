// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What starts the machine: the partition table of a new disk, GRUB's boot sector and its core image
 * (in the gap before the first partition, or in a GPT's BIOS boot partition), and GRUB's program in
 * the EFI system partition. A disk with a GPT gets both kinds where it has room for both.
 */
#include "guest/steps.h"

#include <string.h>

#include "guest/disk-layout.h"
#include "guest/mbr.h"
#include "guest/partitioning.h"
#include "guest/vouch.h"

#define CORE_WHY "GRUB's core"

/*
 * The bytes that stand there now. NULL where a shift makes the place; "" with a size of 0 where it
 * is on the disk already and inspect did not look at it.
 */
static const char *known_bytes(
	const struct kmln_facts *facts, uint64_t offset, size_t size, uint64_t *known)
{
	uint64_t start = facts->bios_boot ? facts->bios_boot->range.offset : 0;

	*known = size;
	if (offset + size <= facts->head_size)
		return facts->head + offset;
	if (facts->bios_boot && offset >= start &&
		offset + size <= start + facts->bios_boot_head_size)
		return facts->bios_boot_head + (offset - start);
	*known = 0;
	return facts->table ? "" : NULL;
}

/* Bytes that the disk has already are no edit. */
static int want_bytes(struct kmln_planning *planning, uint64_t offset, const char *data,
	size_t size, const char *why, struct kmln_error *err)
{
	uint64_t known;
	const char *there = known_bytes(planning->facts, offset, size, &known);
	const struct kmln_edit edit = {
		.kind = KMLN_EDIT_BYTES,
		.by = "loader",
		.why = why,
		.offset = offset,
		.data = data,
		.size = size,
		.replaces = there,
		.replaces_size = known,
	};

	if (known && memcmp(there, data, size) == 0)
		return 0;
	return kmln_edits_add(planning->edits, &edit, err);
}

/* Where GRUB's core can lie: the gap behind an MBR, or a GPT's partition for it. */
static int core_place(
	const struct kmln_planning *planning, struct kmln_range *place, struct kmln_error *err)
{
	const struct kmln_facts *facts = planning->facts;

	*place = (struct kmln_range){KMLN_SECTOR, facts->head_size - KMLN_SECTOR};
	if (facts->bios_boot)
		*place = facts->bios_boot->range;
	else if (kmln_eq(facts->table, "gpt"))
		return kmln_fail(err, KMLN_EINVALID,
			"the disk has a GPT, and no BIOS boot partition to put a boot loader into; %s",
			facts->esp ? "it has an EFI system partition: --boot uefi uses that"
				   : "--boot disk puts it on a disk of its own");
	if (planning->goal->grub_core_size > place->size)
		return kmln_fail(err, KMLN_EINVALID,
			"only %llu bytes are free for GRUB, which needs %zu; --boot disk puts it on "
			"a disk of its own",
			(unsigned long long)place->size, planning->goal->grub_core_size);
	return 0;
}

/* GRUB for a BIOS on a disk with a table. */
static int plan_bios(struct kmln_planning *planning, struct kmln_error *err)
{
	const struct kmln_goal *goal = planning->goal;
	char *sector = kmln_pool_memdup(planning->edits->pool, planning->facts->head, KMLN_SECTOR);
	struct kmln_range place;
	size_t size;
	char *core;
	int r = core_place(planning, &place, err);

	if (r < 0)
		return r;
	kmln_mbr_grub(sector, goal->grub_boot, place.offset / KMLN_SECTOR);
	core = kmln_mbr_core(planning->edits->pool, goal->grub_core, goal->grub_core_size,
		place.offset / KMLN_SECTOR, &size);
	r = want_bytes(planning, 0, sector, KMLN_SECTOR,
		"GRUB's boot sector, the partition table kept", err);
	return r < 0 ? r : want_bytes(planning, place.offset, core, size, CORE_WHY, err);
}

static int plan_esp(struct kmln_planning *planning, uint64_t offset, struct kmln_error *err)
{
	const struct kmln_pieces *pieces = &planning->goal->esp;
	int r = 0;

	for (size_t i = 0; r == 0 && i < pieces->count; i++)
		r = want_bytes(planning, offset + pieces->items[i].offset, pieces->items[i].data,
			pieces->items[i].size, "the EFI system partition, with GRUB", err);
	return r;
}

static int plan_uefi(struct kmln_planning *planning, struct kmln_error *err)
{
	const struct kmln_facts *facts = planning->facts;
	int r = 0;

	if (!facts->esp)
		return kmln_fail(err, KMLN_EINVALID,
			"--boot uefi: the disk has a partition table without an EFI system partition");
	if (!kmln_eq(facts->esp->loader_sum, planning->goal->esp_sum))
		r = plan_esp(planning, facts->esp->partition->range.offset, err);
	return r == 0 && facts->bios_boot ? plan_bios(planning, err) : r;
}

static int plan_new_mbr(struct kmln_planning *planning, struct kmln_error *err)
{
	const struct kmln_goal *goal = planning->goal;
	char *sector = kmln_pool_alloc(planning->edits->pool, KMLN_SECTOR), *core;
	size_t size;
	int r = kmln_new_mbr(planning, sector, err);

	if (r < 0)
		return r;
	if (goal->grub_core_size + KMLN_SECTOR > KMLN_FIRST_PARTITION)
		return kmln_fail(err, EFBIG, "GRUB's core has %zu bytes", goal->grub_core_size);
	kmln_mbr_grub(sector, goal->grub_boot, 1);
	core = kmln_mbr_core(
		planning->edits->pool, goal->grub_core, goal->grub_core_size, 1, &size);
	r = want_bytes(
		planning, 0, sector, KMLN_SECTOR, "partition table and GRUB's boot sector", err);
	return r < 0 ? r : want_bytes(planning, KMLN_SECTOR, core, size, CORE_WHY, err);
}

static int plan_new_gpt(struct kmln_planning *planning, struct kmln_error *err)
{
	const struct kmln_goal *goal = planning->goal;
	struct kmln_pool *pool = planning->edits->pool;
	const size_t head_size = KMLN_GPT_SECTORS * KMLN_SECTOR;
	const size_t tail_size = KMLN_GPT_BACKUP_SECTORS * KMLN_SECTOR;
	char *head = kmln_pool_alloc(pool, head_size), *tail = kmln_pool_alloc(pool, tail_size);
	size_t size;
	char *core;
	int r;

	if (goal->grub_core_size + KMLN_BIOS_BOOT > KMLN_ESP)
		return kmln_fail(err, EFBIG, "GRUB's core has %zu bytes", goal->grub_core_size);
	kmln_new_gpt(planning, head, tail);
	kmln_mbr_grub(head, goal->grub_boot, KMLN_GPT_SECTORS);
	core = kmln_mbr_core(pool, goal->grub_core, goal->grub_core_size, KMLN_GPT_SECTORS, &size);
	r = want_bytes(planning, 0, head, head_size, "partition table and GRUB's boot sector", err);
	if (r == 0)
		r = want_bytes(planning, KMLN_BIOS_BOOT, core, size, CORE_WHY, err);
	if (r == 0)
		r = plan_esp(planning, KMLN_ESP, err);
	return r < 0 ? r
		     : want_bytes(planning, kmln_gpt_disk_size(planning) - tail_size, tail,
			       tail_size, "the backup of the partition table", err);
}

/* A loader of the guest's own stays the only one. */
static int check_own(const struct kmln_planning *planning, struct kmln_error *err)
{
	const struct kmln_esp *esp = planning->facts->esp;

	if (!planning->edits || planning->goal->form != KMLN_BOOT_UEFI || (esp && esp->has_loader))
		return 0;
	return kmln_fail(err, KMLN_EINVALID,
		"--boot uefi: the guest boots by a loader of its own, and by a BIOS: kmln puts no other "
		"beside it");
}

static int plan(struct kmln_planning *planning, struct kmln_error *err)
{
	const struct kmln_facts *facts = planning->facts;
	bool uefi;

	if (!kmln_wants_loader(planning))
		return 0;
	if (kmln_has_own_loader(facts))
		return check_own(planning, err);
	if (!facts->boot && !(facts->esp && facts->esp->has_loader))
		kmln_missing(planning, "a boot loader in the first sectors");
	if (!planning->edits)
		return 0;
	uefi = planning->goal->form == KMLN_BOOT_UEFI;
	if (!facts->table)
		return uefi ? plan_new_gpt(planning, err) : plan_new_mbr(planning, err);
	return uefi ? plan_uefi(planning, err) : plan_bios(planning, err);
}

/*
 * Whole sectors: the boot sector alone, or with a new GPT; or others. Of these undo-disk.c writes
 * only those in front of the first partition and in the one that is GRUB's own.
 */
static bool could_write(const struct kmln_facts *facts, const struct kmln_record_item *item)
{
	/* a filesystem that stands alone may be told of the disk made of files beside it */
	const uint64_t room = facts->table ? 0 : KMLN_GPT_ROOT + 2 * KMLN_MIB;
	uint64_t end;

	if (item->kind != KMLN_RECORD_BYTES || kmln_add_overflow(item->offset, item->size, &end) ||
		!item->size || item->size > KMLN_ESP_SIZE || item->size % KMLN_SECTOR ||
		item->offset % KMLN_SECTOR || end > facts->size + room)
		return false;
	return item->offset || item->size == KMLN_SECTOR || item->size == KMLN_BIOS_BOOT;
}

const struct kmln_step kmln_step_loader = {
	.name = "loader",
	.summary = "write GRUB where the machine starts it",
	.plan = plan,
	.could_write = could_write,
};
