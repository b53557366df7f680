// SPDX-License-Identifier: GPL-2.0-or-later
/* Xen: PV and PVH guests of a dom0. The domain's kernel lies in the disk or beside it; the tools of
 * dom0 load it, so no boot loader runs in the guest. */
#include "platform/platform.h"

static const char *const drivers[] = {"xen_blkfront", "xen_netfront", NULL};

const struct kmln_platform kmln_platform_xen = {
	.name = "xen",
	.summary = "guests of a Xen hypervisor, PV or PVH",
	.console = "hvc0",
	.disk = "xvda",
	.needs_kernel = true,
	.drivers = drivers,
};
