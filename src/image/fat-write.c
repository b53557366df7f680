// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Making a FAT16 filesystem, and putting files into a FAT of any kind. Folders and tables are
 * changed in memory (fat_block, fat->table); what differs from the disk in the end is the result.
 */
#include "image/fat.h"

#include <stdlib.h>
#include <string.h>

#include "image/fat-private.h"

#define ROOT_ENTRIES 512u
#define RESERVED 1u /* sectors: the first alone */
#define TABLES 2u
/* A date is asked for; that of a reproducible file is the first there is: 1980-01-01. */
#define DATE 0x21
#define IS_FOLDER 0x10
#define IS_ARCHIVE 0x20
#define END 0x0fffffffu

static uint32_t per_cluster(uint64_t sectors)
{
	uint32_t n = 1;

	while (sectors / n > 20000 && n < 64)
		n *= 2;
	return n;
}

/* The table and what it describes depend on each other: the smallest table that is enough. */
static uint32_t table_sectors(uint64_t sectors, uint32_t n)
{
	uint32_t table = 1;

	while ((uint64_t)table * FAT_SECTOR / 2 - 2 <
		(sectors - RESERVED - ROOT_ENTRIES * FAT_ENTRY / FAT_SECTOR - TABLES * table) / n)
		table++;
	return table;
}

uint64_t kmln_fat_size_for(uint64_t content)
{
	const uint64_t mib = 1u << 20;
	/* tables, and the last clusters of files, are less than a fiftieth */
	uint64_t size = (content + content / 50 + mib / 4 + mib - 1) / mib * mib;

	return size < 3 * mib ? 3 * mib : size;
}

int kmln_fat_new(uint64_t size, uint64_t start, uint32_t serial, struct kmln_pool *pool,
	struct kmln_fat **fat, struct kmln_error *err)
{
	uint64_t sectors = size / FAT_SECTOR;
	uint32_t n = per_cluster(sectors), table = table_sectors(sectors, n);
	struct kmln_fat *f = kmln_pool_alloc(pool, sizeof(*f));
	unsigned char *boot;
	int r;

	if (size < 3u << 20 || size > 1u << 30)
		return kmln_fail(
			err, EFBIG, "no FAT16 filesystem has %llu bytes", (unsigned long long)size);
	*f = (struct kmln_fat){
		.pool = pool,
		.range = {0, size},
		.bits = 16,
		.cluster_size = n * FAT_SECTOR,
		.table_offset = RESERVED * FAT_SECTOR,
		.table_size = (uint64_t)table * FAT_SECTOR,
		.tables = TABLES,
		.root_size = ROOT_ENTRIES * FAT_ENTRY,
		.table = kmln_pool_alloc(pool, (size_t)table * FAT_SECTOR),
		.next_free = 2,
	};
	f->root_offset = f->table_offset + TABLES * f->table_size;
	f->data_offset = f->root_offset + f->root_size;
	f->clusters = (uint32_t)((sectors - f->data_offset / FAT_SECTOR) / n);
	r = fat_block(f, 0, FAT_SECTOR, &boot, err);
	if (r < 0)
		return r;
	memcpy(boot, "\xeb\x3c\x90KMLN    ", 11);
	fat_put16(boot + 11, FAT_SECTOR);
	boot[13] = (unsigned char)n;
	fat_put16(boot + 14, RESERVED);
	boot[16] = TABLES;
	fat_put16(boot + 17, ROOT_ENTRIES);
	if (sectors < 65536)
		fat_put16(boot + 19, (uint32_t)sectors);
	else
		fat_put32(boot + 32, (uint32_t)sectors);
	boot[21] = 0xf8;
	fat_put16(boot + 22, table);
	fat_put16(boot + 24, 63);
	fat_put16(boot + 26, 255);
	fat_put32(boot + 28, (uint32_t)start);
	boot[36] = 0x80;
	boot[38] = 0x29;
	fat_put32(boot + 39, serial);
	memcpy(boot + 43, "NO NAME    FAT16   ", 19);
	/* who starts this sector as a program is told to go on elsewhere: int 18h */
	memcpy(boot + 62, "\xcd\x18", 2);
	memcpy(boot + 510, "\x55\xaa", 2);
	fat_put32(f->table, 0xfffffff8);
	*fat = f;
	return 0;
}

