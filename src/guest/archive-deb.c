// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Debian packages: an ar archive with debian-binary, control.tar.* and data.tar.*, in this order.
 * Unpacking trusts nothing: every parent folder is opened by openat2, which follows no link and
 * never leaves the folder, and only the kinds of entries that a kernel package has are made.
 */
#include "guest/archive-private.h"

#include <ctype.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"

#define CONTROL_LIMIT (1u << 20)
#define BYTES_LIMIT (4ull << 30)
#define ENTRIES_LIMIT 500000

/* A package being read: its members are archives in an archive. */
struct package {
	struct archive *outer, *inner;
	char piece[1 << 16];
};

static void package_cleanup(struct package **package)
{
	if (*package) {
		kmln_reader_cleanup(&(*package)->inner);
		kmln_reader_cleanup(&(*package)->outer);
		kmln_free_cleanup(package);
	}
}
#define PACKAGE KMLN_CLEANUP(package_cleanup)

static la_ssize_t read_member(struct archive *archive, void *data, const void **bytes)
{
	struct package *package = data;
	la_ssize_t n = archive_read_data(package->outer, package->piece, sizeof(package->piece));

	if (n < 0)
		archive_set_error(archive, EBADMSG, "%s", archive_error_string(package->outer));
	*bytes = package->piece;
	return n;
}

/* Moves to the member whose name starts with `wanted`; those that start with '_' are optional. */
static int next_member(struct package *package, const char *wanted, struct kmln_error *err)
{
	struct archive_entry *entry;
	int r;

	while ((r = kmln_reader_next(package->outer, &entry, err)) > 0) {
		const char *name = archive_entry_pathname(entry);

		if (name && kmln_starts(name, wanted))
			return 0;
		if (!name || name[0] != '_')
			return kmln_fail(err, KMLN_EINVALID, "the member '%s' instead of %s",
				name ? name : "", wanted);
	}
	return r < 0 ? r : kmln_fail(err, KMLN_EINVALID, "the member %s is missing", wanted);
}

/* The inner archive of the member at which the outer one stands. */
static int open_inner(struct package *package, struct kmln_error *err)
{
	package->inner = kmln_reader_tar();
	if (archive_read_open(package->inner, package, NULL, read_member, NULL) != ARCHIVE_OK)
		return kmln_reader_fail(package->inner, err);
	return 0;
}

static int open_package(int fd, struct package *package, struct kmln_error *err)
{
	char version[8] = "";
	int r;

	package->outer = kmln_reader_new();
	archive_read_support_format_ar(package->outer);
	if (archive_read_open_fd(package->outer, fd, sizeof(package->piece)) != ARCHIVE_OK)
		return kmln_fail(err, KMLN_EINVALID, "not a Debian package");
	r = next_member(package, "debian-binary", err);
	if (r == 0 && (archive_read_data(package->outer, version, sizeof(version) - 1) < 4 ||
			      !kmln_starts(version, "2.")))
		r = kmln_fail(err, KMLN_EINVALID, "format '%.3s', only 2 is known", version);
	return r < 0 ? kmln_wrap(err, "not a Debian package") : 0;
}

/* ---- control ---- */

static const char *field(
	struct kmln_pool *pool, const char *control, const char *name, const char *letters)
{
	size_t length = strlen(name);

