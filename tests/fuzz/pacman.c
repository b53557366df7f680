// SPDX-License-Identifier: GPL-2.0-or-later
/* The description of a package in Arch's database. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {"/var/lib/pacman/local/a-1-1/desc", NULL};

	fuzz_guest(paths, data, size);
	return 0;
}
