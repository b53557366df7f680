// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of platforms, and what the launches have in common. */
#include "platform/platform.h"

#include <string.h>

const struct kmln_platform *const kmln_platforms[] = {
	&kmln_platform_kvm,
	&kmln_platform_uml,
	&kmln_platform_qemu,
	&kmln_platform_xen,
	&kmln_platform_container,
	NULL,
};

static const char *const all_drivers[] = {
	"virtio_pci", "virtio_blk", "virtio_net", "xen_blkfront", "xen_netfront", NULL};
static const char *const all_entries[] = {"pc", "xen-pv", "xen-pvh", NULL};

const struct kmln_platform kmln_platform_all = {
	.name = "all",
	.summary = "User-Mode Linux, KVM, Xen PV and Xen PVH at once",
	.console = "ttyS0",
	.second_console = "hvc0",
	/* what one platform calls it is not right on all */
	.disk = "any",
	.needs_kernel = true,
	.needs_loader = true,
	.drivers = all_drivers,
	.entries = all_entries,
	.domains = true,
};

const struct kmln_platform *kmln_platform_find(const char *name)
{
	if (kmln_eq(name, kmln_platform_all.name))
		return &kmln_platform_all;
	for (const struct kmln_platform *const *p = kmln_platforms; *p; p++)
		if (kmln_eq((*p)->name, name))
			return *p;
	return NULL;
}

/*
 * Commas and colons divide the parts of an option, blanks the words of a kernel command line:
 * none of them can be quoted in all the places where a path is put.
 */
static int check_path(const char *what, const char *path, struct kmln_error *err)
{
	if (!path)
		return 0;
	if (path[0] != '/')
		return kmln_fail(
			err, KMLN_EUSAGE, "the path of the %s is not absolute: %s", what, path);
	for (const char *c = path; *c; c++)
		if (*c <= ' ' || *c == 0x7f || strchr(",:\"'\\", *c))
			return kmln_fail(err, KMLN_EUSAGE,
				"the path of the %s has a byte that a command line cannot carry: %s",
				what, path);
	return 0;
}

int kmln_launch_check(const struct kmln_launch *launch, struct kmln_error *err)
{
	const struct {
		const char *what, *path;
	} paths[] = {
		{"disk", launch->disk},
		{"copy-on-write file", launch->overlay},
		{"kernel", launch->kernel},
		{"initramfs", launch->initramfs},
		{"boot disk", launch->boot_disk},
		{"firmware", launch->firmware},
		{"firmware's variables", launch->variables},
		{"run folder", launch->run},
	};

	if (!launch->disk || !launch->run)
		return kmln_fail(err, KMLN_EUSAGE, "a machine needs a disk and a run folder");
	/* the floor is below what any current kernel needs, the ceiling beyond any host */
	if (launch->memory < (16u << 20) || launch->memory > ((uint64_t)1 << 42))
		return kmln_fail(err, KMLN_EUSAGE, "%llu bytes is no memory size for a machine",
			(unsigned long long)launch->memory);
	for (size_t i = 0; i < KMLN_COUNT(paths); i++) {
		int r = check_path(paths[i].what, paths[i].path, err);

		if (r < 0)
			return r;
	}
	return 0;
}

uint64_t kmln_launch_mib(const struct kmln_launch *launch)
{
	return (launch->memory + (1u << 20) - 1) >> 20;
}
