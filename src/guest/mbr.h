/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first sector: its partition table, and GRUB's boot code with the core image it starts. Pure.
 */
#ifndef KMLN_GUEST_MBR_H
#define KMLN_GUEST_MBR_H

#include <stdint.h>

#include "base/mem.h"

/* Numbers as a disk has them. */
void kmln_put_le16(char *at, uint16_t value);
void kmln_put_le32(char *at, uint32_t value);
void kmln_put_le64(char *at, uint64_t value);

struct kmln_mbr_partition {
	bool active;
	unsigned char type;
	uint64_t start, count; /* sectors; more than fit are written as the most that fits */
};
/* Writes the table of one partition into a sector. */
void kmln_mbr_table(char *sector, uint32_t disk_id, const struct kmln_mbr_partition *partition);

/* Puts GRUB's boot.img (512 bytes) in front of what else is in the sector; core.img is at `core`.
 */
void kmln_mbr_grub(char *sector, const char *boot_img, uint64_t core);
/* core.img for sector `at`, in whole sectors, from the pool; sizes are bytes. */
char *kmln_mbr_core(
	struct kmln_pool *pool, const char *core, size_t size, uint64_t at, size_t *padded);

#endif
