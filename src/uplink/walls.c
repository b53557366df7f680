// SPDX-License-Identifier: GPL-2.0-or-later
/* Landlock for files, and a bound on descriptors. */
#include "uplink/walls.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/landlock.h"

int kmln_uplink_walls(struct kmln_error *err)
{
	KMLN_LANDLOCK struct kmln_landlock landlock = {.fd = -1};
	struct rlimit limit = {KMLN_UPLINK_DESCRIPTORS, KMLN_UPLINK_DESCRIPTORS};
	char *found = realpath("/etc/resolv.conf", NULL);
	KMLN_FREE char *servers = found ? found : kmln_strdup("/etc/resolv.conf");
	int r;

	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return kmln_fail_sys(err, errno, "limit of descriptors");
	r = kmln_landlock_open_network(&landlock, err);
	if (r < 0)
		return r;
	/* its folder: who changes the list puts another file in its place */
	*strrchr(servers, '/') = '\0';
	if (access(servers, R_OK) == 0 &&
		(r = kmln_landlock_allow(&landlock, servers, KMLN_ACCESS_READ, err)) < 0)
		return r;
	/* the process's own: sanitizers look there at the end */
	r = kmln_landlock_allow(&landlock, "/proc/self", KMLN_ACCESS_READ, err);
	return r < 0 ? r : kmln_landlock_enforce(&landlock, err);
}