	for (const char *line = control; *line;) {
		size_t end = strcspn(line, "\n");

		if (end > length && strncasecmp(line, name, length) == 0 && line[length] == ':') {
			const char *value = line + length + 1;
			char *copy;

			value += strspn(value, " \t");
			copy = value <= line + end
				       ? kmln_pool_memdup(pool, value, (size_t)(line + end - value))
				       : kmln_pool_strdup(pool, "");
			for (size_t n = strlen(copy); n && isspace((unsigned char)copy[n - 1]);)
				copy[--n] = '\0';
			/* ends up in file names: no dot in front, no slash */
			if (isalnum((unsigned char)copy[0]) &&
				copy[strspn(copy, letters)] == '\0' && strlen(copy) < 200)
				return copy;
			return NULL;
		}
		line += end + (line[end] == '\n');
	}
	return NULL;
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static int parse_control(
	const char *control, struct kmln_pool *pool, struct kmln_deb *deb, struct kmln_error *err)
{
	const struct {
		const char *name, *letters, **to;
	} fields[] = {
		{"Package", LOWER DIGITS "+.-", &deb->package},
		{"Version", LOWER UPPER DIGITS ".+:~-", &deb->version},
		{"Architecture", LOWER DIGITS "-", &deb->architecture},
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		*fields[i].to = field(pool, control, fields[i].name, fields[i].letters);
		if (!*fields[i].to)
			return kmln_fail(err, KMLN_EINVALID, "no valid %s in its control file",
				fields[i].name);
	}
	return 0;
}

static int read_control(struct package *package, struct kmln_buf *control, struct kmln_error *err)
{
	struct archive_entry *entry;
	char piece[4096];
	la_ssize_t n;
	int r;

	while ((r = kmln_reader_next(package->inner, &entry, err)) > 0) {
		KMLN_BUF struct kmln_buf path = {0};

		r = kmln_archive_path(archive_entry_pathname(entry), &path, err);
		if (r < 0)
			return r;
		if (!kmln_eq(path.data, "/control"))
			continue;
		while ((n = archive_read_data(package->inner, piece, sizeof(piece))) > 0) {
			if (control->size + (size_t)n > CONTROL_LIMIT)
				return kmln_fail(
					err, KMLN_EINVALID, "its control file is too long");
			kmln_buf_add(control, piece, (size_t)n);
		}
		kmln_buf_add(control, "", 0);
		return n < 0 ? kmln_reader_fail(package->inner, err) : 0;
	}
	return r < 0 ? r : kmln_fail(err, KMLN_EINVALID, "no control file");
}

/* A fifo must not make us wait. */
static int open_file(const char *path, struct kmln_error *err)
{
	int fd = kmln_open(path, O_RDONLY | O_NONBLOCK, 0, err);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		return kmln_fail(err, KMLN_EINVALID, "%s: not a file", path);
	}
	return fd;
}

int kmln_deb_read(
	const char *path, struct kmln_pool *pool, struct kmln_deb *deb, struct kmln_error *err)
{
	KMLN_LETTERS;
	PACKAGE struct package *package = kmln_malloc(sizeof(*package));
	KMLN_FD int fd = open_file(path, err);
	KMLN_BUF struct kmln_buf control = {0};
	int r;

	package->outer = package->inner = NULL;
	if (fd < 0)
		return fd;
	r = open_package(fd, package, err);
	if (r == 0)
		r = next_member(package, "control.tar", err);
	if (r == 0)
		r = open_inner(package, err);
	if (r == 0)
		r = read_control(package, &control, err);
	if (r == 0)
		r = parse_control(control.data, pool, deb, err);
	return r < 0 ? kmln_wrap(err, "%s", path) : 0;
}

/* ---- data ---- */

struct later {
	char *path; /* relative */
	mode_t mode;
	struct timespec times[2];
};

struct unpack {
	struct archive *archive;
	struct kmln_buf *list; /* NULL: not wanted */
	bool whole;
	int root;
	struct kmln_pool *pool;
	struct later *folders; /* their modes and times are set last */
	size_t folder_count;
	uint64_t bytes;
};

/* Opens a folder below the root, no link followed. "" is the root. */
static int open_below(const struct unpack *unpack, const char *path, struct kmln_error *err)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	int fd = (int)syscall(SYS_openat2, unpack->root, *path ? path : ".", &how, sizeof(how));

	return fd < 0 ? kmln_fail_sys(err, errno, "open") : fd;
}

/* The folder at `path`, made with all above it where it is missing. */
static int make_folder(struct unpack *unpack, const char *path, struct kmln_error *err)
{
	KMLN_FREE char *copy = kmln_strdup(path);
	int fd = open_below(unpack, "", err);

	for (char *rest = *path ? copy : NULL, *name; fd >= 0 && (name = strsep(&rest, "/"));) {
		KMLN_FD int parent = fd;

		if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
			return kmln_fail_sys(err, errno, "make a folder");
		fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			return kmln_fail_sys(err, errno, "open a folder");
	}
	return fd;
}

static int write_content(struct unpack *unpack, int fd, struct kmln_error *err)
{
	KMLN_FREE char *piece = kmln_malloc(1 << 18);
	la_ssize_t n;

	while ((n = archive_read_data(unpack->archive, piece, 1 << 18)) > 0) {
		int r;

		unpack->bytes += (uint64_t)n;
		if (unpack->bytes > BYTES_LIMIT)
			return kmln_fail(err, EFBIG, "the package is bigger than 4 GiB");
		r = kmln_write_all(fd, piece, (size_t)n, err);
		if (r < 0)
			return r;
	}
	return n < 0 ? kmln_reader_fail(unpack->archive, err) : 0;
}

static int put_file(struct unpack *unpack, int parent, const char *name, mode_t mode,
	const struct timespec times[2], struct kmln_error *err)
{
	KMLN_FD int fd = -1;
	int r;

	if (unlinkat(parent, name, 0) < 0 && errno != ENOENT)
		return kmln_fail_sys(err, errno, "replace");
	fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return kmln_fail_sys(err, errno, "create");
	r = write_content(unpack, fd, err);
	if (r == 0 && (fchmod(fd, mode & 0777) < 0 || futimens(fd, times) < 0))
		r = kmln_fail_sys(err, errno, "set mode and time");
	return r;
}

