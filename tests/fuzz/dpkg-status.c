// SPDX-License-Identifier: GPL-2.0-or-later
/* A guest's list of packages, which is read as a stream. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {"/var/lib/dpkg/status", NULL};

	fuzz_guest(paths, data, size);
	return 0;
}
