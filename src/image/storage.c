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

#include "base/child.h"
#include "base/file.h"
#include "base/log.h"
#include "image/disk.h"
#include "image/nodes.h"
#include "run/daemon.h"
#include "run/sandbox.h"

#define SOCKET_NAME "nbd"
#define SHM (1u << 20)

/* Milliseconds. */
#define START_LIMIT 60000
#define TICK 2 /* how often is looked whether its socket is there */

/* The lowest version with a right for truncate: without it Landlock alone is too little. */
#define LANDLOCK_ALONE 3

struct kmln_storage {
	struct kmln_daemon daemon;
	struct kmln_pool *pool; /* of what it was started by, which its end looks at again */
	struct kmln_spawn spawn;
};

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int kmln_storage_words(const struct kmln_storage *storage)
{
	return storage->daemon.process.words;
}

void kmln_storage_hear(struct kmln_storage *storage)
{
	kmln_daemon_hear(&storage->daemon);
}

/* ---- what it is told ---- */

/* It takes and gives back memory for each request: the C library shall keep it, instead of having
 * it cleared by the kernel each time. That is a third of the work. */
static void add_env(struct kmln_actions *actions, struct kmln_spawn *spawn)
{
	KMLN_STRV struct kmln_strv env = {0};

	for (const char *const *e = spawn->env; *e; e++)
		kmln_strv_add(&env, *e);
	kmln_strv_adds(
		&env, "MALLOC_TRIM_THRESHOLD_=33554432", "MALLOC_MMAP_THRESHOLD_=33554432", NULL);
	spawn->env = kmln_actions_words(actions, &env);
}

/* The program, first in argv, and walls for it. */
static int begin(struct kmln_sandbox *sandbox, struct kmln_pool *pool, bool confined,
	struct kmln_strv *argv, struct kmln_error *err)
{
	const char *found = kmln_find_program(pool, KMLN_DAEMON_PROGRAM);
	char real[PATH_MAX];
	int r;

	if (!found || !realpath(found, real))
		return kmln_fail(err, KMLN_ELACK,
			KMLN_DAEMON_PROGRAM
			" is not installed (Debian package qemu-system-common); "
			"it reads images of this format");
	r = kmln_sandbox_look(sandbox, pool, confined, err);
	if (r < 0)
		return r;
	sandbox->shm = SHM;
	kmln_strv_add(argv, kmln_starts(real, "/usr/") ? real
						       : kmln_sandbox_share(sandbox, real,
								 "program", KMLN_ACCESS_RUN));
	return 0;
}

static void begin_known(const struct kmln_storage_disk *disk, struct kmln_sandbox *sandbox,
	struct kmln_pool *pool, struct kmln_strv *argv)
{
	*sandbox = *disk->walls;
	sandbox->pool = pool;
	sandbox->shm = SHM;
	kmln_strv_add(argv,
		kmln_starts(disk->program, "/usr/")
			? disk->program
			: kmln_sandbox_share(sandbox, disk->program, "program", KMLN_ACCESS_RUN));
}

/* A monitor, by which it can be told to finish. The last of all: its greeting says that the rest is
 * there. */
static void add_monitor(struct kmln_strv *argv)
{
	kmln_strv_adds(argv, "--chardev", "stdio,id=m", "--monitor", "chardev=m", NULL);
}

static int plan(const struct kmln_layers *layers, bool shared, bool confined,
	struct kmln_pool *pool, struct kmln_spawn *spawn, struct kmln_error *err)
{
	struct kmln_actions actions = {.pool = pool, .by = "storage"};
	KMLN_STRV struct kmln_strv argv = {0};
	KMLN_BUF struct kmln_buf json = {0};
	struct kmln_sandbox sandbox;
	const struct kmln_nodes nodes = {layers, &sandbox, shared};
	int r = begin(&sandbox, pool, confined, &argv, err);

	if (r < 0)
		return r;
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
	if (layers->items[0]->writable)
		add_monitor(&argv);
	kmln_sandbox_spawn(&sandbox, &argv, NULL, &actions, spawn);
	add_env(&actions, spawn);
	return 0;
}

/* An empty overlay of the disk's size. It names no backing file: that is said in the node. */
static int make_overlay(const char *path, uint64_t size, struct kmln_error *err)
{
	KMLN_FREE char *bytes = kmln_printf("%llu", (unsigned long long)size);
	const char *const argv[] = {"qemu-img", "create", "-q", "-f", "qcow2", path, bytes, NULL};
	const struct kmln_child child = {.argv = argv, .package = "qemu-utils"};

	return kmln_child_must(&child, NULL, err);
}

/* The node that a machine is given: the image, or an overlay on it. `number`: 0 for its first disk,
 * which has no number in any name. */
static int add_node(const struct kmln_storage_disk *disk, const struct kmln_storage_more *image,
	size_t number, struct kmln_sandbox *sandbox, struct kmln_strv *argv, struct kmln_error *err)
{
	KMLN_FREE char *digits = number ? kmln_printf("%zu", number) : kmln_strdup("");
	KMLN_FREE char *name = kmln_printf("overlay%s", digits);
	KMLN_FREE char *folder = kmln_printf("%s%s%s", disk->folder, number ? "/more" : "", digits);
	KMLN_FREE char *overlay = kmln_printf("%s/overlay", folder);
	const struct kmln_nodes nodes = {image->layers, sandbox, false};
	KMLN_BUF struct kmln_buf json = {0}, file = {0};
	int r = number ? kmln_make_folders(folder, err) : 0;

	if (r == 0)
		r = kmln_nodes_disk(&nodes, !disk->snapshot, folder, &file, err);
	if (r == 0 && disk->snapshot)
		r = make_overlay(overlay, image->size, err);
	if (r < 0)
		return r;
	kmln_buf_printf(&json, "{\"node-name\":\"" KMLN_STORAGE_EXPORT "%s\",", digits);
	if (disk->snapshot)
		kmln_buf_printf(&json,
			"\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":"
			"\"%s\"},\"backing\":%s}",
			kmln_sandbox_share(sandbox, overlay, name, KMLN_ACCESS_WRITE), file.data);
	else
		kmln_buf_str(&json, file.data + 1);
	kmln_strv_adds(argv, "--blockdev", json.data, NULL);
	return 0;
}

