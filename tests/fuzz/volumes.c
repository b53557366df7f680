// SPDX-License-Identifier: GPL-2.0-or-later
/* The heads of LVM, LUKS, md and Btrfs, each reader on the same bytes; and LVM's text alone. */
#include "fuzz.h"

#include "image/inspect-volumes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(
		const struct kmln_part *part, struct kmln_volume *v, struct kmln_pool *pool) = {
		kmln_volume_lvm, kmln_volume_luks, kmln_volume_md, kmln_volume_btrfs};
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_volume text = {0};
	struct kmln_disk disk;
	struct kmln_part part;

	fuzz_disk(data, size, 1 << 20, &disk);
	part = (struct kmln_part){disk.device, {0, disk.size}};
	for (size_t i = 0; i < KMLN_COUNT(readers); i++) {
		struct kmln_volume volume = {0};

		readers[i](&part, &volume, pool);
	}
	kmln_parse_lvm(&text, pool, fuzz_text(pool, data, size));
	kmln_disk_close(&disk);
	return 0;
}
