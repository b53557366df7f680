// SPDX-License-Identifier: GPL-2.0-or-later
/* Starting, hearing and ending qemu-storage-daemon; see storage.h. */
#include "image/storage.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "image/disk.h"
#include "image/nodes.h"
#include "run/process.h"
#include "run/sandbox.h"

#define PROGRAM "qemu-storage-daemon"
#define WORDS_LIMIT 4096
#define SOCKET_NAME "nbd"

/* Milliseconds. */
#define START_LIMIT 60000
#define FINISH_LIMIT 30000
#define TICK 2 /* how often is looked whether its socket is there */

/* The lowest version with a right for truncate: without it Landlock alone is too little. */
#define LANDLOCK_ALONE 3

struct kmln_storage {
	struct kmln_process process;
	struct kmln_buf words, walls;
	bool writable;
};

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Takes what there is, and closes at the end. The words are cut off in the middle, not at the end:
 * the last ones tell why it ended. */
static void take(int *fd, struct kmln_buf *words)
{
	char piece[4096];
	ssize_t n;

	while (*fd >= 0) {
		n = read(*fd, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			kmln_close_cleanup(fd);
			return;
		}
		if (words->size > WORDS_LIMIT)
			words->size = WORDS_LIMIT / 2;
		kmln_buf_add(words, piece, (size_t)n);
	}
}

int kmln_storage_words(const struct kmln_storage *storage)
{
	return storage->process.words;
}

void kmln_storage_hear(struct kmln_storage *storage)
{
	take(&storage->process.words, &storage->words);
	/* the greeting and answers of its monitor */
	if (storage->writable) {
		struct kmln_buf unused = {0};

		take(&storage->process.console, &unused);
		kmln_buf_fini(&unused);
	}
}

/* The last line it said, without the command line that it repeats in front. */
static const char *last_words(struct kmln_storage *storage)
{
	char *text, *line;

	while (storage->words.size && storage->words.data[storage->words.size - 1] == '\n')
		storage->words.data[--storage->words.size] = '\0';
	if (!storage->words.size)
		return NULL;
	/* QEMU asks below the line that tells what happened */
	text = strstr(storage->words.data, "\nIs another process using");
	if (text)
		*text = '\0';
	line = strrchr(storage->words.data, '\n');
	line = line ? line + 1 : storage->words.data;
	text = strstr(line, "}: ");
	if (text)
		return text + 3;
	text = kmln_starts(line, PROGRAM ": ") ? line + strlen(PROGRAM ": ") : line;
	return text;
}

/* ---- what it is told ---- */

static int plan(const struct kmln_layers *layers, bool shared, bool confined,
	struct kmln_pool *pool, struct kmln_spawn *spawn, struct kmln_error *err)
{
	struct kmln_actions actions = {.pool = pool, .by = "storage"};
	const char *found = kmln_find_program(pool, PROGRAM);
	KMLN_STRV struct kmln_strv argv = {0};
	KMLN_BUF struct kmln_buf json = {0};
	struct kmln_sandbox sandbox;
	const struct kmln_nodes nodes = {layers, &sandbox, shared};
	char real[PATH_MAX];
	int r;

	if (!found || !realpath(found, real))
		return kmln_fail(err, KMLN_ELACK,
			PROGRAM " is not installed (Debian package qemu-system-common); it reads "
				"images of this format");
	r = kmln_sandbox_look(&sandbox, pool, confined, err);
	if (r < 0)
		return r;
	sandbox.shm = 1 << 20;
	kmln_strv_add(&argv, kmln_starts(real, "/usr/") ? real
							: kmln_sandbox_share(&sandbox, real,
								  "program", KMLN_ACCESS_RUN));
	kmln_buf_str(&json, "{\"node-name\":\"" KMLN_STORAGE_EXPORT "\",");
	kmln_nodes_add(&nodes, layers->items[0], layers->items[0]->writable, &json);
	kmln_buf_str(&json, "}");
	kmln_strv_adds(&argv, "--blockdev", json.data, NULL);
	kmln_strv_add(&argv, "--nbd-server");
	kmln_strv_printf(
		&argv, "addr.type=unix,addr.path=%s/" SOCKET_NAME, kmln_sandbox_run(&sandbox));
	kmln_strv_add(&argv, "--export");
	kmln_strv_printf(&argv,
		"type=nbd,id=e,node-name=" KMLN_STORAGE_EXPORT ",name=" KMLN_STORAGE_EXPORT
		",writable=%s",
		layers->items[0]->writable ? "on" : "off");
	/* a monitor, by which it can be told to finish */
	if (layers->items[0]->writable)
		kmln_strv_adds(&argv, "--chardev", "stdio,id=m", "--monitor", "chardev=m", NULL);
	kmln_sandbox_spawn(&sandbox, &argv, NULL, &actions, spawn);
	return 0;
}

/* ---- starting ---- */

/* 1: connected; 0: not yet. By the folder's descriptor: a socket's name has little room. */
static int try_connect(struct kmln_storage *storage, int *client, struct kmln_error *err)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	KMLN_FD int folder = kmln_open(storage->process.folder.path, O_PATH | O_DIRECTORY, 0, err);
	KMLN_FD int fd = -1;

	if (folder < 0)
		return folder;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return kmln_fail_sys(err, errno, "socket");
	snprintf(name.sun_path, sizeof(name.sun_path), "/proc/self/fd/%d/" SOCKET_NAME, folder);
	if (connect(fd, (struct sockaddr *)&name, sizeof(name)) < 0)
		return errno == ENOENT || errno == ECONNREFUSED || errno == EINTR
			       ? 0
			       : kmln_fail_sys(err, errno, "connect to " PROGRAM);
	*client = fd;
	fd = -1;
	return 1;
}

