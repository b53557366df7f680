// SPDX-License-Identifier: GPL-2.0-or-later
/* A guest's /etc/os-release, and a host name. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {"/etc/os-release", "/etc/hostname", NULL};

	fuzz_guest(paths, data, size);
	return 0;
}
