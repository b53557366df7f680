// SPDX-License-Identifier: GPL-2.0-or-later
/* list: what is below a path, a line of JSON each, folders before what is in them. */
#include "agent/agent.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/utf8.h"

#define DEPTH_MAX 200

struct listing {
	FILE *to;
	struct kmln_buf path; /* relative to what is listed */
};

static bool is_utf8(const char *text)
{
	while (*text) {
		size_t n = kmln_utf8_length(text);

		if (!n)
			return false;
		text += n;
	}
	return true;
}

/* Text under this key, or under the other one in hexadecimal. */
static void set_name(struct kmln_json *line, const char *key, const char *hex_key, const char *name)
{
	KMLN_BUF struct kmln_buf hex = {0};

	if (is_utf8(name)) {
		kmln_json_set(line, key, kmln_json_text(name));
		return;
	}
	for (; *name; name++)
		kmln_buf_printf(&hex, "%02x", (unsigned char)*name);
	kmln_json_set(line, hex_key, kmln_json_text(hex.data));
}

static const char *kind_of(mode_t mode)
{
	return S_ISREG(mode) ? "file" : S_ISDIR(mode) ? "folder" : S_ISLNK(mode) ? "link" : "other";
}

static void print(struct listing *listing, int folder, const char *name, const struct stat *st)
{
	KMLN_BUF struct kmln_buf text = {0};
	struct kmln_json *line = kmln_json_object();
	char target[4096];

	set_name(line, "path", "bytes", listing->path.data);
	kmln_json_set(line, "kind", kmln_json_text(kind_of(st->st_mode)));
	kmln_json_set(line, "mode", kmln_json_number(st->st_mode & 07777));
	kmln_json_set(line, "size", kmln_json_number((uint64_t)st->st_size));
	kmln_json_set(line, "uid", kmln_json_number(st->st_uid));
	kmln_json_set(line, "gid", kmln_json_number(st->st_gid));
	if (S_ISLNK(st->st_mode)) {
		ssize_t n = readlinkat(folder, name, target, sizeof(target) - 1);

		target[n < 0 ? 0 : n] = '\0';
		set_name(line, "target", "target_bytes", target);
	}
	kmln_json_line(line, &text);
	kmln_json_free(&line);
	fprintf(listing->to, "%s\n", text.data);
}

static int list_folder(struct listing *listing, int parent, const char *name, unsigned depth,
	struct kmln_error *err);

static int list_one(struct listing *listing, int parent, const char *name, unsigned depth,
	struct kmln_error *err)
{
	struct stat st;

	/* it may be gone meanwhile */
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT && depth ? 0 : kmln_fail_sys(err, errno, "%s", name);
	print(listing, parent, name, &st);
	if (!S_ISDIR(st.st_mode))
		return 0;
	return list_folder(listing, parent, name, depth, err);
}

static void close_folder(DIR **folder)
{
	if (*folder)
		closedir(*folder);
}

static int list_folder(struct listing *listing, int parent, const char *name, unsigned depth,
	struct kmln_error *err)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;
	KMLN_CLEANUP(close_folder) DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	size_t length = listing->path.size;
	const struct dirent *entry;

	if (!folder)
		return kmln_fail_sys(err, errno, "%s", listing->path.data);
	if (depth == DEPTH_MAX)
		return kmln_fail(
			err, ENAMETOOLONG, "more than %d folders in each other", DEPTH_MAX);
	while (r == 0 && (entry = readdir(folder))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		kmln_buf_printf(&listing->path, "%s%s", length ? "/" : "", entry->d_name);
		r = list_one(listing, dirfd(folder), entry->d_name, depth + 1, err);
		listing->path.size = length;
		listing->path.data[length] = '\0';
	}
	return r;
}

int agent_list(const struct kmln_json *request, struct kmln_json *answer, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct listing listing = {.to = fdopen(STDOUT_FILENO, "w")};
	KMLN_FREE char *real = NULL;
	const char *path;
	int r = agent_path(request, pool, &path, err);

	(void)answer;
	if (r < 0)
		return r;
	/* what a link leads to, as cp has it; below, links stay links */
	real = realpath(path, NULL);
	if (!real)
		return kmln_fail_sys(err, errno, "%s", path);
	kmln_buf_str(&listing.path, "");
	r = list_one(&listing, AT_FDCWD, real, 0, err);
	kmln_buf_fini(&listing.path);
	if (fflush(listing.to) != 0 && r == 0)
		r = kmln_fail_sys(err, errno, "the list");
	return r;
}
