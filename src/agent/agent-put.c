// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * put: a file of the guest, complete or not there: written beside, synced, renamed. Folders and
 * symbolic links too. A worker that is told to end takes what it has written with it.
 */
#include "agent/agent.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static char half[4200]; /* the path that is written; for the signal */

static void give_up(int number)
{
	(void)number;
	unlink(half);
	_exit(1);
}

struct owner {
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

static struct owner read_owner(const struct kmln_json *request, mode_t mode)
{
	return (struct owner){
		.mode = (mode_t)kmln_json_integer(request, "mode", mode) & 07777,
		.uid = (uid_t)kmln_json_integer(request, "uid", -1),
		.gid = (gid_t)kmln_json_integer(request, "gid", -1),
	};
}

static int settle(int fd, const char *path, const struct owner *owner, struct kmln_error *err)
{
	if (fchown(fd, owner->uid, owner->gid) < 0 || fchmod(fd, owner->mode) < 0)
		return kmln_fail_sys(err, errno, "%s", path);
	return 0;
}

static int check_size(const struct kmln_json *request, uint64_t size, struct kmln_error *err)
{
	int64_t wanted = kmln_json_integer(request, "size", -1);

	if (wanted >= 0 && (uint64_t)wanted != size)
		return kmln_fail(err, EIO, "%lld bytes were to come, not %llu", (long long)wanted,
			(unsigned long long)size);
	return 0;
}

static int fill(int to, const struct kmln_json *request, uint64_t *size, struct kmln_error *err)
{
	const char *share = kmln_json_get(request, "share");
	KMLN_FD int from = -1;
	int r;

	if (share)
		from = agent_share_open(share, O_RDONLY, err);
	else
		from = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	if (from < 0)
		return from;
	r = agent_copy(from, to, size, err);
	return r < 0 ? r : check_size(request, *size, err);
}

/* Beside the path, where only this process writes: what is there was left by a power cut. */
static int name_half(const char *path, struct kmln_error *err)
{
	if (snprintf(half, sizeof(half), "%s.kmln-%d", path, (int)getpid()) >= (int)sizeof(half))
		return kmln_fail(err, ENAMETOOLONG, "%s", path);
	unlink(half);
	return 0;
}

static int put_file(
	const char *path, const struct kmln_json *request, uint64_t *size, struct kmln_error *err)
{
	const struct owner owner = read_owner(request, 0644);
	struct stat st;
	int r;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return kmln_fail(
			err, S_ISDIR(st.st_mode) ? EISDIR : EINVAL, "%s: it is no file", path);
	r = name_half(path, err);
	if (r < 0)
		return r;
	signal(SIGTERM, give_up);
	signal(SIGHUP, give_up);
	KMLN_FD int fd = open(half, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return kmln_fail_sys(err, errno, "%s", path);
	r = fill(fd, request, size, err);
	if (r == 0)
		r = settle(fd, path, &owner, err);
	if (r == 0 && fsync(fd) < 0)
		r = kmln_fail_sys(err, errno, "%s", path);
	if (r == 0 && rename(half, path) < 0)
		r = kmln_fail_sys(err, errno, "%s", path);
	if (r < 0) {
		unlink(half);
		return r;
	}
	return kmln_sync_parent(path, err);
}

static int put_folder(const char *path, const struct kmln_json *request, struct kmln_error *err)
{
	const struct owner owner = read_owner(request, 0755);

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return kmln_fail_sys(err, errno, "%s", path);
	KMLN_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return kmln_fail_sys(err, errno, "%s", path);
	return settle(fd, path, &owner, err);
}

static int put_link(const char *path, const struct kmln_json *request, struct kmln_error *err)
{
	const struct owner owner = read_owner(request, 0777);
	const char *target = kmln_json_get(request, "target");
	const char *hex = kmln_json_get(request, "target_bytes");
	KMLN_BUF struct kmln_buf bytes = {0};

	if (!target && hex && agent_hex_read(hex, &bytes))
		target = bytes.data;
	if (!target || !*target)
		return kmln_fail(err, EINVAL, "the request names no target");
	if (name_half(path, err) < 0)
		return -err->code;
	if (symlink(target, half) < 0)
		return kmln_fail_sys(err, errno, "%s", path);
	if (lchown(half, owner.uid, owner.gid) < 0 || rename(half, path) < 0) {
		int code = errno;

		unlink(half);
		return kmln_fail_sys(err, code, "%s", path);
	}
	return 0;
}

int agent_put(const struct kmln_json *request, struct kmln_json *answer, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	const char *kind = kmln_json_get(request, "kind"), *path;
	KMLN_FREE char *real = NULL;
	uint64_t size = 0;
	int r = agent_path(request, pool, &path, err);

	if (r < 0)
		return r;
	if (!kind || kmln_eq(kind, "file")) {
		/* a link stays, what it leads to is replaced */
		real = realpath(path, NULL);
		r = put_file(real ? real : path, request, &size, err);
		kmln_json_set(answer, "size", kmln_json_number(size));
		return r;
	}
	if (kmln_eq(kind, "folder"))
		return put_folder(path, request, err);
	if (kmln_eq(kind, "link"))
		return put_link(path, request, err);
	return kmln_fail(err, EINVAL, "it cannot put a %s", kind);
}
