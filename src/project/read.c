// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Opening project files and what they include. The kernel itself keeps an include inside the
 * project's folder (openat2, RESOLVE_BENEATH), so that no link, and no exchange of one at the right
 * moment, leads outside.
 */
#include "project/read.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "project/parse.h"
#include "project/xml.h"

/* Includes in includes. */
#define DEPTH_MAX 16

/* A file that is being read: those in which an include stands, innermost first, to find circles. */
struct open_file {
	const struct kmln_source *source;
	const char *folder; /* "" or "x/y/", below the project's folder (or absolute) */
	dev_t dev;
	ino_t ino;
	const struct kmln_source *from; /* NULL: the project file itself */
};

struct reader {
	const struct kmln_read_options *options;
	struct kmln_pool *pool;
	int folder; /* of the project file */
	const char *prefix; /* its name, as far as people need it to find files: "" or "x/" */
	struct open_file *files; /* as many as there are sources, in their order */
	size_t count;
};

static void reader_fini(struct reader *reader)
{
	kmln_close_cleanup(&reader->folder);
}

/* All of a descriptor; at most one byte more than the limit, which the caller then sees. */
static int read_all(int fd, struct kmln_buf *buf, size_t limit, struct kmln_error *err)
{
	char piece[65536];

	kmln_buf_add(buf, "", 0);
	while (buf->size <= limit) {
		ssize_t n = read(fd, piece, sizeof(piece));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return kmln_fail_sys(err, errno, "reading");
		if (n == 0)
			break;
		kmln_buf_add(buf, piece, (size_t)n);
	}
	if (buf->size > limit)
		return kmln_fail(err, KMLN_EINVALID,
			"too big: a project has at most %u MiB in all its files",
			KMLN_SOURCE_MAX >> 20);
	return 0;
}

static struct kmln_source *add_source(struct reader *reader, struct kmln_syntax *syntax,
	const char *name, const struct kmln_buf *text, const struct stat *st, const char *folder,
	const struct kmln_source *from)
{
	struct kmln_source *source = kmln_syntax_source(
		syntax, name, kmln_pool_memdup(reader->pool, text->data, text->size), text->size);
	struct open_file *file;

	if (!source)
		return NULL;
	file = kmln_pool_append(reader->pool, &reader->files, &reader->count, sizeof(*file));
	*file = (struct open_file){
		.source = source,
		.folder = folder,
		.dev = st->st_dev,
		.ino = st->st_ino,
		.from = from,
	};
	return source;
}

/* "a/b/c" -> "a/b/" */
static char *folder_of(struct kmln_pool *pool, const char *path)
{
	const char *slash = strrchr(path, '/');

	return kmln_pool_memdup(pool, path, slash ? (size_t)(slash - path) + 1 : 0);
}

/* What is no regular file is not opened for reading even for a moment: with devices that does
 * things.
 */
