// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading FAT12, FAT16 and FAT32. The bytes are a guest's: every number is checked before it is
 * used, chains of clusters are followed no further than there are clusters, and what is kept in
 * memory is bounded.
 */
#include "image/fat.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "image/fat-private.h"

#define TABLE_MAX (4u << 20)
#define FOLDER_MAX (1u << 20)

static int corrupt(struct kmln_error *err)
{
	return kmln_fail(err, KMLN_EINVALID, "the FAT filesystem is damaged");
}

/* Offsets in the first sector, and what they must be. */
static int read_geometry(struct kmln_fat *fat, const unsigned char *boot, struct kmln_error *err)
{
	uint64_t sectors = fat_le16(boot + 19) ? fat_le16(boot + 19) : fat_le32(boot + 32);
	uint64_t table = fat_le16(boot + 22) ? fat_le16(boot + 22) : fat_le32(boot + 36);
	uint64_t per_cluster = boot[13], before, clusters;

	fat->tables = boot[16];
	if (boot[510] != 0x55 || boot[511] != 0xaa || fat_le16(boot + 11) != FAT_SECTOR ||
		!per_cluster || (per_cluster & (per_cluster - 1)) || !fat_le16(boot + 14) ||
		fat->tables < 1 || fat->tables > 4 || !table)
		return kmln_fail(err, KMLN_EINVALID, "no FAT filesystem");
	fat->table_offset = (uint64_t)fat_le16(boot + 14) * FAT_SECTOR;
	fat->table_size = table * FAT_SECTOR;
	fat->root_offset = fat->table_offset + fat->tables * fat->table_size;
	fat->root_size = (fat_le16(boot + 17) * FAT_ENTRY + FAT_SECTOR - 1) & ~(FAT_SECTOR - 1);
	fat->data_offset = fat->root_offset + fat->root_size;
	fat->cluster_size = (uint32_t)per_cluster * FAT_SECTOR;
	before = fat->data_offset / FAT_SECTOR;
	if (sectors > fat->range.size / FAT_SECTOR || before >= sectors)
		return corrupt(err);
	clusters = (sectors - before) / per_cluster;
	fat->bits = clusters < 4085 ? 12 : clusters < 65525 ? 16 : 32;
	if (fat->table_size > TABLE_MAX)
		return kmln_fail(err, KMLN_EINVALID, "a FAT filesystem too big to be looked into");
	/* a table that is too short for its clusters means that the rest is not used */
	if (clusters > fat->table_size * 8 / fat->bits - 2)
		clusters = fat->table_size * 8 / fat->bits - 2;
	fat->clusters = (uint32_t)clusters;
	if (fat->bits == 32) {
		fat->root_cluster = fat_le32(boot + 44);
		fat->info_offset = (uint64_t)fat_le16(boot + 48) * FAT_SECTOR;
		if (fat->root_size || !fat_is_cluster(fat, fat->root_cluster) ||
			fat->info_offset >= fat->table_offset)
			return corrupt(err);
	}
	return fat->bits != 32 && !fat->root_size ? corrupt(err) : 0;
}

int kmln_fat_open(struct kmln_device *device, const struct kmln_range *range,
	struct kmln_pool *pool, struct kmln_fat **fat, struct kmln_error *err)
{
	struct kmln_fat *f = kmln_pool_alloc(pool, sizeof(*f));
	unsigned char boot[FAT_SECTOR];
	int r;

	*f = (struct kmln_fat){.pool = pool, .device = device, .range = *range, .next_free = 2};
	if (range->size < FAT_SECTOR)
		return kmln_fail(err, KMLN_EINVALID, "no FAT filesystem");
	r = kmln_device_read(device, boot, sizeof(boot), range->offset, err);
	if (r == 0)
		r = read_geometry(f, boot, err);
	if (r < 0)
		return r;
	f->table = kmln_pool_alloc(pool, (size_t)f->table_size);
	r = kmln_device_read(
		device, f->table, (size_t)f->table_size, range->offset + f->table_offset, err);
	*fat = f;
	return r;
}

bool fat_is_cluster(const struct kmln_fat *fat, uint32_t number)
{
	return number >= 2 && number - 2 < fat->clusters;
}

uint32_t fat_get(const struct kmln_fat *fat, uint32_t cluster)
{
	uint32_t pair;

	switch (fat->bits) {
	case 12:
		pair = fat_le16(fat->table + cluster + cluster / 2);
		return cluster & 1 ? pair >> 4 : pair & 0xfff;
	case 16:
		return fat_le16(fat->table + 2 * (size_t)cluster);
	default:
		return fat_le32(fat->table + 4 * (size_t)cluster) & 0x0fffffff;
	}
}

uint64_t fat_cluster_offset(const struct kmln_fat *fat, uint32_t cluster)
{
	return fat->data_offset + (uint64_t)(cluster - 2) * fat->cluster_size;
}

int fat_block(struct kmln_fat *fat, uint64_t offset, size_t size, unsigned char **data,
	struct kmln_error *err)
{
	struct fat_block *block = fat->blocks;

	while (block && block->offset != offset)
		block = block->next;
	if (!block) {
		block = kmln_pool_alloc(fat->pool, sizeof(*block));
		*block = (struct fat_block){
			fat->blocks, offset, size, kmln_pool_alloc(fat->pool, size)};
		if (fat->device) {
			int r = kmln_device_read(
				fat->device, block->data, size, fat->range.offset + offset, err);

			if (r < 0)
				return r;
		}
		fat->blocks = block;
	}
	*data = block->data;
	return 0;
}

