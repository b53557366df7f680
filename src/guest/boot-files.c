// SPDX-License-Identifier: GPL-2.0-or-later
/* Names in /boot, and the kernel's command line. */
#include "guest/boot-files.h"

#include <string.h>

#include "boot/grub-config.h"
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

/* What the root is and how it is mounted: the same wherever the kernel runs. */
static char *root_words(struct kmln_pool *pool, const struct kmln_facts *facts)
{
	return kmln_pool_printf(pool, "root=UUID=%s rootfstype=%s %s%s", facts->root->uuid,
		facts->root->type, remounts_root(facts->init) ? "ro" : "rw",
		keeps_kernel_names(facts) ? " net.ifnames=0" : "");
}

char *kmln_kernel_words(struct kmln_pool *pool, const struct kmln_facts *facts)
{
	return kmln_pool_printf(
		pool, "%s console=tty0 console=ttyS0,115200", root_words(pool, facts));
}

char *kmln_domain_words(struct kmln_pool *pool, const struct kmln_facts *facts)
{
	return kmln_pool_printf(pool, "%s console=hvc0", root_words(pool, facts));
}

/*
 * Of consoles the last that is there becomes /dev/console, so hvc0 stands first: a PC has none, a
 * domain has no ttyS0. A domain does have tty0, which nobody sees: it would be /dev/console there.
 */
char *kmln_menu_words(struct kmln_pool *pool, const struct kmln_facts *facts,
	const struct kmln_platform *platform)
{
	static const char both[] = " console=hvc0 console=ttyS0,115200";
	const struct kmln_known_file *before = kmln_facts_file(facts, KMLN_GRUB_CONFIG);

	/* once for Xen too, always for Xen too */
	if (!platform->domains && !(before->data && kmln_starts(before->data, KMLN_GRUB_MARK) &&
					  strstr(before->data, both)))
		return kmln_kernel_words(pool, facts);
	return kmln_pool_printf(pool, "%s%s", root_words(pool, facts), both);
}