static int in_use(const char *words)
{
	return strstr(words, "\" lock") || strstr(words, "Failed to lock");
}

/* Why it ended before it served. */
static int explain(struct kmln_storage *storage, const char *format, struct kmln_error *err)
{
	const char *words;

	take(&storage->process.walls, &storage->walls);
	kmln_storage_hear(storage);
	words = last_words(storage);
	if (!storage->walls.size || !kmln_starts(storage->walls.data, "ok\n"))
		return kmln_fail(err, KMLN_ELACK,
			PROGRAM ", which reads images of this format, cannot be confined on this "
				"host: %s; qemu-img convert -O raw FILE NEW makes an image that is "
				"read without it",
			storage->walls.size ? storage->walls.data
			: words		    ? words
					    : "no words");
	if (!words) /* somebody ended it */
		return kmln_fail(err, EIO, PROGRAM ", which serves the image, ended");
	if (in_use(words))
		return kmln_fail(err, EBUSY, KMLN_DISK_IN_USE);
	return kmln_fail(err, KMLN_EINVALID, "QEMU cannot read it as %s: %s%s", format, words,
		kmln_eq(format, "vhdx") ? " (a differencing one must be merged with its parent "
					  "first; one that was not closed well, repaired)"
					: "");
}

static int wait_ready(
	struct kmln_storage *storage, const char *format, int *client, struct kmln_error *err)
{
	int64_t deadline = now() + START_LIMIT;

	for (;;) {
		struct pollfd fds[] = {
			{storage->process.pidfd, POLLIN, 0},
			{storage->process.words, POLLIN, 0},
		};
		int r = try_connect(storage, client, err);

		if (r)
			return r < 0 ? r : 0;
		poll(fds, 2, TICK);
		if (fds[1].revents)
			kmln_storage_hear(storage);
		if (fds[0].revents)
			return explain(storage, format, err);
		if (now() > deadline)
			return kmln_fail(err, ETIMEDOUT, PROGRAM " did not begin within %d seconds",
				START_LIMIT / 1000);
	}
}

static int start(const struct kmln_layers *layers, bool shared, bool confined,
	struct kmln_storage *storage, int *client, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_spawn spawn;
	sigset_t mask;
	int r = plan(layers, shared, confined, pool, &spawn, err);

	sigprocmask(SIG_SETMASK, NULL, &mask);
	storage->writable = layers->items[0]->writable;
	if (r == 0)
		r = kmln_process_start(&storage->process, &spawn, &mask, err);
	return r < 0 ? r : wait_ready(storage, layers->items[0]->header.driver, client, err);
}

static void storage_fini(struct kmln_storage *storage)
{
	kmln_process_cleanup(&storage->process);
	kmln_buf_fini(&storage->words);
	kmln_buf_fini(&storage->walls);
	*storage = (struct kmln_storage){.process = KMLN_PROCESS_NONE};
}

/*
 * Where namespaces cannot be had, Landlock alone is enough for this program: no guest runs in it,
 * so what may not be held back (chmod, utimes, signals) needs a hole in QEMU first, and without a
 * wall at all is how everybody else uses QEMU's formats.
 */
int kmln_storage_start(const struct kmln_layers *layers, bool shared, struct kmln_storage **storage,
	int *client, struct kmln_error *err)
{
	struct kmln_storage *new = kmln_malloc(sizeof(*new));
	int r;

	*new = (struct kmln_storage){.process = KMLN_PROCESS_NONE};
	r = start(layers, shared, true, new, client, err);
	if (r < 0 && err->code == KMLN_ELACK && kmln_landlock_abi() >= LANDLOCK_ALONE) {
		kmln_debug("%s; Landlock alone holds it", err->text);
		storage_fini(new);
		r = start(layers, shared, false, new, client, err);
	}
	if (r < 0) {
		storage_fini(new);
		free(new);
		return r;
	}
	*storage = new;
	return 0;
}

/* ---- ending ---- */

int kmln_storage_lost(struct kmln_storage *storage, const char *what, struct kmln_error *err)
{
	const char *words;

	kmln_storage_hear(storage);
	words = last_words(storage);
	return kmln_fail(err, EIO, "%s: " PROGRAM ", which serves the image, ended%s%s", what,
		words ? ": " : "", words ? words : "");
}

/* Closes the image well, so that nothing in it says that it was left in the middle. */
static void finish(struct kmln_storage *storage)
{
	static const char quit[] = "{\"execute\":\"qmp_capabilities\"}{\"execute\":\"quit\"}";
	struct pollfd fd = {storage->process.pidfd, POLLIN, 0};
	int64_t deadline = now() + FINISH_LIMIT;

	if (storage->process.console < 0 ||
		send(storage->process.console, quit, sizeof(quit) - 1, MSG_NOSIGNAL) < 0)
		return;
	while (!(poll(&fd, 1, TICK) > 0 && fd.revents) && now() < deadline)
		kmln_storage_hear(storage);
}

void kmln_storage_stop(struct kmln_storage **storage)
{
	if (*storage) {
		if ((*storage)->writable && (*storage)->process.pid)
			finish(*storage);
		storage_fini(*storage);
		free(*storage);
	}
	*storage = NULL;
}
