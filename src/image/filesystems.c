// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What lies in a partition or in the whole image: libblkid names it, whatever it is; the superblock
 * of an ext filesystem tells the rest.
 */
#include "image/partitions.h"

#include <blkid/blkid.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "image/ext.h"
#include "image/shadow.h"

static void probe_cleanup(blkid_probe *probe)
{
	blkid_free_probe(*probe);
}

static const char *value(blkid_probe probe, const char *name, struct kmln_pool *pool)
{
	const char *text;

	return blkid_probe_lookup_value(probe, name, &text, NULL) == 0
		       ? kmln_pool_strdup(pool, text)
		       : NULL;
}

static int probe_blkid(const struct kmln_disk *disk, struct kmln_filesystem *fs,
	struct kmln_pool *pool, struct kmln_error *err)
{
	KMLN_CLEANUP(probe_cleanup) blkid_probe probe = blkid_new_probe();
	KMLN_FD int shadow = -1;
	uint64_t offset = 0;
	int fd, r;

	if (!probe)
		abort();
	if (!kmln_device_file(disk->device, &fs->range, &fd, &offset)) {
		offset = 0;
		fd = shadow = kmln_shadow_ends(disk->device, &fs->range, err);
		if (fd < 0)
			return fd;
	}
	if (blkid_probe_set_device(probe, fd, (blkid_loff_t)offset, (blkid_loff_t)fs->range.size) <
		0)
		return kmln_fail_sys(err, errno ? errno : EIO, "look for a filesystem");
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(
		probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_UUID | BLKID_SUBLKS_LABEL);
	r = blkid_do_safeprobe(probe);
	if (r == -2)
		return kmln_fail(
			err, KMLN_EINVALID, "more than one filesystem claims the same place");
	if (r == 0) {
		fs->type = value(probe, "TYPE", pool);
		fs->uuid = value(probe, "UUID", pool);
		fs->label = value(probe, "LABEL", pool);
	}
	return 0;
}

/* The magic at byte 1080 says ext, however damaged the rest may be. */
static int has_ext_magic(const struct kmln_disk *disk, const struct kmln_range *range)
{
	struct kmln_error ignored;
	unsigned char magic[2];

	return range->size >= 2048 &&
	       kmln_device_read(disk->device, magic, 2, range->offset + 1080, &ignored) == 0 &&
	       magic[0] == 0x53 && magic[1] == 0xef;
}

static int fill_ext(const struct kmln_disk *disk, struct kmln_filesystem *fs,
	struct kmln_pool *pool, struct kmln_error *err)
{
	struct kmln_ext_super super;
	int r = kmln_ext_super_read(disk->device, &fs->range, pool, &super, err);

	if (r < 0)
		return r;
	fs->is_ext = true;
	fs->type = super.type;
	fs->uuid = super.uuid;
	fs->label = super.label;
	fs->bytes = super.bytes;
	fs->free_bytes = super.free_bytes;
	fs->free_inodes = super.free_inodes;
	fs->features = super.features;
	fs->state = super.has_errors	   ? "errors"
		    : super.needs_recovery ? "needs-recovery"
		    : super.clean	   ? "clean"
					   : "not-clean";
	return 0;
}

static int read_one(const struct kmln_disk *disk, unsigned partition,
	const struct kmln_range *range, struct kmln_facts *facts, struct kmln_error *err)
{
	struct kmln_filesystem fs = {.partition = partition, .range = *range};
	struct kmln_filesystem *slot;
	int r;

	if (has_ext_magic(disk, range))
		r = fill_ext(disk, &fs, facts->pool, err);
	else
		r = probe_blkid(disk, &fs, facts->pool, err);
	if (r < 0)
		return partition ? kmln_wrap(err, "partition %u", partition) : r;
	if (!fs.type)
		return 0;
	slot = kmln_pool_append(
		facts->pool, &facts->filesystems, &facts->filesystem_count, sizeof(*slot));
	*slot = fs;
	return 0;
}

int kmln_filesystems_read(
	const struct kmln_disk *disk, struct kmln_facts *facts, struct kmln_error *err)
{
	const struct kmln_range whole = {0, disk->size};

	if (!facts->table)
		return read_one(disk, 0, &whole, facts, err);
	for (size_t i = 0; i < facts->partition_count; i++) {
		const struct kmln_partition *p = &facts->partitions[i];
		int r = read_one(disk, p->number, &p->range, facts, err);

		if (r < 0)
			return r;
	}
	return 0;
}
