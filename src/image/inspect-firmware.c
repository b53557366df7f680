// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Partitions that are there for a firmware: the EFI system partition with the loader in it, and a
 * GPT's BIOS boot partition.
 */
#include "image/inspect.h"
#include "base/sum.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "image/fat.h"
#include "image/loader-mark.h"

#define LOADER_MAX (4u << 20) /* ours is a fifth of that */
#define HEAD_MAX (1u << 20)

static const struct kmln_partition *find(
	const struct kmln_facts *facts, const char *gpt_type, const char *mbr_type)
{
	const char *wanted = kmln_eq(facts->table, "gpt") ? gpt_type : mbr_type;

	for (size_t i = 0; wanted && i < facts->partition_count; i++)
		if (facts->partitions[i].type && strcasecmp(facts->partitions[i].type, wanted) == 0)
			return &facts->partitions[i];
	return NULL;
}

/* A loader of kmln's has a mark inside; of others nothing but that they are there is known. */
static void read_loader(
	const struct kmln_disk *disk, struct kmln_facts *facts, struct kmln_esp *esp)
{
	KMLN_POOL struct kmln_pool *scratch = kmln_pool_new();
	KMLN_BUF struct kmln_buf bytes = {0};
	struct kmln_error err = {0};
	struct kmln_fat *fat;
	uint64_t size;
	int r = kmln_fat_open(disk->device, &esp->partition->range, scratch, &fat, &err);

	if (r == 0)
		r = kmln_fat_find(fat, KMLN_LOADER_PATH, &size, &err);
	esp->has_loader = r == 0;
	if (r == 0 && size <= LOADER_MAX)
		r = kmln_fat_load(fat, KMLN_LOADER_PATH, LOADER_MAX, &bytes, &err);
	if (r < 0 && r != -ENOENT)
		esp->problem = kmln_pool_strdup(facts->pool, err.text);
	else if (bytes.size &&
		 memmem(bytes.data, bytes.size, KMLN_LOADER_MARK, strlen(KMLN_LOADER_MARK)))
		esp->loader_sum = kmln_sum(facts->pool, bytes.data, bytes.size);
}

int kmln_inspect_firmware(
	const struct kmln_disk *disk, struct kmln_facts *facts, struct kmln_error *err)
{
	const struct kmln_partition *place =
		find(facts, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "ef");
	char *head;

	if (place) {
		struct kmln_esp *esp = kmln_pool_alloc(facts->pool, sizeof(*esp));

		esp->partition = place;
		read_loader(disk, facts, esp);
		facts->esp = esp;
	}
	facts->bios_boot = find(facts, "21686148-6449-6E6F-744E-656564454649", NULL);
	if (!facts->bios_boot)
		return 0;
	facts->bios_boot_head_size = facts->bios_boot->range.size < HEAD_MAX
					     ? (size_t)facts->bios_boot->range.size
					     : HEAD_MAX;
	facts->bios_boot_head = head = kmln_pool_alloc(facts->pool, facts->bios_boot_head_size);
	return kmln_device_read(disk->device, head, facts->bios_boot_head_size,
		facts->bios_boot->range.offset, err);
}
