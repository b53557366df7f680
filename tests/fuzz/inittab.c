// SPDX-License-Identifier: GPL-2.0-or-later
/* A guest's /etc/inittab: the logins in it are found, and one for the serial console added. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {"/etc/inittab", NULL};

	fuzz_guest(paths, data, size);
	return 0;
}
