// SPDX-License-Identifier: GPL-2.0-or-later
/* Sector 0, GRUB's core behind it, and a filesystem from the first MiB on; see boot-disk.h. */
#include "guest/boot-disk.h"

#include <stdlib.h>

#include "guest/disk-layout.h"
#include "boot/grub-config.h"
#include "guest/mbr.h"

/* Names of the 8.3 kind: FAT has no others here, and GRUB's FAT does not mind upper case. */
#define KERNEL "/vmlinuz"
#define INITRAMFS "/initrd.img"
#define CONFIG "/boot/grub/grub.cfg"

static void add(struct kmln_pool *pool, struct kmln_pieces *pieces, uint64_t offset,
	const char *data, size_t size)
{
	*(struct kmln_piece *)kmln_pool_append(pool, &pieces->items, &pieces->count,
		sizeof(*pieces->items)) = (struct kmln_piece){offset, data, size};
}

static int make_filesystem(const struct kmln_goal *goal, const struct kmln_facts *facts,
	const struct kmln_buf *kernel, uint32_t id, struct kmln_pool *pool,
	struct kmln_pieces *pieces, uint64_t *size, struct kmln_error *err)
{
	const struct kmln_grub_config config = {
		.title = goal->kernel->release,
		.kernel = KERNEL,
		.initramfs = INITRAMFS,
		.words = kmln_kernel_words(pool, facts),
	};
	KMLN_BUF struct kmln_buf text = {0};
	struct kmln_fat *fat;
	int r;

	kmln_grub_config(&config, &text);
	*size = kmln_fat_size_for(kernel->size + goal->initramfs_size + text.size);
	r = kmln_fat_new(*size, KMLN_FIRST_PARTITION / KMLN_SECTOR, id, pool, &fat, err);
	if (r == 0)
		r = kmln_fat_put(
			fat, CONFIG, kmln_pool_memdup(pool, text.data, text.size), text.size, err);
	if (r == 0)
		r = kmln_fat_put(fat, KERNEL, kernel->data, kernel->size, err);
	if (r == 0)
		r = kmln_fat_put(fat, INITRAMFS, goal->initramfs, goal->initramfs_size, err);
	return r < 0 ? r : kmln_fat_pieces(fat, pieces, err);
}

int kmln_boot_disk(const struct kmln_goal *goal, const struct kmln_facts *facts,
	const struct kmln_buf *kernel, struct kmln_pool *pool, struct kmln_pieces *pieces,
	uint64_t *size, struct kmln_error *err)
{
	/* another id than that of the guest's own disk, should that get one some day */
	uint32_t id = ~(uint32_t)(facts->root->uuid ? strtoul(facts->root->uuid, NULL, 16) : 0);
	char *sector = kmln_pool_alloc(pool, KMLN_SECTOR), *core;
	struct kmln_mbr_partition partition = {
		.active = true,
		.type = 0x0e,
		.start = KMLN_FIRST_PARTITION / KMLN_SECTOR,
	};
	struct kmln_pieces files;
	size_t core_size;
	int r = make_filesystem(goal, facts, kernel, id, pool, &files, size, err);

	if (r < 0)
		return r;
	if (goal->grub_core_size + KMLN_SECTOR > KMLN_FIRST_PARTITION)
		return kmln_fail(err, EFBIG, "GRUB's core has %zu bytes", goal->grub_core_size);
	partition.count = *size / KMLN_SECTOR;
	*size += KMLN_FIRST_PARTITION;
	kmln_mbr_table(sector, id, &partition);
	kmln_mbr_grub(sector, goal->grub_boot, 1);
	core = kmln_mbr_core(pool, goal->grub_core, goal->grub_core_size, 1, &core_size);
	*pieces = (struct kmln_pieces){0};
	add(pool, pieces, 0, sector, KMLN_SECTOR);
	add(pool, pieces, KMLN_SECTOR, core, core_size);
	for (size_t i = 0; i < files.count; i++)
		add(pool, pieces, KMLN_FIRST_PARTITION + files.items[i].offset, files.items[i].data,
			files.items[i].size);
	return 0;
}
