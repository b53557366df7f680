// SPDX-License-Identifier: GPL-2.0-or-later
/* MBR and GPT by libfdisk, from a descriptor, read only. */
#include "image/partitions.h"

#include <endian.h>
#include <libfdisk.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "image/shadow.h"

#define GPT_ENTRIES_MAX (1u << 20) /* bytes; what tools make is 16 KiB */
#define CHAIN_MAX 256 /* logical partitions that are looked for */

static void context_cleanup(struct fdisk_context **context)
{
	fdisk_unref_context(*context);
}

static void table_cleanup(struct fdisk_table **table)
{
	fdisk_unref_table(*table);
}

static const char *take(struct kmln_pool *pool, char *text)
{
	const char *copy = kmln_pool_strdup(pool, text);

	free(text);
	return copy;
}

static const char *partition_text(struct fdisk_context *context, struct fdisk_partition *part,
	int field, struct kmln_pool *pool)
{
	char *text = NULL;

	if (fdisk_partition_to_string(part, context, field, &text) < 0 || !text || !*text) {
		free(text);
		return NULL;
	}
	return take(pool, text);
}

static int add_partition(struct fdisk_context *context, struct fdisk_partition *part,
	const struct kmln_disk *disk, struct kmln_facts *facts, struct kmln_error *err)
{
	struct fdisk_parttype *type = fdisk_partition_get_type(part);
	uint64_t sector = fdisk_get_sector_size(context), end;
	struct kmln_partition *p;

	if (fdisk_partition_is_freespace(part) || !fdisk_partition_has_start(part) ||
		!fdisk_partition_has_size(part) || fdisk_partition_is_container(part))
		return 0;
	p = kmln_pool_append(facts->pool, &facts->partitions, &facts->partition_count, sizeof(*p));
	p->number = (unsigned)fdisk_partition_get_partno(part) + 1;
	if (kmln_mul_overflow(fdisk_partition_get_start(part), sector, &p->range.offset) ||
		kmln_mul_overflow(fdisk_partition_get_size(part), sector, &p->range.size) ||
		kmln_add_overflow(p->range.offset, p->range.size, &end) || end > disk->size)
		return kmln_fail(err, KMLN_EINVALID,
			"partition %u ends behind the image, which is %llu bytes long: is it "
			"truncated?",
			p->number, (unsigned long long)disk->size);
	if (type && kmln_eq(facts->table, "mbr"))
		p->type = kmln_pool_printf(facts->pool, "%02x", fdisk_parttype_get_code(type));
	else if (type)
		p->type = kmln_pool_strdup(facts->pool, fdisk_parttype_get_string(type));
	if (type)
		p->type_name = kmln_pool_strdup(facts->pool, fdisk_parttype_get_name(type));
	p->active = partition_text(context, part, FDISK_FIELD_BOOT, facts->pool) != NULL;
	p->uuid = partition_text(context, part, FDISK_FIELD_UUID, facts->pool);
	p->name = partition_text(context, part, FDISK_FIELD_NAME, facts->pool);
	return 0;
}

/* The boot sector of a bare filesystem may end in 55 aa as well: its table must hold something. */
static int read_table(struct fdisk_context *context, const struct kmln_disk *disk,
	struct kmln_facts *facts, struct kmln_error *err)
{
	KMLN_CLEANUP(table_cleanup) struct fdisk_table *table = NULL;
	char *id = NULL;
	int r;