static void set(struct kmln_fat *fat, uint32_t cluster, uint32_t value)
{
	unsigned char *at;
	uint32_t pair;

	switch (fat->bits) {
	case 12:
		at = fat->table + cluster + cluster / 2;
		pair = fat_le16(at);
		pair = cluster & 1 ? (pair & 0xf) | (value & 0xfff) << 4
				   : (pair & 0xf000) | (value & 0xfff);
		fat_put16(at, pair);
		break;
	case 16:
		fat_put16(fat->table + 2 * (size_t)cluster, value);
		break;
	default:
		at = fat->table + 4 * (size_t)cluster;
		fat_put32(at, (fat_le32(at) & 0xf0000000) | (value & 0x0fffffff));
	}
}

/* A free cluster, which is then the end of a chain; 0: none is left. */
static uint32_t take(struct kmln_fat *fat)
{
	for (; fat->next_free - 2 < fat->clusters; fat->next_free++)
		if (!fat_get(fat, fat->next_free)) {
			set(fat, fat->next_free, END);
			return fat->next_free++;
		}
	return 0;
}

/* A chain that leads in a circle ends where it meets its own freed part. */
static void give_back(struct kmln_fat *fat, uint32_t cluster)
{
	while (fat_is_cluster(fat, cluster)) {
		uint32_t next = fat_get(fat, cluster);

		set(fat, cluster, 0);
		if (cluster < fat->next_free)
			fat->next_free = cluster;
		cluster = next;
	}
}

static int full(struct kmln_error *err)
{
	return kmln_fail(err, ENOSPC, "the FAT filesystem is full");
}

/* A new cluster of a folder, all zeroes whatever lay there. */
static int take_for_folder(
	struct kmln_fat *fat, uint32_t *cluster, unsigned char **data, struct kmln_error *err)
{
	int r;

	*cluster = take(fat);
	if (!*cluster)
		return full(err);
	r = fat_block(fat, fat_cluster_offset(fat, *cluster), fat->cluster_size, data, err);
	if (r == 0)
		memset(*data, 0, fat->cluster_size);
	return r;
}

static void fill_entry(struct kmln_fat *fat, unsigned char *entry, const char name[11],
	unsigned attributes, uint32_t cluster, uint32_t size)
{
	memset(entry, 0, FAT_ENTRY);
	memcpy(entry, name, 11);
	entry[11] = (unsigned char)attributes;
	fat_put16(entry + 16, DATE);
	fat_put16(entry + 18, DATE);
	fat_put16(entry + 24, DATE);
	if (fat->bits == 32)
		fat_put16(entry + 20, cluster >> 16);
	fat_put16(entry + 26, cluster);
	fat_put32(entry + 28, size);
}

/* The entry of this name, made where it is not there: then its first byte is 0. */
static int want_entry(struct kmln_fat *fat, uint32_t folder, const char name[11],
	unsigned char **entry, struct kmln_error *err)
{
	struct fat_entry found;
	uint32_t cluster;
	int r = fat_look(fat, folder, name, &found, err);

	if (r < 0)
		return r;
	*entry = found.bytes ? found.bytes : found.free;
	if (!found.bytes && found.free)
		**entry = 0;
	if (*entry)
		return 0;
	if (!folder)
		return full(err);
	r = take_for_folder(fat, &cluster, entry, err);
	if (r == 0)
		set(fat, found.last, cluster);
	return r;
}

static int want_folder(struct kmln_fat *fat, uint32_t parent, const char name[11],
	uint32_t *cluster, struct kmln_error *err)
{
	unsigned char *entry, *data;
	int r = want_entry(fat, parent, name, &entry, err);

	if (r < 0)
		return r;
	if (*entry) {
		*cluster = fat_entry_cluster(fat, entry);
		if (!(entry[11] & IS_FOLDER) || !fat_is_cluster(fat, *cluster))
			return kmln_fail(err, KMLN_EINVALID, "'%.8s' is not a folder", name);
		return 0;
	}
	/* it keeps its place meanwhile: nothing else is put in */
	r = take_for_folder(fat, cluster, &data, err);
	if (r < 0)
		return r;
	fill_entry(fat, entry, name, IS_FOLDER, *cluster, 0);
	fill_entry(fat, data, ".          ", IS_FOLDER, *cluster, 0);
	/* the root is written as 0 there */
	fill_entry(fat, data + FAT_ENTRY, "..         ", IS_FOLDER,
		parent == fat_root(fat) ? 0 : parent, 0);
	return 0;
}