static int open_beneath(int folder, const char *path, bool outside)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_NO_MAGICLINKS | (outside ? 0 : RESOLVE_BENEATH),
	};
	int fd = (int)syscall(SYS_openat2, folder, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/* The same file again, for reading: it is a regular one by now. */
static int reopen(int fd)
{
	KMLN_FREE char *path = kmln_printf("/proc/self/fd/%d", fd);
	int again = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	return again < 0 ? -errno : again;
}

static void refuse(struct kmln_report *report, const struct kmln_word *at, int code)
{
	if (code == EXDEV) {
		kmln_report_error(report, "include-outside", at->at,
			"`%s` is outside the project's folder", at->text);
		kmln_report_note(report, (struct kmln_place){0}, "--allow-include allows it");
		return;
	}
	kmln_report_error(
		report, "no-include", at->at, "cannot include `%s`: %s", at->text, strerror(code));
}

static const struct open_file *file_of(
	const struct reader *reader, const struct kmln_source *source)
{
	for (size_t i = 0; i < reader->count; i++)
		if (reader->files[i].source == source)
			return &reader->files[i];
	return NULL;
}

/* Whether this include may be opened: it is none of those that led here, and they are few. */
static bool no_circle(struct reader *reader, struct kmln_report *report,
	const struct open_file *from, const struct kmln_word *at, const struct stat *st)
{
	unsigned depth = 1;

	for (const struct open_file *f = from; f; f = f->from ? file_of(reader, f->from) : NULL) {
		if (f->dev == st->st_dev && f->ino == st->st_ino) {
			kmln_report_error(report, "include-circle", at->at, "`%s` includes itself",
				f->source->name);
			return false;
		}
		depth++;
	}
	if (depth <= DEPTH_MAX && reader->count <= KMLN_INCLUDES_MAX)
		return true;
	kmln_report_error(report, "too-many", at->at,
		"too many includes: at most %u, %u in one another", KMLN_INCLUDES_MAX, DEPTH_MAX);
	return false;
}

static struct kmln_source *include(void *data, struct kmln_syntax *syntax,
	struct kmln_report *report, const struct kmln_source *from, const struct kmln_word *at)
{
	struct reader *reader = data;
	/* a copy: the array moves when this file is added to it */
	struct open_file above = *file_of(reader, from);
	KMLN_BUF struct kmln_buf text = {0};
	KMLN_FD int fd = -1, readable = -1;
	struct kmln_source *source;
	struct kmln_error why;
	struct stat st;
	char *path;

	path = at->text[0] == '/' ? kmln_pool_strdup(reader->pool, at->text)
				  : kmln_pool_printf(reader->pool, "%s%s", above.folder, at->text);
	fd = open_beneath(reader->folder, path, reader->options->allow_include);
	if (fd < 0) {
		refuse(report, at, -fd);
		return NULL;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		kmln_report_error(report, "no-include", at->at,
			"cannot include `%s`: it is no regular file", at->text);
		return NULL;
	}
	if (!no_circle(reader, report, &above, at, &st))
		return NULL;
	readable = reopen(fd);
	if (readable < 0) {
		refuse(report, at, -readable);
		return NULL;
	}
	if (read_all(readable, &text, KMLN_SOURCE_MAX - syntax->bytes, &why) < 0) {
		kmln_report_error(report, "no-include", at->at, "cannot include `%s`: %s", at->text,
			why.text);
		return NULL;
	}
	source = add_source(reader, syntax,
		path[0] == '/' ? path
			       : kmln_pool_printf(reader->pool, "%s%s", reader->prefix, path),
		&text, &st, folder_of(reader->pool, path), from);
	if (!source) {
		refuse(report, at, EFBIG);
	} else if (kmln_xml_is(source)) {
		kmln_report_error(report, "no-include", at->at,
			"cannot include `%s`: it is XML, and includes are text", at->text);
		return NULL;
	}
	return source;
}

int kmln_project_read(const char *path, const struct kmln_read_options *options,
	struct kmln_syntax *syntax, struct kmln_report *report, struct kmln_error *err)
{
	bool standard = kmln_eq(path, "-");
	KMLN_CLEANUP(reader_fini)
	struct reader reader = {.options = options, .pool = syntax->pool, .folder = -1};
	KMLN_BUF struct kmln_buf text = {0};
	KMLN_FD int fd = -1;
	const struct kmln_source *source;
	struct stat st;
	int r;

	fd = standard ? fcntl(0, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return kmln_fail_sys(err, errno, "%s", path);
	if (S_ISDIR(st.st_mode))
		return kmln_fail_sys(err, EISDIR, "%s", path);
	r = read_all(fd, &text, KMLN_SOURCE_MAX, err);
	if (r < 0)
		return kmln_wrap(err, "%s", path);
	reader.prefix = standard ? "" : folder_of(syntax->pool, path);
	r = kmln_open(reader.prefix[0] ? reader.prefix : ".", O_PATH | O_DIRECTORY, 0, err);
	if (r < 0)
		return r;
	reader.folder = r;
	source = add_source(&reader, syntax, standard ? "<stdin>" : path, &text, &st, "", NULL);
	if (!source)
		return kmln_fail(err, KMLN_EINVALID, "%s: too big", path);
	(kmln_xml_is(source) ? kmln_xml_parse : kmln_parse)(syntax, report, source, syntax->root,
		options->no_includes ? NULL : include, &reader);
	return 0;
}

int kmln_project_read_inside(const char *folder, const char *path, size_t limit,
	struct kmln_buf *text, struct kmln_error *err)
{
	KMLN_FD int inside = kmln_open(folder[0] ? folder : ".", O_PATH | O_DIRECTORY, 0, err);
	KMLN_FD int fd = -1, readable = -1;
	struct stat st;

	if (inside < 0)
		return inside;
	fd = open_beneath(inside, path, false);
	if (fd == -EXDEV)
		return kmln_fail(err, KMLN_EINVALID, "%s leads out of the folder %s", path, folder);
	if (fd < 0)
		return kmln_fail_sys(err, -fd, "%s%s", folder, path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return kmln_fail(err, KMLN_EINVALID, "%s%s: it is no regular file", folder, path);
	readable = reopen(fd);
	if (readable < 0)
		return kmln_fail_sys(err, -readable, "%s%s", folder, path);
	return read_all(readable, text, limit, err) < 0 ? kmln_wrap(err, "%s%s", folder, path) : 0;
}

struct listing {
	int inside; /* the folder of the project */
	struct kmln_pool *pool;
	struct kmln_inside *files;
	size_t count;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int names_of(int fd, struct kmln_strv *names, struct kmln_error *err)
{
	KMLN_FREE char *path = kmln_printf("/proc/self/fd/%d", fd);
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return kmln_fail_sys(err, errno, "list");
	while ((entry = readdir(dir)) && names->count <= KMLN_INSIDE_FILES)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			kmln_strv_add(names, entry->d_name);
	closedir(dir);
	if (names->count)
		qsort(names->items, names->count, sizeof(char *), compare_names);
	return 0;
}

static int list_below(struct listing *listing, const char *folder, const char *below, int fd,
	unsigned depth, struct kmln_error *err);

/* `path` from the project's folder, `name` from the one that is listed. */
static int list_one(struct listing *listing, const char *path, const char *name, unsigned depth,
	struct kmln_error *err)
{
	KMLN_FD int fd = open_beneath(listing->inside, path, false);
	struct stat st, itself;

	if (fd == -EXDEV)
		return kmln_fail(err, KMLN_EINVALID, "%s leads out of the project's folder", path);
	if (fd < 0)
		return kmln_fail_sys(err, -fd, "%s", path);
	if (fstat(fd, &st) < 0 || fstatat(listing->inside, path, &itself, AT_SYMLINK_NOFOLLOW) < 0)
		return kmln_fail_sys(err, errno, "%s", path);
	if (S_ISDIR(st.st_mode) && S_ISDIR(itself.st_mode) && depth < KMLN_INSIDE_DEEP)
		return list_below(listing, path, name, fd, depth + 1, err);
	if (!S_ISREG(st.st_mode))
		return kmln_fail(err, KMLN_EINVALID, "%s: %s", path,
			!S_ISDIR(st.st_mode)	  ? "it is no regular file"
			: S_ISDIR(itself.st_mode) ? "folders too deep"
						  : "a link to a folder");
	if (listing->count == KMLN_INSIDE_FILES)
		return kmln_fail(
			err, KMLN_EINVALID, "%s: more than %d files", path, KMLN_INSIDE_FILES);
	*(struct kmln_inside *)kmln_pool_append(
		listing->pool, &listing->files, &listing->count, sizeof(*listing->files)) =
		(struct kmln_inside){kmln_pool_strdup(listing->pool, name), st.st_mode & S_IXUSR};
	return 0;
}

static int list_below(struct listing *listing, const char *folder, const char *below, int fd,
	unsigned depth, struct kmln_error *err)
{
	KMLN_STRV struct kmln_strv names = {0};
	int r = names_of(fd, &names, err);

	if (r < 0)
		return kmln_wrap(err, "%s", folder);
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		KMLN_FREE char *path = kmln_printf("%s/%s", folder, names.items[i]);
		KMLN_FREE char *name =
			kmln_printf("%s%s%s", below, *below ? "/" : "", names.items[i]);

		r = list_one(listing, path, name, depth, err);
	}
	return r;
}

int kmln_project_list_inside(const char *folder, const char *path, struct kmln_pool *pool,
	struct kmln_inside **files, size_t *count, struct kmln_error *err)
{
	KMLN_FD int inside = kmln_open(folder[0] ? folder : ".", O_PATH | O_DIRECTORY, 0, err);
	struct listing listing = {.inside = inside, .pool = pool};
	KMLN_FD int fd = -1;
	struct stat st;
	int r;

	if (inside < 0)
		return inside;
	fd = open_beneath(inside, path, false);
	if (fd == -EXDEV)
		return kmln_fail(err, KMLN_EINVALID, "%s leads out of the folder %s", path, folder);
	if (fd < 0 || fstat(fd, &st) < 0)
		return kmln_fail_sys(err, fd < 0 ? -fd : errno, "%s%s", folder, path);
	if (!S_ISDIR(st.st_mode))
		return kmln_fail_sys(err, ENOTDIR, "%s%s", folder, path);
	r = list_below(&listing, path, "", fd, 0, err);
	*files = listing.files;
	*count = listing.count;
	return r;
}
