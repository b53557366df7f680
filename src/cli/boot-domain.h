/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `kmln boot` on a platform whose machines are no processes of this host: domains of Xen. */
#ifndef KMLN_CLI_BOOT_DOMAIN_H
#define KMLN_CLI_BOOT_DOMAIN_H

#include "plan/actions.h"
#include "platform/platform.h"

/*
 * Makes the spawn of the domain. The hypervisor's tools work outside of any walls of ours, with the
 * host's own paths: the launch has the user's, which become real ones here; its name and type are
 * filled in. KMLN_EINVALID for a kernel that Xen cannot start.
 */
int kmln_plan_domain(const struct kmln_platform *platform, struct kmln_launch *launch,
	struct kmln_actions *actions, struct kmln_spawn *spawn, struct kmln_error *err);

#endif
