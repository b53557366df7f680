// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The e2fsprogs programs get the image as /proc/self/fd/N, a descriptor they inherit: no name of
 * the user's stands in their command line ('?' would be an option to them), and what is checked is
 * what is locked.
 */
#include "image/check.h"

#include <string.h>

#include "base/child.h"
#include "base/file.h"
#include "image/shadow.h"

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

static char *name_of(int fd, uint64_t offset)
{
	return kmln_printf("/proc/self/fd/%d?offset=%llu", fd, (unsigned long long)offset);
}

/* e2fsck with these options: its status, or negative. */
static int fsck(const char *how, const char *more, int fd, uint64_t offset, struct kmln_buf *words,
	struct kmln_error *err)
{
	KMLN_FREE char *name = name_of(fd, offset);
	const char *const argv[] = {"e2fsck", "-f", how, name, NULL};
	const char *const with[] = {"e2fsck", "-f", how, "-E", more, name, NULL};

	words->size = 0;
	return run(more ? with : argv, fd, words, err);
}

int kmln_check_clean(
	struct kmln_device *device, const struct kmln_range *range, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf words = {0};
	KMLN_BLOCKS struct kmln_blocks blocks = {0};
	KMLN_FD int shadow = -1;
	uint64_t offset = 0;
	int fd, status;

	if (!kmln_device_file(device, range, &fd, &offset)) {
		fd = shadow = kmln_shadow_ext(device, range, &blocks, err);
		if (fd < 0)
			return fd;
	}
	status = fsck("-n", NULL, fd, offset, &words, err);
	if (status <= 0)
		return status;
	return kmln_fail(
		err, KMLN_EINVALID, "the filesystem has errors, says e2fsck: %s", words.data);
}

/*
 * In two rounds: the journal tells first where the metadata lies. What e2fsck writes goes back
 * after each.
 */
static int preen_shadow(struct kmln_device *device, const struct kmln_range *range,
	struct kmln_buf *words, struct kmln_error *err)
{
	static const char *const rounds[] = {"journal_only", NULL};
	int status = 0;

	for (size_t i = 0; i < KMLN_COUNT(rounds) && status >= 0 && status <= 1; i++) {
		KMLN_BLOCKS struct kmln_blocks blocks = {0};
		KMLN_FD int shadow = kmln_shadow_ext(device, range, &blocks, err);
		int r;

		if (shadow < 0)
			return shadow;
		status = fsck("-p", rounds[i], shadow, 0, words, err);
		if (status < 0 || status > 1)
			return status;
		r = kmln_shadow_write_back(shadow, &blocks, device, range, err);
		if (r < 0)
			return r;
	}
	return status;
}

int kmln_check_preen(
	struct kmln_device *device, const struct kmln_range *range, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf words = {0};
	uint64_t offset;
	int fd, status;

	if (kmln_device_file(device, range, &fd, &offset))
		status = fsck("-p", NULL, fd, offset, &words, err);
	else
		status = preen_shadow(device, range, &words, err);
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