static void add_export(size_t number, const char *folder, struct kmln_strv *argv)
{
	KMLN_FREE char *digits = number ? kmln_printf("%zu", number) : kmln_strdup("");

	kmln_strv_add(argv, "--export");
	kmln_strv_printf(argv,
		"type=vhost-user-blk,id=e%s,node-name=" KMLN_STORAGE_EXPORT
		"%s,addr.type=unix,addr.path=%s/" KMLN_STORAGE_SOCKET "%s,writable=on,num-queues=1",
		digits, digits, folder, digits);
}

int kmln_storage_plan(const struct kmln_storage_disk *disk, struct kmln_pool *pool,
	struct kmln_spawn *spawn, struct kmln_error *err)
{
	const struct kmln_storage_more first = {disk->layers, disk->size};
	struct kmln_actions actions = {.pool = pool, .by = "storage"};
	KMLN_STRV struct kmln_strv argv = {0};
	struct kmln_sandbox sandbox;
	const char *folder;
	int r = 0;

	if (disk->walls)
		begin_known(disk, &sandbox, pool, &argv);
	else
		r = begin(&sandbox, pool, disk->confined, &argv, err);
	if (r < 0)
		return r;
	if (disk->layers)
		r = add_node(disk, &first, 0, &sandbox, &argv, err);
	for (size_t i = 0; r == 0 && i < disk->more_count; i++)
		r = add_node(disk, &disk->more[i], i + 1, &sandbox, &argv, err);
	if (r < 0)
		return r;
	folder = kmln_sandbox_share(&sandbox, disk->socket_folder, "served", KMLN_ACCESS_WRITE);
	for (size_t i = disk->layers ? 0 : 1; i <= disk->more_count; i++)
		add_export(i, folder, &argv);
	add_monitor(&argv);
	kmln_sandbox_spawn(&sandbox, &argv, NULL, &actions, spawn);
	add_env(&actions, spawn);
	return 0;
}

/* ---- starting ---- */

/* 1: connected; 0: not yet. By the folder's descriptor: a socket's name has little room. */
static int try_connect(struct kmln_storage *storage, int *client, struct kmln_error *err)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	KMLN_FD int folder =
		kmln_open(storage->daemon.process.folder.path, O_PATH | O_DIRECTORY, 0, err);
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
			       : kmln_fail_sys(err, errno, "connect to " KMLN_DAEMON_PROGRAM);
	*client = fd;
	fd = -1;
	return 1;
}

/* Why it ended before it served. */
static int explain(struct kmln_storage *storage, const char *format, struct kmln_error *err)
{
	KMLN_FREE char *what = kmln_printf("read it as %s", format);
	int r = kmln_daemon_explain(&storage->daemon, what, err);

	if (r == -KMLN_EINVALID && kmln_eq(format, "vhdx")) {
		KMLN_FREE char *text = kmln_strdup(err->text);

		return kmln_fail(err, KMLN_EINVALID,
			"%s (a differencing one must be merged with its parent first; one that was not "
			"closed well, repaired)",
			text);
	}
	return r;
}

static int wait_ready(
	struct kmln_storage *storage, const char *format, int *client, struct kmln_error *err)
{
	int64_t deadline = now() + START_LIMIT;

	for (;;) {
		struct pollfd fds[] = {
			{storage->daemon.process.pidfd, POLLIN, 0},
			{storage->daemon.process.words, POLLIN, 0},
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
			return kmln_fail(err, ETIMEDOUT,
				KMLN_DAEMON_PROGRAM " did not begin within %d seconds",
				START_LIMIT / 1000);
	}
}

static int start(const struct kmln_layers *layers, bool shared, bool confined,
	struct kmln_storage *storage, int *client, struct kmln_error *err)
{
	sigset_t mask;
	int r = plan(layers, shared, confined, storage->pool, &storage->spawn, err);

	sigprocmask(SIG_SETMASK, NULL, &mask);
	storage->daemon.monitored = layers->items[0]->writable;
	if (r == 0)
		r = kmln_process_start(&storage->daemon.process, &storage->spawn, &mask, err);
	return r < 0 ? r : wait_ready(storage, layers->items[0]->header.driver, client, err);
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

	*new = (struct kmln_storage){.daemon = KMLN_DAEMON_NONE, .pool = kmln_pool_new()};
	r = start(layers, shared, true, new, client, err);
	if (r < 0 && err->code == KMLN_ELACK && kmln_landlock_abi() >= LANDLOCK_ALONE) {
		kmln_debug("%s; Landlock alone holds it", err->text);
		kmln_daemon_stop(&new->daemon);
		r = start(layers, shared, false, new, client, err);
	}
	if (r < 0)
		kmln_storage_stop(&new);
	*storage = new;
	return r;
}

/* ---- ending ---- */

int kmln_storage_lost(struct kmln_storage *storage, const char *what, struct kmln_error *err)
{
	return kmln_daemon_lost(&storage->daemon, what, err);
}

void kmln_storage_stop(struct kmln_storage **storage)
{
	if (*storage) {
		kmln_daemon_stop(&(*storage)->daemon);
		kmln_pool_free((*storage)->pool);
		free(*storage);
	}
	*storage = NULL;
}