bool fat_next_name(const char **path, char name[11])
{
	size_t n, stem;
	const char *dot;

	while (**path == '/')
		++*path;
	if (!**path)
		return false;
	n = strcspn(*path, "/");
	dot = memchr(*path, '.', n);
	stem = dot ? (size_t)(dot - *path) : n;
	if (!stem || stem > 8 || n > stem + 4)
		abort(); /* names are kmln's own */
	memset(name, ' ', 11);
	for (size_t i = 0; i < stem; i++)
		name[i] = (char)toupper((unsigned char)(*path)[i]);
	for (size_t i = stem + 1; i < n; i++)
		name[8 + i - stem - 1] = (char)toupper((unsigned char)(*path)[i]);
	*path += n;
	return true;
}

uint32_t fat_root(const struct kmln_fat *fat)
{
	return fat->bits == 32 ? fat->root_cluster : 0;
}

/* 1: *data has the next part of the folder; 0: there is none. */
static int next_part(struct kmln_fat *fat, struct fat_folder *folder, unsigned char **data,
	size_t *size, struct kmln_error *err)
{
	int r;

	if (!folder->cluster) {
		*size = (size_t)fat->root_size;
		if (folder->seen++)
			return 0;
		r = fat_block(fat, fat->root_offset, *size, data, err);
		return r < 0 ? r : 1;
	}
	if (!folder->seen)
		folder->at = folder->cluster;
	else {
		uint32_t next = fat_get(fat, folder->at);

		if (!fat_is_cluster(fat, next))
			return 0;
		folder->at = next;
	}
	if (!fat_is_cluster(fat, folder->at) || ++folder->seen > FOLDER_MAX / fat->cluster_size + 1)
		return corrupt(err);
	*size = fat->cluster_size;
	r = fat_block(fat, fat_cluster_offset(fat, folder->at), *size, data, err);
	return r < 0 ? r : 1;
}

int fat_look(struct kmln_fat *fat, uint32_t folder, const char name[11], struct fat_entry *entry,
	struct kmln_error *err)
{
	struct fat_folder place = {.cluster = folder};
	unsigned char *data;
	bool ended = false;
	size_t size = 0;
	int r;

	*entry = (struct fat_entry){0};
	while ((r = next_part(fat, &place, &data, &size, err)) > 0) {
		entry->last = place.at;
		for (size_t i = 0; i + FAT_ENTRY <= size; i += FAT_ENTRY) {
			/* 0: this and all behind it are free; 0xe5: a removed one */
			ended = ended || !data[i];
			if (!entry->free && (ended || data[i] == 0xe5))
				entry->free = data + i;
			/* 8: a volume's name, or a piece of a long one */
			if (!ended && !(data[i + 11] & 8) && memcmp(data + i, name, 11) == 0)
				entry->bytes = data + i;
			if (ended || entry->bytes)
				break;
		}
		if (entry->bytes)
			return 0;
	}
	return r;
}

uint32_t fat_entry_cluster(const struct kmln_fat *fat, const unsigned char *entry)
{
	return fat_le16(entry + 26) | (fat->bits == 32 ? fat_le16(entry + 20) << 16 : 0);
}

static int find(
	struct kmln_fat *fat, const char *path, const unsigned char **found, struct kmln_error *err)
{
	uint32_t folder = fat_root(fat);
	const char *rest = path;
	struct fat_entry entry;
	char name[11];

	*found = NULL;
	while (fat_next_name(&rest, name)) {
		int r = fat_look(fat, folder, name, &entry, err);

		if (r < 0)
			return r;
		if (!entry.bytes || !(entry.bytes[11] & 0x10) != !*rest)
			return kmln_fail(err, ENOENT, "%s is not there", path);
		folder = fat_entry_cluster(fat, entry.bytes);
		if (*rest && !fat_is_cluster(fat, folder))
			return corrupt(err);
		*found = entry.bytes;
	}
	return 0;
}

int kmln_fat_find(struct kmln_fat *fat, const char *path, uint64_t *size, struct kmln_error *err)
{
	const unsigned char *entry;
	int r = find(fat, path, &entry, err);

	if (r == 0)
		*size = fat_le32(entry + 28);
	return r;
}

int kmln_fat_load(struct kmln_fat *fat, const char *path, uint64_t limit, struct kmln_buf *out,
	struct kmln_error *err)
{
	const unsigned char *entry;
	uint32_t cluster, size;
	int r = find(fat, path, &entry, err);

	if (r < 0)
		return r;
	size = fat_le32(entry + 28);
	if (size > limit)
		return kmln_fail(err, EFBIG, "%s has %u bytes", path, size);
	for (cluster = fat_entry_cluster(fat, entry); size; cluster = fat_get(fat, cluster)) {
		uint32_t n = size < fat->cluster_size ? size : fat->cluster_size;

		if (!fat_is_cluster(fat, cluster))
			return corrupt(err);
		r = kmln_device_read(fat->device, kmln_buf_grow(out, n), n,
			fat->range.offset + fat_cluster_offset(fat, cluster), err);
		if (r < 0)
			return r;
		size -= n;
	}
	return 0;
}
