// SPDX-License-Identifier: GPL-2.0-or-later
/* What the loader step and the boot disk take as given; see loader.h. */
#include "convert/loader.h"

#include <stdlib.h>

#include "guest/boot-disk.h"
#include "guest/disk-layout.h"
#include "guest/grub.h"
#include "image/loader-mark.h"
#include "base/sum.h"

/* How GRUB calls the partition with /boot/grub, on the disk as it shall be. */
static char *partition_name(
	const struct kmln_facts *facts, const struct kmln_goal *goal, struct kmln_pool *pool)
{
	if (goal->form == KMLN_BOOT_DISK)
		return kmln_pool_strdup(pool, KMLN_BOOT_DISK_PARTITION);
	if (!facts->table)
		return kmln_pool_strdup(pool, goal->form == KMLN_BOOT_UEFI ? "gpt1" : "msdos1");
	return kmln_pool_printf(pool, "%s%u", kmln_eq(facts->table, "gpt") ? "gpt" : "msdos",
		facts->root->partition);
}

static int prepare_bios(const struct kmln_facts *facts, struct kmln_pool *pool,
	struct kmln_goal *goal, struct kmln_error *err)
{
	struct kmln_grub grub;
	int r = kmln_grub_make(pool, partition_name(facts, goal, pool), &grub, err);

	if (r == 0) {
		goal->grub_boot = grub.boot;
		goal->grub_core = grub.core;
		goal->grub_core_size = grub.core_size;
	}
	return r;
}

/* A new filesystem for a disk that has no table yet, else the one that is there. */
static int open_esp(const struct kmln_disk *disk, const struct kmln_facts *facts,
	struct kmln_pool *pool, struct kmln_fat **fat, struct kmln_error *err)
{
	const char *uuid = facts->root->uuid;
	int r;

	if (!facts->table)
		return kmln_fat_new(KMLN_ESP_SIZE, KMLN_ESP / KMLN_SECTOR,
			(uint32_t)(uuid ? strtoul(uuid, NULL, 16) : 0), pool, fat, err);
	r = kmln_fat_open(disk->device, &facts->esp->partition->range, pool, fat, err);
	return r < 0 ? kmln_wrap(err, "the EFI system partition") : 0;
}

static int prepare_esp(const struct kmln_disk *disk, const struct kmln_facts *facts,
	struct kmln_pool *pool, struct kmln_goal *goal, struct kmln_error *err)
{
	const char *program;
	struct kmln_fat *fat;
	size_t size;
	int r = kmln_grub_make_efi(pool, facts->root->uuid, &program, &size, err);

	if (r < 0)
		return r;
	goal->esp_sum = kmln_sum(pool, program, size);
	if (facts->table && (!facts->esp || kmln_eq(facts->esp->loader_sum, goal->esp_sum)))
		return 0;
	r = open_esp(disk, facts, pool, &fat, err);
	if (r < 0)
		return r;
	r = kmln_fat_put(fat, KMLN_LOADER_PATH, program, size, err);
	if (r == 0)
		r = kmln_fat_pieces(fat, &goal->esp, err);
	return r < 0 ? kmln_wrap(err, "the EFI system partition") : 0;
}

int kmln_loader_prepare(const struct kmln_disk *disk, const struct kmln_facts *facts,
	struct kmln_pool *pool, struct kmln_goal *goal, struct kmln_error *err)
{
	bool on_disk = goal->form == KMLN_BOOT_BIOS || goal->form == KMLN_BOOT_UEFI;
	int r = 0;

	if (goal->form == KMLN_BOOT_DIRECT || (on_disk && kmln_has_own_loader(facts)))
		return 0;
	/* a disk that only UEFI starts needs no GRUB for a BIOS */
	if (goal->form != KMLN_BOOT_UEFI || !facts->table || facts->bios_boot)
		r = prepare_bios(facts, pool, goal, err);
	if (r == 0 && goal->form == KMLN_BOOT_UEFI)
		r = prepare_esp(disk, facts, pool, goal, err);
	return r;
}
