// SPDX-License-Identifier: GPL-2.0-or-later
/* Alpine's list of packages, which is read as a stream. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {"/lib/apk/db/installed", NULL};

	fuzz_guest(paths, data, size);
	return 0;
}