	if (fdisk_get_partitions(context, &table) < 0)
		return kmln_fail(err, KMLN_EINVALID, "the partition table cannot be read");
	if (fdisk_get_disklabel_id(context, &id) == 0 && id)
		facts->disk_id = take(facts->pool, id);
	for (size_t i = 0; i < fdisk_table_get_nents(table); i++) {
		r = add_partition(context, fdisk_table_get_partition(table, i), disk, facts, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * libfdisk takes a GPT for valid while one of its two headers is, and else sees the MBR in front of
 * it. That is a damaged disk, not one with a single strange partition.
 */
static int refuse_lost_gpt(const struct kmln_disk *disk, struct kmln_error *err)
{
	unsigned char sector[512];
	int r = kmln_device_read(disk->device, sector, sizeof(sector), 0, err);

	if (r < 0 || sector[510] != 0x55 || sector[511] != 0xaa)
		return r;
	for (size_t entry = 0x1be; entry < 0x1fe; entry += 16)
		if (sector[entry + 4] == 0xee)
			return kmln_fail(err, KMLN_EINVALID,
				"the GPT is damaged or cut off; `sgdisk --verify` tells more");
	return 0;
}

/*
 * libfdisk takes as much memory as a GPT says that its entries need, up to 2^64 bytes. 0 where the
 * header at this sector asks for no more than any tool makes; *other is where it says that the
 * second header lies.
 */
static int refuse_huge_gpt(const struct kmln_disk *disk, uint64_t sector_size, uint64_t sector,
	uint64_t *other, struct kmln_error *err)
{
	unsigned char header[92];
	uint64_t at, count, each;
	uint32_t number;
	int r;

	if (kmln_mul_overflow(sector, sector_size, &at) || disk->size < sizeof(header) ||
		at > disk->size - sizeof(header))
		return 0;
	r = kmln_device_read(disk->device, header, sizeof(header), at, err);
	if (r < 0 || memcmp(header, "EFI PART", 8) != 0)
		return r;
	memcpy(other, header + 0x20, sizeof(*other));
	*other = le64toh(*other);
	memcpy(&number, header + 0x50, sizeof(number));
	count = le32toh(number);
	memcpy(&number, header + 0x54, sizeof(number));
	each = le32toh(number);
	if (count * each > GPT_ENTRIES_MAX)
		return kmln_fail(err, KMLN_EINVALID,
			"the GPT is damaged: its table would be %llu times %llu bytes long",
			(unsigned long long)count, (unsigned long long)each);
	return 0;
}

static int refuse_huge_gpts(const struct kmln_disk *disk, struct kmln_error *err)
{
	static const uint64_t sizes[] = {512, 4096};
	int r = 0;

	for (size_t i = 0; r == 0 && i < KMLN_COUNT(sizes); i++) {
		uint64_t last = disk->size / sizes[i] - 1, other = last, ignored;

		r = refuse_huge_gpt(disk, sizes[i], 1, &other, err);
		if (r == 0)
			r = refuse_huge_gpt(disk, sizes[i], other, &ignored, err);
		if (r == 0)
			r = refuse_huge_gpt(disk, sizes[i], last, &ignored, err);
	}
	return r;
}

/*
 * The logical partitions of an MBR are described one by one, each in front of itself, anywhere on
 * the disk: these sectors go into the shadow as well. Whatever the chain says, libfdisk judges it;
 * here it only must come to an end.
 */
static int copy_chain(int shadow, const struct kmln_disk *disk, struct kmln_error *err)
{
	unsigned char sector[512];
	uint64_t first = 0;
	int r = kmln_device_read(disk->device, sector, sizeof(sector), 0, err);

	for (unsigned links = 0; r == 0 && links < CHAIN_MAX; links++) {
		struct kmln_range at = {0, sizeof(sector)};

		for (size_t entry = 0x1be; !at.offset && entry < 0x1fe; entry += 16)
			if (sector[entry + 4] == 0x05 || sector[entry + 4] == 0x0f ||
				sector[entry + 4] == 0x85)
				at.offset = sector[entry + 8] | sector[entry + 9] << 8 |
					    sector[entry + 10] << 16 |
					    (uint64_t)sector[entry + 11] << 24;
		if (!at.offset || sector[510] != 0x55 || sector[511] != 0xaa)
			break;
		/* the first one counts from the disk's start, the others from the first one's */
		at.offset = (at.offset + first) * sizeof(sector);
		if (!first)
			first = at.offset / sizeof(sector);
		if (disk->size < sizeof(sector) || at.offset > disk->size - sizeof(sector))
			break;
		r = kmln_shadow_copy(shadow, at.offset, disk->device, &at, err);
		if (r == 0)
			r = kmln_device_read(disk->device, sector, sizeof(sector), at.offset, err);
	}
	return r;
}

int kmln_partitions_read(
	const struct kmln_disk *disk, struct kmln_facts *facts, struct kmln_error *err)
{
	KMLN_CLEANUP(context_cleanup) struct fdisk_context *context = fdisk_new_context();
	const struct kmln_range whole = {0, disk->size};
	KMLN_FD int shadow = -1;
	uint64_t start = 0;
	int fd, r;

	if (!context)
		abort();
	if (disk->size < 512)
		return 0;
	r = refuse_huge_gpts(disk, err);
	if (r < 0)
		return r;
	if (!kmln_device_file(disk->device, NULL, &fd, &start) || start) {
		fd = shadow = kmln_shadow_ends(disk->device, &whole, err);
		r = fd < 0 ? fd : copy_chain(shadow, disk, err);
		if (r < 0)
			return r;
	}
	fdisk_disable_dialogs(context, 1);
	r = fdisk_assign_device_by_fd(context, fd, "image", 1);
	if (r < 0)
		return kmln_fail_sys(err, -r, "the partition table");
	if (!fdisk_is_label(context, GPT))
		r = refuse_lost_gpt(disk, err);
	if (r == 0 && (fdisk_is_label(context, DOS) || fdisk_is_label(context, GPT))) {
		facts->table = fdisk_is_label(context, DOS) ? "mbr" : "gpt";
		r = read_table(context, disk, facts, err);
	} else if (r == 0 && fdisk_has_label(context))
		r = kmln_fail(err, KMLN_EINVALID,
			"a partition table of kind %s, which kmln does not know",
			fdisk_label_get_name(fdisk_get_label(context, NULL)));
	fdisk_deassign_device(context, 1);
	if (r == 0 && !facts->partition_count && kmln_eq(facts->table, "mbr"))
		facts->table = facts->disk_id = NULL;
	return r;
}