static int put_entry(struct unpack *unpack, struct archive_entry *entry, const char *path,
	struct kmln_error *err)
{
	const struct timespec time = {archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)};
	const struct timespec times[2] = {time, time};
	KMLN_FREE char *above = kmln_strdup(path);
	char *slash = strrchr(above, '/');
	const char *name = slash ? slash + 1 : above;
	mode_t mode = archive_entry_mode(entry);
	KMLN_FD int fd = -1;

	if (archive_entry_hardlink(entry))
		return kmln_fail(err, KMLN_EINVALID, "a hard link, which no kernel package has");
	if (S_ISDIR(mode)) {
		struct later *later;

		fd = make_folder(unpack, path, err);
		if (fd < 0 || !*path)
			return fd < 0 ? fd : 0;
		later = kmln_pool_append(
			unpack->pool, &unpack->folders, &unpack->folder_count, sizeof(*later));
		*later = (struct later){
			kmln_pool_strdup(unpack->pool, path), (mode & 0777) | 0700, {time, time}};
		return 0;
	}
	if (!*path)
		return kmln_fail(err, KMLN_EINVALID, "its root is no folder");
	/* a chain of links could lead anywhere, and a kernel needs none */
	if (S_ISLNK(mode)) {
		unpack->whole = false;
		return 0;
	}
	if (!S_ISREG(mode))
		return kmln_fail(err, KMLN_EINVALID, "neither file, folder nor link");
	if (slash)
		*slash = '\0';
	fd = make_folder(unpack, slash ? above : "", err);
	if (fd < 0)
		return fd;
	return put_file(unpack, fd, name, mode, times, err);
}

static int put_all(struct unpack *unpack, struct kmln_error *err)
{
	struct archive_entry *entry;
	unsigned count = 0;
	int r;

	while ((r = kmln_reader_next(unpack->archive, &entry, err)) > 0) {
		KMLN_BUF struct kmln_buf path = {0};
		const char *raw = archive_entry_pathname(entry);

		if (++count > ENTRIES_LIMIT)
			return kmln_fail(err, EFBIG, "more than %d entries", ENTRIES_LIMIT);
		if (raw && raw[0] == '/')
			return kmln_fail(err, KMLN_EINVALID, "the path '%s' is absolute", raw);
		r = kmln_archive_path(raw, &path, err);
		if (r < 0)
			return r;
		/* dpkg's lists have a path a line */
		if (strchr(path.data, '\n'))
			return kmln_fail(
				err, KMLN_EINVALID, "the path '%s' is two lines", path.data);
		if (unpack->list)
			kmln_buf_printf(unpack->list, "%s\n", path.data[1] ? path.data : "/.");
		if (archive_entry_uid(entry) || archive_entry_gid(entry))
			unpack->whole = false;
		r = put_entry(unpack, entry, path.data + 1, err);
		if (r < 0)
			return kmln_wrap(err, "%s", path.data);
	}
	return r;
}

static int finish_folders(struct unpack *unpack, struct kmln_error *err)
{
	for (size_t i = unpack->folder_count; i-- > 0;) {
		const struct later *later = &unpack->folders[i];
		KMLN_FD int fd = open_below(unpack, later->path, err);

		if (fd < 0)
			return kmln_wrap(err, "/%s", later->path);
		if (fchmod(fd, later->mode) < 0 || futimens(fd, later->times) < 0)
			return kmln_fail_sys(err, errno, "/%s", later->path);
	}
	return 0;
}

int kmln_deb_unpack(const char *path, const char *folder, struct kmln_buf *list, bool *whole,
	struct kmln_error *err)
{
	KMLN_LETTERS;
	PACKAGE struct package *package = kmln_malloc(sizeof(*package));
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_FD int fd = open_file(path, err), root = -1;
	struct unpack unpack = {.pool = pool, .list = list, .whole = true};
	int r;

	package->outer = package->inner = NULL;
	if (fd < 0)
		return fd;
	root = kmln_open(folder, O_PATH | O_DIRECTORY, 0, err);
	if (root < 0)
		return root;
	r = open_package(fd, package, err);
	if (r == 0)
		r = next_member(package, "control.tar", err);
	if (r == 0)
		r = next_member(package, "data.tar", err);
	if (r == 0)
		r = open_inner(package, err);
	if (r == 0) {
		unpack.archive = package->inner;
		unpack.root = root;
		r = put_all(&unpack, err);
	}
	if (r == 0)
		r = finish_folders(&unpack, err);
	if (whole)
		*whole = unpack.whole;
	return r < 0 ? kmln_wrap(err, "%s", path) : 0;
}

