// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kmln logs: what hosts have written on their consoles, running or not. A log has two parts, the
 * older of which is FILE.1; when the newer is full it becomes that.
 */
#include "cli/commands.h"

#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/output.h"
#include "cli/project.h"
#include "cli/reach.h"

#define PIECE 65536
/* Where the host's filesystem tells nothing of changes, they are looked for so often. */
#define LOOK_MS 1000

struct options {
	const char *file, *project, *lines;
	bool allow_include, follow, raw;
};

static const struct kmln_opt opts[] = {
	{"file", 0, KMLN_OPT_FILE, "FILE", "the project file (default: the one here or above)",
		offsetof(struct options, file), NULL},
	{"project", 'p', KMLN_OPT_TEXT, "PROJECT",
		"a project that was built here, by its name, as it was built",
		offsetof(struct options, project), NULL},
	{"allow-include", 0, KMLN_OPT_FLAG, NULL,
		"allow includes from outside the project's folder",
		offsetof(struct options, allow_include), NULL},
	{"follow", 'f', KMLN_OPT_FLAG, NULL, "go on with what is written from now on",
		offsetof(struct options, follow), NULL},
	{"lines", 'n', KMLN_OPT_TEXT, "LINES",
		"only the last so many (default: all; with --follow 10)",
		offsetof(struct options, lines), NULL},
	{"raw", 0, KMLN_OPT_FLAG, NULL, "send control bytes to a terminal as they are",
		offsetof(struct options, raw), NULL},
	KMLN_OPT_END,
};

struct log {
	const char *host, *path; /* the pool's */
	struct kmln_prefixer lines;
	bool plain; /* as it is, byte for byte */
	int fd; /* -1: there is none */
	off_t offset; /* what was shown already */
};

struct logs {
	struct kmln_reach reach;
	struct kmln_strv hosts;
	struct log *logs;
	struct kmln_buf out;
};

static void logs_fini(struct logs *logs)
{
	for (size_t i = 0; logs->logs && i < logs->hosts.count; i++) {
		kmln_close_cleanup(&logs->logs[i].fd);
		kmln_buf_fini(&logs->logs[i].lines.line);
	}
	free(logs->logs);
	kmln_buf_fini(&logs->out);
	kmln_strv_fini(&logs->hosts);
	kmln_reach_fini(&logs->reach);
}

/* How many lines are wanted; SIZE_MAX for all. */
static int parse_lines(const struct options *o, size_t *lines, struct kmln_error *err)
{
	char *end;

	*lines = o->follow ? 10 : SIZE_MAX;
	if (!o->lines)
		return 0;
	errno = 0;
	*lines = strtoul(o->lines, &end, 10);
	if (*o->lines < '0' || *o->lines > '9' || *end || errno)
		return kmln_fail(err, KMLN_EUSAGE, "--lines: '%s' is not a number", o->lines);
	return 0;
}

static void show(struct logs *logs, struct log *log, const char *bytes, size_t size)
{
	if (!size)
		return;
	if (log->plain)
		kmln_buf_add(&logs->out, bytes, size);
	else
		kmln_prefixer_add(&log->lines, bytes, size, &logs->out);
}

static int flush(struct logs *logs, struct kmln_error *err)
{
	int r = kmln_write_all(STDOUT_FILENO, logs->out.data, logs->out.size, err);

	logs->out.size = 0;
	return r < 0 ? kmln_wrap(err, "standard output") : 0;
}

