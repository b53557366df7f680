// SPDX-License-Identifier: GPL-2.0-or-later
/* A guest's network settings: ifupdown's and systemd-networkd's. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {"/etc/network/interfaces",
		"/etc/network/interfaces.d/eth0", "/etc/systemd/network/eth0.network", NULL};

	fuzz_guest(paths, data, size);
	return 0;
}