/* ---- all of a small package ---- */

struct load {
	struct kmln_pool *pool;
	size_t room; /* bytes that may still be read */
};

/* The content of the entry at which the archive stands. */
static int load_content(struct archive *archive, struct load *load, struct kmln_deb_file *file,
	struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf bytes = {0};
	char piece[1 << 14];
	la_ssize_t n;

	while ((n = archive_read_data(archive, piece, sizeof(piece))) > 0) {
		if ((size_t)n > load->room)
			return kmln_fail(err, EFBIG, "the package is too big");
		load->room -= (size_t)n;
		kmln_buf_add(&bytes, piece, (size_t)n);
	}
	if (n < 0)
		return kmln_reader_fail(archive, err);
	file->data = kmln_pool_memdup(load->pool, bytes.data ? bytes.data : "", bytes.size);
	file->size = bytes.size;
	return 0;
}

static int load_entry(struct archive *archive, struct archive_entry *entry, struct load *load,
	struct kmln_deb_file *file, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf path = {0};
	int64_t uid = archive_entry_uid(entry), gid = archive_entry_gid(entry);
	int r = kmln_archive_path(archive_entry_pathname(entry), &path, err);

	if (r < 0)
		return r;
	/* what is kept in a line of a list, and dpkg has no way to quote */
	if (strchr(path.data, '\n') || uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
		return kmln_fail(err, KMLN_EINVALID, "an impossible name or owner");
	*file = (struct kmln_deb_file){
		.path = kmln_pool_strdup(load->pool, path.data),
		.mode = archive_entry_mode(entry),
		.uid = (uint32_t)uid,
		.gid = (uint32_t)gid,
		.mtime = archive_entry_mtime(entry),
	};
	if (S_ISLNK(file->mode) && archive_entry_symlink(entry)) {
		file->target = kmln_pool_strdup(load->pool, archive_entry_symlink(entry));
		return 0;
	}
	if (archive_entry_hardlink(entry) || (!S_ISREG(file->mode) && !S_ISDIR(file->mode)))
		return kmln_fail(
			err, KMLN_EINVALID, "%s: neither file, folder nor link", path.data);
	return S_ISREG(file->mode) ? load_content(archive, load, file, err) : 0;
}

/* All entries of the inner archive. */
static int load_all(struct package *package, struct load *load, struct kmln_deb_file **files,
	size_t *count, struct kmln_error *err)
{
	struct archive_entry *entry;
	int r = open_inner(package, err);

	if (r < 0)
		return r;
	while ((r = kmln_reader_next(package->inner, &entry, err)) > 0) {
		struct kmln_deb_file *file;

		if (*count >= ENTRIES_LIMIT / 50)
			return kmln_fail(err, EFBIG, "the package has too many files");
		file = kmln_pool_append(load->pool, files, count, sizeof(*file));
		r = load_entry(package->inner, entry, load, file, err);
		if (r < 0)
			return r;
	}
	kmln_reader_cleanup(&package->inner);
	package->inner = NULL;
	return r;
}

/* Control files lie side by side, and dpkg puts their names into names of its own. */
static int settle_control(struct kmln_deb_content *content, struct kmln_error *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < content->control_count; i++) {
		struct kmln_deb_file *file = &content->control[i];

		if (S_ISDIR(file->mode) && !file->path[1])
			continue;
		if (!S_ISREG(file->mode) || strchr(file->path + 1, '/'))
			return kmln_fail(err, KMLN_EINVALID, "%s in its control part", file->path);
		file->path++;
		content->control[kept++] = *file;
	}
	content->control_count = kept;
	return 0;
}

int kmln_deb_load(const char *path, bool control_only, size_t limit, struct kmln_pool *pool,
	struct kmln_deb_content *content, struct kmln_error *err)
{
	KMLN_LETTERS;
	PACKAGE struct package *package = kmln_malloc(sizeof(*package));
	KMLN_FD int fd = open_file(path, err);
	struct load load = {pool, limit};
	int r;

	package->outer = package->inner = NULL;
	*content = (struct kmln_deb_content){0};
	if (fd < 0)
		return fd;
	r = open_package(fd, package, err);
	if (r == 0)
		r = next_member(package, "control.tar", err);
	if (r == 0)
		r = load_all(package, &load, &content->control, &content->control_count, err);
	if (r == 0)
		r = settle_control(content, err);
	if (r == 0 && !control_only)
		r = next_member(package, "data.tar", err);
	if (r == 0 && !control_only)
		r = load_all(package, &load, &content->files, &content->file_count, err);
	return r < 0 ? kmln_wrap(err, "%s", path) : 0;
}
