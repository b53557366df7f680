// SPDX-License-Identifier: GPL-2.0-or-later
/* An rpm database in SUSE's form: its slots and the headers in it, read by a child that may die. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {"/usr/lib/sysimage/rpm/Packages.db", NULL};

	fuzz_guest(paths, data, size);
	return 0;
}
