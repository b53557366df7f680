// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Compressed modules. A Debian has gzip always, xz and zstd often, and apt, whose helper knows all
 * three, nearly always; so no decoder has to be carried.
 */
#include "agent/guest.h"

#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/file.h"

#define APT_HELPER "/usr/lib/apt/apt-helper"

static const struct form {
	const char *magic;
	size_t length;
	const char *program, *package;
} forms[] = {
	{"\xfd"
	 "7zXZ",
		6, "xz", "xz-utils"},
	{"\x28\xb5\x2f\xfd", 4, "zstd", "zstd"},
	{"\x1f\x8b", 2, "gzip", "gzip"},
};

static int read_output(int fd, size_t limit, struct kmln_buf *out, struct kmln_error *err)
{
	KMLN_FREE char *piece = kmln_malloc(1 << 16);
	size_t start = out->size;
	ssize_t n;

	while ((n = read(fd, piece, 1 << 16)) > 0) {
		if (out->size - start + (size_t)n > limit)
			return kmln_fail(err, EFBIG, "longer than %zu bytes", limit);
		kmln_buf_add(out, piece, (size_t)n);
	}
	return n < 0 ? kmln_fail_sys(err, errno, "read") : 0;
}

static int run(const char *const *argv, size_t limit, struct kmln_buf *out, struct kmln_error *err)
{
	const struct kmln_child child = {.argv = argv};
	KMLN_FD int fd = -1;
	int pid = kmln_child_start(&child, &fd, STDERR_FILENO, err), r, status;
	struct kmln_error failed;

	if (pid < 0)
		return pid;
	r = read_output(fd, limit, out, err);
	kmln_close_cleanup(&fd);
	status = kmln_child_wait(pid, &failed);
	if (r == 0 && status != 0)
		r = kmln_fail(err, EIO, "%s failed", argv[0]);
	return r;
}

int kmln_guest_unpack(const char *path, const void *bytes, size_t size, size_t limit,
	struct kmln_buf *out, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();

	for (size_t i = 0; i < KMLN_COUNT(forms); i++) {
		const char *const own[] = {forms[i].program, "-d", "-c", path, NULL};
		const char *const helper[] = {APT_HELPER, "cat-file", path, NULL};

		if (size < forms[i].length || memcmp(bytes, forms[i].magic, forms[i].length) != 0)
			continue;
		if (kmln_find_program(pool, forms[i].program))
			return run(own, limit, out, err);
		if (kmln_is_program(APT_HELPER))
			return run(helper, limit, out, err);
		return kmln_fail(
			err, ENOENT, "no program unpacks it: install %s", forms[i].package);
	}
	if (size > limit)
		return kmln_fail(err, EFBIG, "longer than %zu bytes", limit);
	kmln_buf_add(out, bytes, size);
	return 0;
}
