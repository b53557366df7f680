// SPDX-License-Identifier: GPL-2.0-or-later
/* A guest's /etc/fstab: read, and changed so that the root is named by its UUID. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {"/etc/fstab", NULL};

	fuzz_guest(paths, data, size);
	return 0;
}
