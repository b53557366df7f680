// SPDX-License-Identifier: GPL-2.0-or-later
/* Where the programs are that only kmln starts. */
#include "base/helper.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

int kmln_find_helper(
	struct kmln_pool *pool, const char *name, const char **path, struct kmln_error *err)
{
	char self[PATH_MAX];
	ssize_t size = readlink("/proc/self/exe", self, sizeof(self));
	const char *slash;

	if (size < 0 || size == sizeof(self))
		return kmln_fail_sys(err, size < 0 ? errno : ENAMETOOLONG, "/proc/self/exe");
	slash = memrchr(self, '/', (size_t)size);
	if (slash) {
		*path = kmln_pool_printf(pool, "%.*s/%s", (int)(slash - self), self, name);
		if (kmln_is_program(*path))
			return 0;
	}
	*path = kmln_pool_printf(pool, "%s/%s", KMLN_HELPERS, name);
	if (kmln_is_program(*path))
		return 0;
	return kmln_fail(err, KMLN_ELACK, "kmln's program %s is neither beside kmln nor in %s",
		name, KMLN_HELPERS);
}
