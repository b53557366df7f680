// SPDX-License-Identifier: GPL-2.0-or-later
/* A kernel and an initramfs: which architecture, whose, and what it has built in. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {
		"/boot/vmlinuz-6.1.0-1-test", "/boot/initrd.img-6.1.0-1-test", NULL};

	fuzz_guest(paths, data, size);
	return 0;
}
