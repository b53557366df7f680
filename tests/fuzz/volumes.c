// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is in a partition besides a plain filesystem. The first byte says which: one of the kinds by
 * its bytes, or LVM's text alone. A Btrfs begins with its superblock: what lies before it is
 * nothing.
 */
#include "fuzz.h"

#include <string.h>

#include "image/inspect-volumes.h"

#define SUPER 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const kinds[] = {
		"LVM2_member", "crypto_LUKS", "linux_raid_member", "btrfs"};
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_facts facts = {.pool = pool};
	KMLN_BUF struct kmln_buf bytes = {0};
	struct kmln_filesystem fs = {0};
	KMLN_DISK struct kmln_disk disk = {.fd = -1};
	struct kmln_volume volume = {0};

	if (size < 1 || data[0] < 'a' || data[0] > 'e')
		return 0;
	if (data[0] == 'e') {
		kmln_parse_lvm(&volume, pool, fuzz_text(pool, data + 1, size - 1));
		return 0;
	}
	if (data[0] == 'd')
		kmln_buf_grow(&bytes, SUPER);
	kmln_buf_add(&bytes, data + 1, size - 1);
	fuzz_disk((const uint8_t *)bytes.data, bytes.size, 0, &disk);
	fs = (struct kmln_filesystem){.type = kinds[data[0] - 'a'], .range = {0, disk.size}};
	facts.filesystems = &fs;
	facts.filesystem_count = 1;
	kmln_inspect_volumes(disk.device, &facts);
	return 0;
}
