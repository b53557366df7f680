// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The transfer folder: User-Mode Linux shows the guest a folder of the host (hostfs). A worker
 * mounts it in a mount namespace of its own and takes it out of the tree at once: it has no name in
 * the guest, and is gone when the worker ends.
 */
#include "agent/agent.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/file.h"

#define FOLDER_ON_HOST "/kmln/transfer"
#define PIECE (256u << 10)

/* Any folder that is there: nothing of the guest's is below it for the worker. */
static const char *const places[] = {"/usr/lib/kmln", "/mnt", "/tmp", "/proc"};

static bool is_name(const char *name)
{
	return *name && *name != '.' && !strchr(name, '/') && strlen(name) < 200;
}

static int open_folder(struct kmln_error *err)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return kmln_fail_sys(err, errno, "a mount namespace");
	for (size_t i = 0; i < KMLN_COUNT(places); i++) {
		int fd;

		if (mount("none", places[i], "hostfs", flags, FOLDER_ON_HOST) < 0) {
			if (errno == ENODEV)
				return kmln_fail(
					err, ENOTSUP, "this guest sees no folder of the host");
			continue;
		}
		fd = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		umount2(places[i], MNT_DETACH);
		if (fd >= 0)
			return fd;
	}
	return kmln_fail(err, ENOTSUP, "the host's transfer folder cannot be mounted");
}

int agent_share_open(const char *name, int flags, struct kmln_error *err)
{
	KMLN_FD int folder = -1;
	int fd;

	if (!is_name(name))
		return kmln_fail(err, EINVAL, "share: no name of a file");
	folder = open_folder(err);
	if (folder < 0)
		return folder;
	fd = openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? kmln_fail_sys(err, errno, "the transfer folder's %s", name) : fd;
}

int agent_copy(int from, int to, uint64_t *size, struct kmln_error *err)
{
	KMLN_FREE char *piece = kmln_malloc(PIECE);

	for (;;) {
		ssize_t n = read(from, piece, PIECE);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return kmln_fail_sys(err, errno, "reading");
		if (n == 0)
			return 0;
		r = kmln_write_all(to, piece, (size_t)n, err);
		if (r < 0)
			return r;
		*size += (uint64_t)n;
	}
}
