// SPDX-License-Identifier: GPL-2.0-or-later
/* Files of the host; see file.h. */
#include "base/file.h"

#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void kmln_close_cleanup(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int kmln_open(const char *path, int flags, mode_t mode, struct kmln_error *err)
{
	int fd = open(path, flags | O_CLOEXEC, mode);

	return fd < 0 ? kmln_fail_sys(err, errno, "%s", *path ? path : "''") : fd;
}

int kmln_pread_all(int fd, void *data, size_t size, uint64_t offset, struct kmln_error *err)
{
	for (char *p = data; size;) {
		ssize_t n = pread(fd, p, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return kmln_fail_sys(
				err, errno, "read at byte %llu", (unsigned long long)offset);
		if (n == 0)
			return kmln_fail(err, KMLN_EINVALID, "ends at byte %llu, %zu bytes early",
				(unsigned long long)offset, size);
		p += n;
		size -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int kmln_pwrite_all(int fd, const void *data, size_t size, uint64_t offset, struct kmln_error *err)
{
	for (const char *p = data; size;) {
		ssize_t n = pwrite(fd, p, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return kmln_fail_sys(
				err, errno, "write at byte %llu", (unsigned long long)offset);
		p += n;
		size -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int kmln_write_all(int fd, const void *data, size_t size, struct kmln_error *err)
{
	for (const char *p = data; size;) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return kmln_fail_sys(err, errno, "write");
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int kmln_read_file(const char *path, size_t limit, struct kmln_buf *buf, struct kmln_error *err)
{
	KMLN_FD int fd = kmln_open(path, O_RDONLY, 0, err);
	size_t start = buf->size;

	if (fd < 0)
		return fd;
	for (;;) {
		char piece[65536];
		ssize_t n = read(fd, piece, sizeof(piece));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return kmln_fail_sys(err, errno, "%s", path);
		if (n == 0)
			return 0;
		if (buf->size - start + (size_t)n > limit)
			return kmln_fail(err, EFBIG, "%s: longer than %zu bytes", path, limit);
		kmln_buf_add(buf, piece, (size_t)n);
	}
}

int kmln_sync_parent(const char *path, struct kmln_error *err)
{
	KMLN_FREE char *copy = kmln_strdup(path);
	KMLN_FD int fd = kmln_open(dirname(copy), O_RDONLY | O_DIRECTORY, 0, err);

	if (fd < 0)
		return fd;
	/* some filesystems do not sync folders: nothing more can be done there */
	if (fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
		return kmln_fail_sys(err, errno, "%s", path);
	return 0;
}

int kmln_replace_file(
	const char *path, const void *data, size_t size, mode_t mode, struct kmln_error *err)
{
	KMLN_FREE char *temp = kmln_printf("%s.XXXXXX", path);
	KMLN_FD int fd = mkostemp(temp, O_CLOEXEC);
	int r;

	if (fd < 0)
		return kmln_fail_sys(err, errno, "%s", temp);
	r = kmln_write_all(fd, data, size, err);
	if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0 || rename(temp, path) < 0))
		r = kmln_fail_sys(err, errno, "replace");
	if (r < 0) {
		unlink(temp);
		return kmln_wrap(err, "%s", path);
	}
	return kmln_sync_parent(path, err);
}

int kmln_make_folders(const char *path, struct kmln_error *err)
{
	KMLN_FREE char *copy = kmln_strdup(path);
	struct stat st;

	if (!*copy)
		return kmln_fail_sys(err, ENOENT, "''");
	for (char *p = copy + 1;; p++) {
		char was = *p;

		if (was != '/' && was != '\0')
			continue;
		*p = '\0';
		/* what is there may say EEXIST, EROFS or EISDIR: only whether it is a folder counts
		 */
		if (mkdir(copy, 0700) < 0) {
			int code = errno;

			if (stat(copy, &st) < 0)
				return kmln_fail_sys(err, code, "%s", copy);
			if (!S_ISDIR(st.st_mode))
				return kmln_fail_sys(err, ENOTDIR, "%s", copy);
		}
		*p = was;
		if (!was)
			return 0;
	}
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path) < 0 ? errno : 0;
}

int kmln_remove_folder(const char *path, struct kmln_error *err)
{
	int r = nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS);

	if (r < 0)
		r = errno;
	return r && r != ENOENT ? kmln_fail_sys(err, r, "%s", path) : 0;
}

/* An absolute path out of the environment, or NULL: XDG says that relative ones are ignored. */
static const char *env_path(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] == '/' ? value : NULL;
}

char *kmln_folder(struct kmln_pool *pool, enum kmln_folder kind, const char *below)
{
	static const struct {
		const char *env, *under_home, *own;
	} kinds[] = {
		[KMLN_FOLDER_CACHE] = {"XDG_CACHE_HOME", ".cache", "cache"},
		[KMLN_FOLDER_DATA] = {"XDG_DATA_HOME", ".local/share", "data"},
		[KMLN_FOLDER_STATE] = {"XDG_STATE_HOME", ".local/state", "state"},
		[KMLN_FOLDER_RUNTIME] = {"XDG_RUNTIME_DIR", NULL, "run"},
	};
	const char *own = env_path("KMLN_HOME"), *xdg = env_path(kinds[kind].env);
	const char *home = env_path("HOME"), *tmp = env_path("TMPDIR");
	const char *slash = below ? "/" : "";
	const struct passwd *self = home ? NULL : getpwuid(getuid());
	const char *base;

	/* never below /tmp, where others could have laid out what is to be trusted */
	if (!home)
		home = self && self->pw_dir[0] == '/' ? self->pw_dir : "/nonexistent";

	below = below ? below : "";
	if (own)
		return kmln_pool_printf(pool, "%s/%s%s%s", own, kinds[kind].own, slash, below);
	if (xdg)
		base = kmln_pool_printf(pool, "%s/kmln", xdg);
	else if (kinds[kind].under_home)
		base = kmln_pool_printf(pool, "%s/%s/kmln", home, kinds[kind].under_home);
	else
		base = kmln_pool_printf(pool, "%s/kmln-%u", tmp ? tmp : "/tmp", (unsigned)getuid());
	return kmln_pool_printf(pool, "%s%s%s", base, slash, below);
}

int kmln_private_open(struct kmln_private *dir, struct kmln_error *err)
{
	const char *tmp = env_path("TMPDIR");

	dir->path = kmln_printf("%s/kmln.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir->path)) {
		int code = errno;

		kmln_fail_sys(err, code, "%s", dir->path);
		free(dir->path);
		dir->path = NULL;
		return -code;
	}
	return 0;
}

void kmln_private_cleanup(struct kmln_private *dir)
{
	struct kmln_error ignored;

	if (dir->path)
		kmln_remove_folder(dir->path, &ignored);
	free(dir->path);
	dir->path = NULL;
}

bool kmln_is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

char *kmln_find_program(struct kmln_pool *pool, const char *name)
{
	const char *path = getenv("PATH");
	KMLN_FREE char *folders = kmln_printf("%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");
	char *rest = folders;

	for (char *folder; (folder = strsep(&rest, ":"));) {
		char *full;

		if (folder[0] != '/')
			continue;
		full = kmln_pool_printf(pool, "%s/%s", folder, name);
		if (kmln_is_program(full))
			return full;
	}
	return NULL;
}
