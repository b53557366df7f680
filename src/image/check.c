// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The e2fsprogs programs get the image as /proc/self/fd/N, a descriptor they inherit: no name of
 * the user's stands in their command line ('?' would be an option to them), and what is checked is
 * what is locked.
 */
#include "image/check.h"

#include <string.h>

#include "base/child.h"

/* e2fsck's words without its banner, progress and name. */
static void tidy(struct kmln_buf *words)
{
	KMLN_BUF struct kmln_buf kept = {0};
	char *rest = words->data;

	for (char *line; rest && (line = strsep(&rest, "\n"));)
		if (*line && !kmln_starts(line, "Pass ") && !kmln_starts(line, "e2fsck 1.") &&
			!kmln_starts(line, "resize2fs 1.") && kept.size < 400)
			kmln_buf_printf(&kept, "%s%s", kept.size ? "; " : "", line);
	words->size = 0;
	kmln_buf_str(words, kept.data ? kept.data : "");
}

static int run(const char *const *argv, int fd, struct kmln_buf *words, struct kmln_error *err)
{
	struct kmln_child child = {.argv = argv, .package = "e2fsprogs", .keep_fd = fd};
	KMLN_BUF struct kmln_buf errors = {0};
	int status = kmln_child_run(&child, words, &errors, err);

	if (errors.size)
		kmln_buf_add(words, errors.data, errors.size);
	tidy(words);
	return status;
}

/* The words by which e2fsprogs find the filesystem; NULL where it does not lie in one file. */
static char *name_of(struct kmln_device *device, const struct kmln_range *range, int *fd)
{
	uint64_t offset;

	if (!kmln_device_file(device, range, fd, &offset))
		return NULL;
	return kmln_printf("/proc/self/fd/%d?offset=%llu", *fd, (unsigned long long)offset);
}

int kmln_check_clean(
	struct kmln_device *device, const struct kmln_range *range, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf words = {0};
	int fd, status;
	KMLN_FREE char *name = name_of(device, range, &fd);
	const char *const argv[] = {"e2fsck", "-f", "-n", name, NULL};

	if (!name)
		return kmln_fail(err, ENOTSUP, "the filesystem cannot be checked in this format");
	status = run(argv, fd, &words, err);
	if (status <= 0)
		return status;
	return kmln_fail(
		err, KMLN_EINVALID, "the filesystem has errors, says e2fsck: %s", words.data);
}

int kmln_check_preen(
	struct kmln_device *device, const struct kmln_range *range, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf words = {0};
	int fd, status;
	KMLN_FREE char *name = name_of(device, range, &fd);
	const char *const argv[] = {"e2fsck", "-f", "-p", name, NULL};

	if (!name)
		return kmln_fail(err, ENOTSUP, "the filesystem cannot be checked in this format");
	status = run(argv, fd, &words, err);
	if (status < 0)
		return status;
	if (status <= 1)
		return 0;
	return kmln_fail(err, KMLN_EINVALID,
		"the filesystem has errors that need a decision, says e2fsck: %s", words.data);
}

int kmln_check_resize(int fd, uint64_t size, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf words = {0};
	KMLN_FREE char *name = kmln_printf("/proc/self/fd/%d", fd);
	KMLN_FREE char *kib = kmln_printf("%lluK", (unsigned long long)(size / 1024));
	const char *const argv[] = {"resize2fs", "-f", name, kib, NULL};
	int status = run(argv, fd, &words, err);

	if (status <= 0)
		return status;
	return kmln_fail(err, KMLN_EINVALID, "resize2fs: %s", words.data);
}