/* Appends what is in the file from its offset on. */
static int read_on(struct log *log, struct kmln_buf *bytes, struct kmln_error *err)
{
	char piece[PIECE];
	ssize_t n;

	while ((n = pread(log->fd, piece, sizeof(piece), log->offset)) > 0) {
		kmln_buf_add(bytes, piece, (size_t)n);
		log->offset += n;
	}
	return n < 0 ? kmln_fail_sys(err, errno, "%s", log->path) : 0;
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

static int open_log(struct log *log)
{
	log->offset = 0;
	log->fd = open(log->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return log->fd;
}

/* The older part, unless the newer has just become it. */
static void read_older(const struct log *log, struct kmln_buf *bytes)
{
	KMLN_FREE char *path = kmln_printf("%s.1", log->path);
	struct log older = {.path = path, .fd = -1};
	struct kmln_error unread;
	struct stat a, b;

	if (open_log(&older) >= 0 && fstat(older.fd, &a) == 0 && fstat(log->fd, &b) == 0 &&
		!same(&a, &b))
		read_on(&older, bytes, &unread);
	kmln_close_cleanup(&older.fd);
}

/* Where the last `lines` lines begin. */
static size_t last_lines(const struct kmln_buf *bytes, size_t lines)
{
	size_t at = bytes->size;

	if (!lines)
		return at;
	/* the end of the last line is none between two */
	at -= at && bytes->data[at - 1] == '\n';
	for (; at; at--)
		if (bytes->data[at - 1] == '\n' && !--lines)
			break;
	return at;
}

static int show_past(struct logs *logs, struct log *log, size_t lines, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf bytes = {0};
	size_t from;
	int r;

	kmln_buf_add(&bytes, "", 0);
	read_older(log, &bytes);
	r = read_on(log, &bytes, err);
	from = last_lines(&bytes, lines);
	show(logs, log, bytes.data + from, bytes.size - from);
	return r < 0 ? r : flush(logs, err);
}

/* Shows what is new, also where a new file has begun. */
static int show_new(struct logs *logs, struct log *log, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf bytes = {0};
	struct stat a, b;
	int r = 0;

	if (log->fd < 0 && open_log(log) < 0)
		return 0;
	/* asked first: what is written before it is replaced is read below */
	if (fstat(log->fd, &a) < 0 || stat(log->path, &b) < 0)
		return 0;
	if (a.st_size < log->offset)
		log->offset = 0;
	r = read_on(log, &bytes, err);
	if (r == 0 && !same(&a, &b)) {
		kmln_close_cleanup(&log->fd);
		if (open_log(log) >= 0)
			r = read_on(log, &bytes, err);
	}
	show(logs, log, bytes.data, bytes.size);
	return r < 0 ? r : flush(logs, err);
}

static int follow(struct logs *logs, struct kmln_error *err)
{
	KMLN_FREE char *folder = kmln_printf("%s/logs", logs->reach.store.folder);
	KMLN_FD int changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd fd = {changes, POLLIN, 0};
	char events[4096];

	if (changes >= 0)
		inotify_add_watch(changes, folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO);
	for (;;) {
		for (size_t i = 0; i < logs->hosts.count; i++) {
			int r = show_new(logs, &logs->logs[i], err);

			if (r < 0)
				return r;
		}
		if (poll(&fd, 1, LOOK_MS) < 0 && errno != EINTR)
			return kmln_fail_sys(err, errno, "poll");
		while (changes >= 0 && read(changes, events, sizeof(events)) > 0)
			;
	}
}

static void prepare(struct logs *logs, const struct options *o)
{
	bool terminal = isatty(STDOUT_FILENO), several = logs->hosts.count > 1;

	logs->logs = calloc(logs->hosts.count, sizeof(*logs->logs));
	if (!logs->logs)
		abort();
	for (size_t i = 0; i < logs->hosts.count; i++) {
		struct log *log = &logs->logs[i];

		log->host = logs->hosts.items[i];
		log->path = kmln_store_log(&logs->reach.store,
			kmln_store_node(&logs->reach.store, KMLN_ROLE_HOST, log->host));
		log->lines = (struct kmln_prefixer){.name = several ? log->host : NULL,
			.color = kmln_color(STDOUT_FILENO, i),
			.harmless = terminal && !o->raw};
		log->plain = !several && !log->lines.harmless;
		log->fd = -1;
	}
}

static int show_all(
	struct logs *logs, const struct options *o, size_t lines, struct kmln_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < logs->hosts.count; i++) {
		struct log *log = &logs->logs[i];

		if (open_log(log) >= 0)
			r = show_past(logs, log, lines, err);
		else if (errno != ENOENT)
			r = kmln_fail_sys(err, errno, "%s", log->path);
		else if (!o->follow)
			r = kmln_fail(
				err, KMLN_ENO, "%s has no log: it was never started", log->host);
		/* one that is followed goes on in its last line */
		if (r == 0 && !o->follow)
			kmln_prefixer_end(&log->lines, &logs->out);
	}
	return r < 0 ? r : flush(logs, err);
}

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct options *o = values;
	KMLN_CLEANUP(logs_fini) struct logs logs = {0};
	size_t lines;
	int r = parse_lines(o, &lines, err);

	if (r == 0)
		r = kmln_reach_open(&logs.reach, o->file, o->project, o->allow_include, err);
	if (r == 0)
		r = kmln_reach_hosts(&logs.reach, argv, (size_t)argc, false, &logs.hosts, err);
	if (r < 0)
		return r;
	prepare(&logs, o);
	r = show_all(&logs, o, lines, err);
	return r == 0 && o->follow ? follow(&logs, err) : r;
}

const struct kmln_command kmln_command_logs = {
	.name = "logs",
	.args = "HOST...",
	.summary = "Show what hosts have written on their consoles",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.min_args = 1,
	.max_args = -1,
	.complete_hosts = true,
	.run = run,
};
