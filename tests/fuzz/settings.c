// SPDX-License-Identifier: GPL-2.0-or-later
/* What else a guest says in files of its own: terminals, jobs, volumes, marks. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {"/etc/crypttab", "/etc/securetty",
		"/etc/init/tty1.conf", "/etc/machine-id", "/etc/selinux/config",
		"/etc/default/grub", "/etc/initramfs-tools/conf.d/resume", NULL};

	fuzz_guest(paths, data, size);
	return 0;
}
