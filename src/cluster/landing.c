// SPDX-License-Identifier: GPL-2.0-or-later
/* Putting a guest's files down safely; see landing.h. */
#include "cluster/landing.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/file.h"

#define CLOSED_MAX 100000

bool kmln_path_stays_inside(const char *path)
{
	if (!*path || strlen(path) >= 4096)
		return false;
	for (;;) {
		size_t n = strcspn(path, "/");

		if (!n || n > 255 || (n == 1 && path[0] == '.') ||
			(n == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		if (!path[n])
			return true;
		path += n + 1;
	}
}

void kmln_landing_fini(struct kmln_landing *landing)
{
	kmln_landing_drop(landing);
	kmln_strv_fini(&landing->closed);
}

void kmln_landing_drop(struct kmln_landing *landing)
{
	if (landing->temp[0])
		unlinkat(landing->temp_folder, landing->temp, 0);
	landing->temp[0] = '\0';
	kmln_close_cleanup(&landing->temp_folder);
}

/* Opens the folder that `path` lies in; *name is its last component. */
static int open_parent(const struct kmln_landing *landing, const char *path, const char **name,
	struct kmln_error *err)
{
	KMLN_FD int folder = -1;
	const char *slash;
	int r;

	if (!kmln_path_stays_inside(path))
		return kmln_fail(err, KMLN_EINVALID,
			"the guest names '%s', which is no path below what is copied", path);
	folder = openat(landing->root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (*name = path; folder >= 0 && (slash = strchr(*name, '/')); *name = slash + 1) {
		char part[256];
		int next;

		snprintf(part, sizeof(part), "%.*s", (int)(slash - *name), *name);
		next = openat(folder, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			return kmln_fail_sys(err, errno, "%.*s", (int)(slash - path), path);
		close(folder);
		folder = next;
	}
	if (folder < 0)
		return kmln_fail_sys(err, errno, "the folder to copy to");
	r = folder;
	folder = -1;
	return r;
}

static int set_mode(int parent, const char *name, mode_t mode)
{
	KMLN_FD int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -1 : fchmod(fd, mode & 0777);
}

int kmln_landing_folder(
	struct kmln_landing *landing, const char *path, mode_t mode, struct kmln_error *err)
{
	const char *name;
	KMLN_FD int parent = open_parent(landing, path, &name, err);
	struct stat st;

	if (parent < 0)
		return parent;
	mode &= 0777;
	if (mkdirat(parent, name, 0700) < 0) {
		/* one that is there stays as it is */
		if (errno == EEXIST && fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISDIR(st.st_mode))
			return 0;
		return kmln_fail_sys(err, errno == EEXIST ? ENOTDIR : errno, "%s", path);
	}
	if ((mode & 0700) != 0700 && landing->closed.count < CLOSED_MAX)
		kmln_strv_printf(&landing->closed, "%03o%s", mode, path);
	else if (set_mode(parent, name, mode | 0700) < 0)
		return kmln_fail_sys(err, errno, "%s", path);
	return 0;
}

/* The three digits in front of a path. */
static mode_t parse_mode(const char *item)
{
	return (mode_t)((item[0] - '0') << 6 | (item[1] - '0') << 3 | (item[2] - '0'));
}

int kmln_landing_finish(struct kmln_landing *landing, struct kmln_error *err)
{
	for (size_t i = landing->closed.count; i--;) {
		const char *item = landing->closed.items[i], *path = item + 3, *name;
		KMLN_FD int parent = open_parent(landing, path, &name, err);

		if (parent < 0)
			return parent;
		if (set_mode(parent, name, parse_mode(item)) < 0)
			return kmln_fail_sys(err, errno, "%s", path);
	}
	return 0;
}

static int random_name(char name[32], struct kmln_error *err)
{
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		return kmln_fail_sys(err, errno, "getrandom");
	snprintf(name, 32, ".kmln-%016llx", (unsigned long long)number);
	return 0;
}

/* Puts what has a name of ours in the place of what has that name: never over a folder. */
static int take_place(
	int parent, const char *ours, const char *name, const char *path, struct kmln_error *err)
{
	struct stat st;
	int code = 0;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode) &&
		!S_ISLNK(st.st_mode))
		code = S_ISDIR(st.st_mode) ? EISDIR : EEXIST;
	else if (renameat(parent, ours, parent, name) < 0)
		code = errno;
	if (!code)
		return 0;
	unlinkat(parent, ours, 0);
	return kmln_fail_sys(err, code, "%s", path);
}

int kmln_landing_link(
	struct kmln_landing *landing, const char *path, const char *target, struct kmln_error *err)
{
	char ours[32];
	const char *name;
	KMLN_FD int parent = open_parent(landing, path, &name, err);

	if (parent < 0)
		return parent;
	if (random_name(ours, err) < 0)
		return -err->code;
	if (symlinkat(target, parent, ours) < 0)
		return kmln_fail_sys(err, errno, "%s", path);
	return take_place(parent, ours, name, path, err);
}

int kmln_landing_file(struct kmln_landing *landing, const char *path, struct kmln_error *err)
{
	const char *name;
	KMLN_FD int parent = open_parent(landing, path, &name, err);
	int fd;

	if (parent < 0)
		return parent;
	kmln_landing_drop(landing);
	fd = openat(parent, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
		if (random_name(landing->temp, err) < 0)
			return -err->code;
		fd = openat(parent, landing->temp,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		landing->temp_folder = parent;
		parent = -1;
	}
	return fd < 0 ? kmln_fail_sys(err, errno, "%s", path) : fd;
}

int kmln_landing_publish(
	struct kmln_landing *landing, const char *path, int fd, mode_t mode, struct kmln_error *err)
{
	char ours[32], self[32];
	const char *name;
	KMLN_FD int parent = open_parent(landing, path, &name, err);

	if (parent < 0)
		return parent;
	if (random_name(ours, err) < 0)
		return -err->code;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (fchmod(fd, mode & 0777) < 0 ||
		(landing->temp[0] ? renameat(landing->temp_folder, landing->temp, parent, ours)
				  : linkat(AT_FDCWD, self, parent, ours, AT_SYMLINK_FOLLOW)) < 0)
		return kmln_fail_sys(err, errno, "%s", path);
	landing->temp[0] = '\0';
	return take_place(parent, ours, name, path, err);
}
