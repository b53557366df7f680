// SPDX-License-Identifier: GPL-2.0-or-later
/* Names in /boot, and the kernel's command line. */
#include "guest/boot-files.h"

#include <string.h>

#include "guest/step.h"

char *kmln_initramfs_name(
	struct kmln_pool *pool, const struct kmln_facts *facts, const char *release)
{
	return kmln_kernels_initramfs_name(pool, facts->kernels, facts->kernel_count, release);
}

/* Init systems that make the root writable themselves check it first; the others cannot. */
static bool remounts_root(enum kmln_init init)
{
	return init == KMLN_INIT_SYSTEMD || init == KMLN_INIT_SYSVINIT || init == KMLN_INIT_OPENRC;
}

/*
 * Names like eth0 are what UML gives; with net.ifnames=0 udev leaves the kernel's names, which are
 * the same in QEMU. A guest that was set up with other names keeps the naming that made them.
 */
static bool keeps_kernel_names(const struct kmln_facts *facts)
{
	for (size_t i = 0; i < facts->interface_count; i++)
		if (kmln_starts(facts->interfaces[i].name, "en"))
			return false;
	return true;
}

char *kmln_kernel_words(struct kmln_pool *pool, const struct kmln_facts *facts)
{
	return kmln_pool_printf(pool,
		"root=UUID=%s rootfstype=%s %s%s console=tty0 console=ttyS0,115200",
		facts->root->uuid, facts->root->type, remounts_root(facts->init) ? "ro" : "rw",
		keeps_kernel_names(facts) ? " net.ifnames=0" : "");
}
