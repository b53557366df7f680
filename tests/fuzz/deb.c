// SPDX-License-Identifier: GPL-2.0-or-later
/* A kernel package: its control file is read, nothing of it is unpacked. */
#include "fuzz.h"

#include "guest/archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_DISK struct kmln_disk disk;
	KMLN_FREE char *path = NULL;
	struct kmln_error err = {0};
	struct kmln_deb deb;

	fuzz_disk(data, size, 0, &disk);
	path = kmln_printf("/proc/self/fd/%d", disk.fd);
	kmln_deb_read(path, pool, &deb, &err);
	return 0;
}
