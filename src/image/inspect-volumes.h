/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lies in partitions besides plain filesystems, named: LVM, LUKS, md, Btrfs. */
#ifndef KMLN_IMAGE_INSPECT_VOLUMES_H
#define KMLN_IMAGE_INSPECT_VOLUMES_H

#include "image/facts.h"

/*
 * Fills facts->volumes from facts->filesystems, whose ranges lie in the device. What is damaged
 * is said in the volume's `problem`, and fails nothing.
 */
void kmln_inspect_volumes(struct kmln_device *device, struct kmln_facts *facts);

/* False where the part ends before, or cannot be read there. */
bool kmln_volume_read(const struct kmln_part *part, void *to, size_t size, uint64_t offset);
uint64_t kmln_le(const unsigned char *at, int bytes);

/* Each fills in what it can read of the part; `pool` is the facts'. */
void kmln_volume_lvm(const struct kmln_part *part, struct kmln_volume *v, struct kmln_pool *pool);
void kmln_volume_luks(const struct kmln_part *part, struct kmln_volume *v, struct kmln_pool *pool);
void kmln_volume_md(const struct kmln_part *part, struct kmln_volume *v, struct kmln_pool *pool);
void kmln_volume_btrfs(const struct kmln_part *part, struct kmln_volume *v, struct kmln_pool *pool);
/* The text of LVM's metadata: the group's name and uuid, and its visible logical volumes. */
void kmln_parse_lvm(struct kmln_volume *v, struct kmln_pool *pool, const char *text);

/* Adds a name to v->members. False where there are too many: v->problem says so. */
bool kmln_volume_member(struct kmln_volume *v, struct kmln_pool *pool, const char *name);

#endif
