// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of platforms, and what the launches have in common. */
#include "platform/platform.h"

#include <stdio.h>
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
	.host_kernel = true,
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

/* The name of a device is a word of ours or of the kernel's, and stands where a path would. */
static int check_card(const struct kmln_card *card, struct kmln_error *err)
{
	const char *name = card->to;
	size_t n = name ? strlen(name) : 0;

	if (card->mac[0] & 1)
		return kmln_fail(err, KMLN_EUSAGE, "the address of a network card is one of many");
	if (card->link == KMLN_LINK_VDE)
		return name ? check_path("switch", name, err)
			    : kmln_fail(err, KMLN_EUSAGE, "a switch has no folder");
	if (card->link == KMLN_LINK_TAP &&
		(!n || n > 15 || name[strcspn(name, " \t\n/,:\"'\\")] != '\0'))
		return kmln_fail(
			err, KMLN_EUSAGE, "no name of a network device: '%s'", name ? name : "");
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
	for (size_t i = 0; i < KMLN_COUNT(paths); i++)
		if (check_path(paths[i].what, paths[i].path, err) < 0)
			return -err->code;
	for (size_t i = 0; launch->disks && launch->disks[i]; i++)
		if (launch->disks[i][0] != '{' &&
			check_path("further disk", launch->disks[i], err) < 0)
			return -err->code;
	for (size_t i = 0; launch->sockets && launch->sockets[i]; i++)
		if (check_path("further disk", launch->sockets[i], err) < 0)
			return -err->code;
	for (size_t i = 0; i < launch->card_count; i++)
		if (check_card(&launch->cards[i], err) < 0)
			return -err->code;
	return 0;
}

void kmln_mac_text(char text[KMLN_MAC_TEXT], const unsigned char mac[6])
{
	snprintf(text, KMLN_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		mac[3], mac[4], mac[5]);
}

uint64_t kmln_launch_mib(const struct kmln_launch *launch)
{
	return (launch->memory + (1u << 20) - 1) >> 20;
}
