// SPDX-License-Identifier: GPL-2.0-or-later
/* Xen: PV and PVH guests of a dom0. The domain's kernel lies in the disk or beside it; the tools of
 * dom0 load it, so no boot loader runs in the guest. */
#include "platform/platform.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "platform/look.h"

#define PROGRAM "xl"
#define PACKAGE "xen-utils-common"
/* Xen has names for sixteen disks of this kind. */
#define FURTHER_MAX 15

static const char *const ends[] = {"on_poweroff", "on_reboot", "on_crash"};
static const char *const entries[] = {"xen", NULL};
static const char *const drivers[] = {"xen_blkfront", "xen_netfront", NULL};

/* Guests are started in dom0, the first domain: nowhere else does `xl` work. */
static int xen_probe(struct kmln_pool *pool, struct kmln_probe *probe, struct kmln_error *err)
{
	const char *type = kmln_look_line(pool, "/sys/hypervisor/type");
	const char *powers = kmln_look_line(pool, "/proc/xen/capabilities");
	bool under_xen = kmln_eq(type, "xen"), dom0 = powers && strstr(powers, "control_d");
	const char *major = kmln_look_line(pool, "/sys/hypervisor/version/major");
	const char *minor = kmln_look_line(pool, "/sys/hypervisor/version/minor");
	const char *xl = kmln_find_program(pool, PROGRAM);

	(void)err;
	kmln_probe_add(pool, probe, "domain", dom0 ? "dom0" : under_xen ? "guest" : NULL, NULL);
	kmln_probe_add(pool, probe, "version",
		under_xen && major && minor ? kmln_pool_printf(pool, "%s.%s", major, minor) : NULL,
		NULL);
	kmln_probe_add(pool, probe, "xl", xl, dom0 ? PACKAGE : NULL);
	if (!dom0)
		return kmln_probe_end(probe, "absent",
			under_xen
				? "this host is itself a guest of Xen, not its dom0"
				: "this host does not run under Xen (Debian package xen-system-amd64)");
	if (!xl)
		return kmln_probe_end(probe, "absent",
			"this is a dom0, but xl is not installed (Debian package " PACKAGE ")");
	if (geteuid() != 0)
		return kmln_probe_end(probe, "no-permission", "xl works only for root");
	return kmln_probe_end(probe, "usable", "this is a dom0");
}

/* KEY="TEXT", as a configuration of xl has it. */
static void add_setting(struct kmln_strv *argv, const char *key, const char *text)
{
	KMLN_BUF struct kmln_buf word = {0};

	kmln_buf_printf(&word, "%s=\"", key);
	for (; *text; text++)
		kmln_buf_printf(&word, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	kmln_buf_str(&word, "\"");
	kmln_strv_add(argv, word.data);
}

/* The first, and further ones behind it, as the guest sees them: xvda, xvdb ... */
static void add_disks(const struct kmln_launch *launch, struct kmln_strv *argv)
{
	KMLN_BUF struct kmln_buf word = {0};

	kmln_buf_printf(&word, "disk=[\"format=raw,vdev=%s,access=%s,target=%s\"",
		kmln_platform_xen.disk, launch->read_only ? "ro" : "rw", launch->disk);
	for (size_t i = 0; launch->disks && launch->disks[i]; i++)
		kmln_buf_printf(&word, ",\"format=raw,vdev=xvd%c,access=rw,target=%s\"",
			(char)('b' + i), launch->disks[i]);
	kmln_buf_str(&word, "]");
	kmln_strv_add(argv, word.data);
}

/* All of the configuration stands in the arguments, behind an empty file of it. */
static int xen_launch(
	const struct kmln_launch *launch, struct kmln_strv *argv, struct kmln_error *err)
{
	int r = kmln_launch_check(launch, err);

	if (r < 0)
		return r;
	if (launch->nodes || launch->snapshot || launch->disks_snapshot)
		return kmln_fail(err, KMLN_EUSAGE, "Xen is given raw images, and writes to them");
	if (launch->boot_disk || launch->firmware)
		return kmln_fail(err, KMLN_EUSAGE,
			"a domain of Xen has no firmware: it starts from no boot disk");
	for (size_t i = 0; launch->disks && launch->disks[i]; i++)
		if (launch->disks[i][0] == '{' || i >= FURTHER_MAX)
			return kmln_fail(err, KMLN_EUSAGE,
				"a domain of Xen is given raw images, and %d of them besides its "
				"first",
				FURTHER_MAX);
	if (!launch->kernel || !launch->name || !launch->type)
		return kmln_fail(err, KMLN_EUSAGE, "a domain of Xen is given its kernel");
	kmln_strv_adds(argv, launch->program ? launch->program : PROGRAM, "create", "-c",
		"/dev/null", NULL);
	add_setting(argv, "name", launch->name);
	add_setting(argv, "type", launch->type);
	add_setting(argv, "kernel", launch->kernel);
	if (launch->initramfs)
		add_setting(argv, "ramdisk", launch->initramfs);
	add_setting(argv, "extra", launch->cmdline ? launch->cmdline : "");
	kmln_strv_printf(argv, "memory=%llu", (unsigned long long)kmln_launch_mib(launch));
	add_disks(launch, argv);
	for (size_t i = 0; i < KMLN_COUNT(ends); i++)
		add_setting(argv, ends[i], "destroy");
	return 0;
}

static void xen_ending(const struct kmln_launch *launch, struct kmln_strv *argv)
{
	kmln_strv_adds(
		argv, launch->program ? launch->program : PROGRAM, "destroy", launch->name, NULL);
}

const struct kmln_platform kmln_platform_xen = {
	.name = "xen",
	.summary = "guests of a Xen hypervisor, PV or PVH",
	.console = "hvc0",
	.disk = "xvda",
	.needs_kernel = true,
	.drivers = drivers,
	.entries = entries,
	.domains = true,
	.probe = xen_probe,
	.launch = xen_launch,
	.ending = xen_ending,
};
