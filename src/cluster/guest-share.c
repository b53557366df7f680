// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The transfer folder of a guest, seen from the host. The guest is hostile, and root in it: what it
 * puts there (pipes, links, files that change) is never opened. kmln makes a file, keeps it open,
 * and gives it a name for the guest to open; what comes back is read through that descriptor.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "cluster/guest.h"

/* What was left is taken away after this time, seconds: nothing takes so long. */
#define STALE (24 * 3600)

static int make_name(char name[KMLN_SHARE_NAME], struct kmln_error *err)
{
	unsigned char bytes[16];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return kmln_fail_sys(err, errno, "getrandom");
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(name + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

int kmln_share_make(const struct kmln_guest *guest, struct kmln_error *err)
{
	int fd = openat(guest->transfer, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	return fd < 0 ? kmln_fail_sys(err, errno, "the transfer folder") : fd;
}

int kmln_share_name(
	const struct kmln_guest *guest, int fd, char name[KMLN_SHARE_NAME], struct kmln_error *err)
{
	char path[32];
	int r = make_name(name, err);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* fails where the name is there, be it as a link */
	if (linkat(AT_FDCWD, path, guest->transfer, name, AT_SYMLINK_FOLLOW) < 0)
		return kmln_fail_sys(err, errno, "the transfer folder");
	return 0;
}

void kmln_share_unname(const struct kmln_guest *guest, const char *name)
{
	/* a folder that the guest has put in its place is not ours to empty */
	unlinkat(guest->transfer, name, 0);
}

void kmln_share_sweep(int folder)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	time_t now = time(NULL);
	const struct dirent *entry;

	if (!dir) {
		kmln_close_cleanup(&fd);
		return;
	}
	while ((entry = readdir(dir))) {
		struct stat st;

		if (strlen(entry->d_name) == 32 &&
			fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			!S_ISDIR(st.st_mode) && st.st_mtime < now - STALE)
			unlinkat(folder, entry->d_name, 0);
	}
	closedir(dir);
}
