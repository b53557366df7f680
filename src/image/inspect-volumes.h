/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lies in partitions besides plain filesystems, named: LVM, LUKS, md, Btrfs. */
#ifndef KMLN_IMAGE_INSPECT_VOLUMES_H
#define KMLN_IMAGE_INSPECT_VOLUMES_H

#include "image/facts.h"

/* Reads all of `size` bytes at `offset` of a thing of known length. */
typedef int (*kmln_bytes_fn)(
	void *data, void *to, size_t size, uint64_t offset, struct kmln_error *err);

/*
 * Fills facts->volumes from facts->filesystems; `read` reads the whole image. What is damaged is
 * said in the volume's `problem`, and fails nothing.
 */
void kmln_inspect_volumes(kmln_bytes_fn read, void *data, struct kmln_facts *facts);

/* A part of the image; every read is checked against its size. */
struct kmln_region {
	kmln_bytes_fn read;
	void *data;
	struct kmln_range range;
};
/* False where the part ends before, or cannot be read there. */
bool kmln_region_read(const struct kmln_region *part, void *to, size_t size, uint64_t offset);
uint64_t kmln_le(const unsigned char *at, int bytes);

/* Each fills in what it can read of the part; `pool` is the facts'. */
void kmln_volume_lvm(const struct kmln_region *part, struct kmln_volume *v, struct kmln_pool *pool);
void kmln_volume_luks(const struct kmln_region *part, struct kmln_volume *v, struct kmln_pool *pool);
void kmln_volume_md(const struct kmln_region *part, struct kmln_volume *v, struct kmln_pool *pool);
void kmln_volume_btrfs(const struct kmln_region *part, struct kmln_volume *v, struct kmln_pool *pool);
/* The text of LVM's metadata: the group's name and uuid, and its visible logical volumes. */
void kmln_parse_lvm(struct kmln_volume *v, struct kmln_pool *pool, const char *text);

/* Adds a name to v->members. False where there are too many: v->problem says so. */
bool kmln_volume_member(struct kmln_volume *v, struct kmln_pool *pool, const char *name);

#endif
