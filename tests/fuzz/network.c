// SPDX-License-Identifier: GPL-2.0-or-later
/* A guest's network settings, in the form of each system that has some. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {"/etc/network/interfaces",
		"/etc/systemd/network/a.network", "/etc/systemd/network/a.link",
		"/etc/netplan/a.yaml", "/etc/NetworkManager/system-connections/a",
		"/etc/sysconfig/network-scripts/ifcfg-a", "/etc/udev/rules.d/70-a.rules", NULL};

	fuzz_guest(paths, data, size);
	return 0;
}
