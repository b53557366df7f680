// SPDX-License-Identifier: GPL-2.0-or-later
/* Containers: the guest's programs on the host's kernel. The guest brings neither kernel nor disk.
 */
#include "platform/platform.h"

const struct kmln_platform kmln_platform_container = {
	.name = "container",
	.summary = "the guest's programs on the host's own kernel",
	.console = "console",
};
