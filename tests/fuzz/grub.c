// SPDX-License-Identifier: GPL-2.0-or-later
/* A guest's configuration of GRUB, in each of its places. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {
		"/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/boot/grub/menu.lst", NULL};

	fuzz_guest(paths, data, size);
	return 0;
}
