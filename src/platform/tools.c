// SPDX-License-Identifier: GPL-2.0-or-later
/* The helper programs that kmln runs, and the Debian 12 packages that bring them. */
#include "platform/tools.h"

#include <unistd.h>

#include "base/file.h"
#include "platform/look.h"

static const struct {
	const char *name, *package, *use;
	const char *ask; /* the option that makes it tell its version; "": run without one; NULL:
			    it has none, and is not run */
	const char *file; /* not a program: this file must be there */
} known[] = {
	{"e2fsck", "e2fsprogs", "checks guests' filesystems", "-V", NULL},
	{"mke2fs", "e2fsprogs", "makes filesystems", "-V", NULL},
	{"resize2fs", "e2fsprogs", "resizes filesystems", "", NULL},
	{"qemu-img", "qemu-utils", "converts disk formats", "--version", NULL},
	{"qemu-storage-daemon", "qemu-system-common", "gives disks of any format to UML",
		"--version", NULL},
	{"mmdebstrap", "mmdebstrap", "makes new Debian guests", "--version", NULL},
	{"grub-mkimage", "grub-common", "makes the boot loader", "--version", NULL},
	{"grub-i386-pc", "grub-pc-bin", "the boot loader's parts for BIOS", NULL,
		"/usr/lib/grub/i386-pc/kernel.img"},
	{"depmod", "kmod", "lists the modules of added kernels", "--version", NULL},
	{"apt-get", "apt", "fetches kernels for guests", "--version", NULL},
	{"bwrap", "bubblewrap", "confines machines", "--version", NULL},
	{"newuidmap", "uidmap", "maps ids in user namespaces", NULL, NULL},
	{"newgidmap", "uidmap", "maps groups in user namespaces", NULL, NULL},
	{"vde_switch", "vde2", "networks between machines", "--version", NULL},
};

void kmln_tools_look(struct kmln_pool *pool, struct kmln_host *host)
{
	host->tool_count = KMLN_COUNT(known);
	host->tools = kmln_pool_array(pool, host->tool_count, sizeof(*host->tools));
	for (size_t i = 0; i < KMLN_COUNT(known); i++) {
		struct kmln_tool *tool = &host->tools[i];
		const char *ask = known[i].ask;

		*tool = (struct kmln_tool){
			.name = known[i].name, .package = known[i].package, .use = known[i].use};
		if (known[i].file)
			tool->path = access(known[i].file, R_OK) == 0 ? known[i].file : NULL;
		else
			tool->path = kmln_find_program(pool, tool->name);
		if (tool->path && ask)
			tool->version = kmln_look_version(pool,
				kmln_look_ask(pool, tool->path, *ask ? ask : NULL, NULL, NULL));
	}
}

const struct kmln_tool *kmln_host_tool(const struct kmln_host *host, const char *name)
{
	for (size_t i = 0; i < host->tool_count; i++)
		if (kmln_eq(host->tools[i].name, name))
			return &host->tools[i];
	return NULL;
}