/* The content, in as few pieces as there are runs of free clusters. */
static int put_content(struct kmln_fat *fat, const char *data, size_t size, uint32_t *first,
	struct kmln_error *err)
{
	struct kmln_piece *piece = NULL;
	uint32_t last = 0;

	*first = 0;
	while (size) {
		size_t n = size < fat->cluster_size ? size : fat->cluster_size;
		uint32_t cluster = take(fat);

		if (!cluster)
			return full(err);
		if (last)
			set(fat, last, cluster);
		else
			*first = cluster;
		if (!piece || cluster != last + 1) {
			piece = kmln_pool_append(fat->pool, &fat->content.items,
				&fat->content.count, sizeof(*piece));
			*piece = (struct kmln_piece){fat_cluster_offset(fat, cluster), data, 0};
		}
		piece->size += n;
		last = cluster;
		data += n;
		size -= n;
	}
	return 0;
}

int kmln_fat_put(struct kmln_fat *fat, const char *path, const char *data, size_t size,
	struct kmln_error *err)
{
	uint32_t folder = fat_root(fat), cluster;
	unsigned char *entry;
	char name[11];
	int r;

	for (fat_next_name(&path, name); *path; fat_next_name(&path, name)) {
		r = want_folder(fat, folder, name, &folder, err);
		if (r < 0)
			return r;
	}
	r = want_entry(fat, folder, name, &entry, err);
	if (r < 0)
		return r;
	if (*entry && (entry[11] & IS_FOLDER))
		return kmln_fail(err, KMLN_EINVALID, "'%.11s' is a folder", name);
	if (*entry)
		give_back(fat, fat_entry_cluster(fat, entry));
	r = put_content(fat, data, size, &cluster, err);
	if (r == 0)
		fill_entry(fat, entry, name, IS_ARCHIVE, cluster, (uint32_t)size);
	return r;
}

/* The number of free clusters is a hint: -1 says that it is not known. */
static int forget_free_count(struct kmln_fat *fat, struct kmln_error *err)
{
	unsigned char *info;
	int r;

	if (!fat->info_offset)
		return 0;
	r = fat_block(fat, fat->info_offset, FAT_SECTOR, &info, err);
	if (r == 0 && memcmp(info, "RRaA", 4) == 0 && memcmp(info + 484, "rrAa", 4) == 0)
		memset(info + 488, 0xff, 8);
	return r;
}

/* Sectors of `data` that differ from those at `offset` on the disk become pieces. */
static int add_changes(struct kmln_fat *fat, uint64_t offset, const unsigned char *data,
	uint64_t size, struct kmln_pieces *pieces, struct kmln_error *err)
{
	struct kmln_piece *piece = NULL;

	for (uint64_t at = 0; at < size; at += FAT_SECTOR) {
		char old[FAT_SECTOR] = {0};
		int r = fat->device ? kmln_device_read(fat->device, old, sizeof(old),
					      fat->range.offset + offset + at, err)
				    : 0;

		if (r < 0)
			return r;
		if (memcmp(old, data + at, FAT_SECTOR) == 0) {
			piece = NULL;
			continue;
		}
		if (!piece) {
			piece = kmln_pool_append(
				fat->pool, &pieces->items, &pieces->count, sizeof(*piece));
			*piece = (struct kmln_piece){offset + at, (const char *)data + at, 0};
		}
		piece->size += FAT_SECTOR;
	}
	return 0;
}

static int by_offset(const void *a, const void *b)
{
	const struct kmln_piece *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

int kmln_fat_pieces(struct kmln_fat *fat, struct kmln_pieces *pieces, struct kmln_error *err)
{
	int r = forget_free_count(fat, err);

	*pieces = (struct kmln_pieces){0};
	for (unsigned i = 0; r == 0 && i < fat->tables; i++)
		r = add_changes(fat, fat->table_offset + i * fat->table_size, fat->table,
			fat->table_size, pieces, err);
	for (struct fat_block *b = fat->blocks; r == 0 && b; b = b->next)
		r = add_changes(fat, b->offset, b->data, b->size, pieces, err);
	for (size_t i = 0; i < fat->content.count; i++)
		*(struct kmln_piece *)kmln_pool_append(fat->pool, &pieces->items, &pieces->count,
			sizeof(*pieces->items)) = fat->content.items[i];
	if (pieces->count)
		qsort(pieces->items, pieces->count, sizeof(*pieces->items), by_offset);
	return r;
}
