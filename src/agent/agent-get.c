// SPDX-License-Identifier: GPL-2.0-or-later
/* get: the content of a file, to the host or into its transfer folder. */
#include "agent/agent.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static int open_file(const struct kmln_json *request, struct stat *st, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	const char *path;
	int r = agent_path(request, pool, &path, err), fd;

	if (r < 0)
		return r;
	/* a pipe's other end is not waited for */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return kmln_fail_sys(err, errno, "%s", path);
	if (fstat(fd, st) < 0 || !S_ISREG(st->st_mode)) {
		close(fd);
		return kmln_fail(
			err, S_ISDIR(st->st_mode) ? EISDIR : EINVAL, "%s: it is no file", path);
	}
	return fd;
}

int agent_get(const struct kmln_json *request, struct kmln_json *answer, struct kmln_error *err)
{
	const char *share = kmln_json_get(request, "share");
	struct stat st = {0};
	KMLN_FD int from = open_file(request, &st, err), to = -1;
	uint64_t size = 0;
	int r;

	if (from < 0)
		return from;
	if (share)
		to = agent_share_open(share, O_WRONLY | O_CREAT | O_TRUNC, err);
	else
		to = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	if (to < 0)
		return to;
	r = agent_copy(from, to, &size, err);
	if (r < 0)
		return r;
	kmln_json_set(answer, "mode", kmln_json_number(st.st_mode & 07777));
	kmln_json_set(answer, "size", kmln_json_number(size));
	return 0;
}
