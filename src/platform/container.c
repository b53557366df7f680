// SPDX-License-Identifier: GPL-2.0-or-later
/* Containers: the guest's programs on the host's kernel. The guest brings neither kernel nor disk.
 */
#include "platform/platform.h"

#include <unistd.h>

#include "base/file.h"
#include "platform/host.h"
#include "platform/look.h"

/* What can run a folder with a root filesystem. */
static const struct {
	const char *name, *key;
	bool root_only;
} runtimes[] = {
	{"systemd-nspawn", "nspawn", true},
	{"crun", "crun", false},
	{"podman", "podman", false},
	{"bwrap", "bwrap", false},
};

static int container_probe(struct kmln_pool *pool, struct kmln_probe *probe, struct kmln_error *err)
{
	bool root = geteuid() == 0;
	const char *runtime = NULL, *why;
	bool namespaces;
	int r = kmln_host_namespaces(pool, &namespaces, &why, err);

	if (r < 0)
		return r;
	kmln_probe_add(pool, probe, "namespaces", namespaces ? "yes" : NULL, NULL);
	for (size_t i = 0; i < KMLN_COUNT(runtimes); i++) {
		const char *path = kmln_find_program(pool, runtimes[i].name);

		/* any one is enough: only bubblewrap, which is wanted anyway, is proposed */
		kmln_probe_add(pool, probe, runtimes[i].key, path,
			kmln_eq(runtimes[i].key, "bwrap") ? "bubblewrap" : NULL);
		if (path && !runtime && (root || !runtimes[i].root_only))
			runtime = runtimes[i].name;
	}
	if (!namespaces)
		return kmln_probe_end(probe, "no-permission",
			kmln_pool_printf(pool, "namespaces do not work: %s", why));
	if (!runtime)
		return kmln_probe_end(probe, "absent", "no container runtime is installed");
	return kmln_probe_end(probe, "usable",
		kmln_pool_printf(pool, "namespaces work, and %s is there", runtime));
}

const struct kmln_platform kmln_platform_container = {
	.name = "container",
	.summary = "the guest's programs on the host's own kernel",
	.console = "console",
	.probe = container_probe,
};
