/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What fat.c (reading) and fat-write.c share. */
#ifndef KMLN_IMAGE_FAT_PRIVATE_H
#define KMLN_IMAGE_FAT_PRIVATE_H

#include "image/fat.h"

#define FAT_SECTOR 512u
#define FAT_ENTRY 32u

/* A part of the filesystem as it shall be; blocks never overlap. */
struct fat_block {
	struct fat_block *next;
	uint64_t offset;
	size_t size;
	unsigned char *data;
};

struct kmln_fat {
	struct kmln_pool *pool;
	struct kmln_device *device; /* NULL: a new one, all zeroes */
	struct kmln_range range;
	unsigned bits; /* 12, 16 or 32 */
	uint32_t cluster_size; /* bytes */
	uint32_t clusters; /* numbered from 2 */
	uint64_t table_offset, table_size; /* of the first copy, bytes */
	unsigned tables;
	uint64_t root_offset, root_size; /* FAT12 and FAT16 */
	uint32_t root_cluster; /* FAT32 */
	uint64_t info_offset; /* FAT32: the sector with the number of free clusters; 0: none */
	uint64_t data_offset; /* of cluster 2 */
	unsigned char *table; /* all of the first copy */
	struct fat_block *blocks; /* that were looked at, with what was put in */
	struct kmln_pieces content; /* of files put in */
	uint32_t next_free; /* where to look next */
};

/* A folder is a run of these: the whole root of FAT12 and FAT16, or a cluster each. */
struct fat_folder {
	uint32_t cluster; /* the first, 0: a root without clusters */
	uint32_t at; /* the one that was looked at last */
	uint32_t seen;
};

/* Where an entry is. */
struct fat_entry {
	unsigned char *bytes; /* NULL: not found */
	unsigned char *free; /* the first free place, or NULL */
	uint32_t last; /* the folder's last cluster */
};

bool fat_is_cluster(const struct kmln_fat *fat, uint32_t number);
uint32_t fat_get(const struct kmln_fat *fat, uint32_t cluster);
uint64_t fat_cluster_offset(const struct kmln_fat *fat, uint32_t cluster);
/* The bytes at a place, kept for the next who asks; changing them changes the filesystem. */
int fat_block(struct kmln_fat *fat, uint64_t offset, size_t size, unsigned char **data,
	struct kmln_error *err);
/* The next component of *path as 11 bytes; false at its end. A name that is not 8.3 aborts. */
bool fat_next_name(const char **path, char name[11]);
uint32_t fat_root(const struct kmln_fat *fat);
/* Looks for a name in the folder that begins at this cluster. */
int fat_look(struct kmln_fat *fat, uint32_t folder, const char name[11], struct fat_entry *entry,
	struct kmln_error *err);
uint32_t fat_entry_cluster(const struct kmln_fat *fat, const unsigned char *entry);

static inline uint32_t fat_le16(const unsigned char *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static inline uint32_t fat_le32(const unsigned char *at)
{
	return fat_le16(at) | fat_le16(at + 2) << 16;
}

static inline void fat_put16(unsigned char *at, uint32_t value)
{
	at[0] = (unsigned char)value;
	at[1] = (unsigned char)(value >> 8);
}

static inline void fat_put32(unsigned char *at, uint32_t value)
{
	fat_put16(at, value);
	fat_put16(at + 2, value >> 16);
}

#endif
