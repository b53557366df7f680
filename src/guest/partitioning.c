// SPDX-License-Identifier: GPL-2.0-or-later
/* Ids come from the filesystem's UUID: a plan is always the same, and two disks differ. */
#include "guest/partitioning.h"

#include <stdlib.h>

#include "guest/disk-layout.h"
#include "guest/gpt.h"
#include "guest/mbr.h"

uint64_t kmln_root_size(const struct kmln_planning *planning)
{
	uint64_t size = planning->facts->root->range.size;

	if (planning->goal->size > size)
		size = planning->goal->size;
	return (size + KMLN_SECTOR - 1) / KMLN_SECTOR * KMLN_SECTOR;
}

uint64_t kmln_gpt_disk_size(const struct kmln_planning *planning)
{
	uint64_t least = KMLN_GPT_ROOT + kmln_root_size(planning) +
			 (uint64_t)KMLN_GPT_BACKUP_SECTORS * KMLN_SECTOR;

	return (least + KMLN_MIB - 1) / KMLN_MIB * KMLN_MIB;
}

int kmln_new_mbr(const struct kmln_planning *planning, char *sector, struct kmln_error *err)
{
	const char *uuid = planning->facts->root->uuid;
	unsigned long id = uuid ? strtoul(uuid, NULL, 16) : 0;
	const struct kmln_mbr_partition root = {
		.active = true,
		.type = 0x83,
		.start = KMLN_FIRST_PARTITION / KMLN_SECTOR,
		.count = kmln_root_size(planning) / KMLN_SECTOR,
	};

	if (root.count > UINT32_MAX - root.start)
		return kmln_fail(err, KMLN_EINVALID,
			"an MBR cannot hold a partition of 2 TiB or more; --boot uefi makes a GPT");
	kmln_mbr_table(sector, id ? (uint32_t)id : 0x6b6d6c6e, &root);
	return 0;
}

void kmln_new_gpt(const struct kmln_planning *planning, char *head, char *tail)
{
	const char *uuid = planning->facts->root->uuid;
	const struct kmln_gpt_partition partitions[] = {
		{1, KMLN_GPT_LINUX, "root", KMLN_GPT_ROOT / KMLN_SECTOR,
			kmln_root_size(planning) / KMLN_SECTOR},
		{14, KMLN_GPT_BIOS_BOOT, "bios boot", KMLN_GPT_SECTORS,
			(KMLN_ESP - KMLN_BIOS_BOOT) / KMLN_SECTOR},
		{15, KMLN_GPT_ESP, "esp", KMLN_ESP / KMLN_SECTOR, KMLN_ESP_SIZE / KMLN_SECTOR},
	};

	kmln_gpt_make(head, tail, kmln_gpt_disk_size(planning) / KMLN_SECTOR, uuid ? uuid : "",
		partitions, KMLN_COUNT(partitions));
}
