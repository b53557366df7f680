// SPDX-License-Identifier: GPL-2.0-or-later
/* Nameless files (O_TMPFILE) that are linked when done; see output.h. */
#include "base/output.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define MODE 0644

static int check_free(const char *path, bool force, struct kmln_error *err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : kmln_fail_sys(err, errno, "%s", path);
	if (!force)
		return kmln_fail(err, EEXIST, "%s is there already; --force replaces it", path);
	if (!S_ISREG(st.st_mode))
		return kmln_fail(err, EEXIST, "%s is there already and is not a file", path);
	return 0;
}

int kmln_output_open(
	const char *path, bool force, struct kmln_output *output, struct kmln_error *err)
{
	KMLN_FREE char *copy = kmln_strdup(path);
	int r = check_free(path, force, err);

	*output = (struct kmln_output){.fd = -1, .path = path};
	if (r < 0)
		return r;
	output->fd = open(dirname(copy), O_TMPFILE | O_RDWR | O_CLOEXEC, MODE);
	if (output->fd >= 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
		return kmln_fail_sys(err, errno, "%s", path);
	output->temp = kmln_printf("%s.XXXXXX", path);
	output->fd = mkostemp(output->temp, O_CLOEXEC);
	if (output->fd < 0) {
		r = kmln_fail_sys(err, errno, "%s", output->temp);
		free(output->temp);
		output->temp = NULL;
		return r;
	}
	fchmod(output->fd, MODE & ~umask(umask(0)));
	return 0;
}

/* Where nothing is to be replaced, a nameless file gets its name in one step. 1: done. */
static int link_free_name(const struct kmln_output *output, bool force, struct kmln_error *err)
{
	KMLN_FREE char *self = kmln_printf("/proc/self/fd/%d", output->fd);

	if (force || output->temp)
		return 0;
	if (linkat(AT_FDCWD, self, AT_FDCWD, output->path, AT_SYMLINK_FOLLOW) < 0)
		return kmln_fail_sys(err, errno, "%s", output->path);
	return 1;
}

/* Gives a nameless file a name of its own beside `path`; linkat replaces nothing, rename does. */
static int name_it(struct kmln_output *output, struct kmln_error *err)
{
	KMLN_FREE char *self = kmln_printf("/proc/self/fd/%d", output->fd);

	if (output->temp)
		return 0;
	for (unsigned i = 0;; i++) {
		output->temp = kmln_printf("%s.%d-%u", output->path, getpid(), i);
		if (linkat(AT_FDCWD, self, AT_FDCWD, output->temp, AT_SYMLINK_FOLLOW) == 0)
			return 0;
		free(output->temp);
		output->temp = NULL;
		if (errno != EEXIST)
			return kmln_fail_sys(err, errno, "%s", output->path);
	}
}

int kmln_output_name(struct kmln_output *output, bool force, struct kmln_error *err)
{
	unsigned flags = force ? 0 : RENAME_NOREPLACE;
	int r = link_free_name(output, force, err);

	if (r)
		return r < 0 ? r : 0;
	r = name_it(output, err);
	if (r < 0)
		return r;
	if (renameat2(AT_FDCWD, output->temp, AT_FDCWD, output->path, flags) < 0) {
		/* a filesystem that cannot rename without replacing: look once more, then do */
		if (errno != EINVAL || check_free(output->path, force, err) < 0 ||
			rename(output->temp, output->path) < 0)
			return kmln_fail_sys(err, errno, "%s", output->path);
	}
	free(output->temp);
	output->temp = NULL;
	return 0;
}

int kmln_output_publish(struct kmln_output *output, bool force, struct kmln_error *err)
{
	int r;

	if (fsync(output->fd) < 0)
		return kmln_fail_sys(err, errno, "%s", output->path);
	r = kmln_output_name(output, force, err);
	return r < 0 ? r : kmln_sync_parent(output->path, err);
}

void kmln_output_drop(struct kmln_output *output)
{
	if (output->temp)
		unlink(output->temp);
	free(output->temp);
	output->temp = NULL;
	kmln_close_cleanup(&output->fd);
}
