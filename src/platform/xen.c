// SPDX-License-Identifier: GPL-2.0-or-later
/* Xen: PV and PVH guests of a dom0. The domain's kernel lies in the disk or beside it; the tools of
 * dom0 load it, so no boot loader runs in the guest. */
#include "platform/platform.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "platform/look.h"

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
	const char *xl = kmln_find_program(pool, "xl");

	(void)err;
	kmln_probe_add(pool, probe, "domain", dom0 ? "dom0" : under_xen ? "guest" : NULL, NULL);
	kmln_probe_add(pool, probe, "version",
		under_xen && major && minor ? kmln_pool_printf(pool, "%s.%s", major, minor) : NULL,
		NULL);
	kmln_probe_add(pool, probe, "xl", xl, dom0 ? "xen-utils-common" : NULL);
	if (!dom0)
		return kmln_probe_end(probe, "absent",
			under_xen ? "this host is itself a guest of Xen, not its dom0"
				  : "this host does not run under Xen");
	if (!xl)
		return kmln_probe_end(probe, "absent", "this is a dom0, but xl is not installed");
	if (geteuid() != 0)
		return kmln_probe_end(probe, "no-permission", "xl works only for root");
	return kmln_probe_end(probe, "usable", "this is a dom0");
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
};
