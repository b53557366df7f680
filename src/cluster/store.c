// SPDX-License-Identifier: GPL-2.0-or-later
/* Paths, the lock, and the small JSON files of a project's folder; see store.h. */
#include "cluster/store.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/output.h"
#include "base/utf8.h"
#include "text/json.h"

#define NAME_MAX_BYTES 63
#define JSON_MAX (64u << 10)
#define TICK_MS 50

/* A name of a project's, of a host's: letters, digits and a few more, none of them a slash. */
static bool is_name(const char *text)
{
	size_t n = 0;

	if (!isalnum((unsigned char)text[0]))
		return false;
	for (; text[n]; n++)
		if (!isalnum((unsigned char)text[n]) && !strchr("-_.", text[n]))
			return false;
	return n <= NAME_MAX_BYTES;
}

int kmln_store_init(struct kmln_store *store, struct kmln_pool *pool, const char *project,
	struct kmln_error *err)
{
	if (!is_name(project))
		return kmln_fail(err, KMLN_EUSAGE, "'%s' is not the name of a project", project);
	*store = (struct kmln_store){
		.pool = pool,
		.project = kmln_pool_strdup(pool, project),
		.folder = kmln_folder(
			pool, KMLN_FOLDER_DATA, kmln_pool_printf(pool, "projects/%s", project)),
		.runtime = kmln_folder(pool, KMLN_FOLDER_RUNTIME, project),
	};
	return 0;
}

/* ---- what is there ---- */

static const char *origin_path(const struct kmln_store *store)
{
	return kmln_pool_printf(store->pool, "%s/project.json", store->folder);
}

bool kmln_store_exists(const struct kmln_store *store)
{
	return access(origin_path(store), F_OK) == 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int kmln_store_names(const char *folder, struct kmln_strv *names, struct kmln_error *err)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	if (!dir)
		return errno == ENOENT ? 0 : kmln_fail_sys(err, errno, "%s", folder);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			kmln_strv_add(names, entry->d_name);
	closedir(dir);
	if (names->count)
		qsort(names->items, names->count, sizeof(*names->items), by_text);
	return 0;
}

int kmln_store_list(struct kmln_pool *pool, struct kmln_strv *names, struct kmln_error *err)
{
	KMLN_STRV struct kmln_strv all = {0};
	int r = kmln_store_names(kmln_folder(pool, KMLN_FOLDER_DATA, "projects"), &all, err);

	for (size_t i = 0; r == 0 && i < all.count; i++) {
		struct kmln_store store;
		struct kmln_error no_name;

		if (kmln_store_init(&store, pool, all.items[i], &no_name) == 0 &&
			kmln_store_exists(&store))
			kmln_strv_add(names, all.items[i]);
	}
	return r;
}

/* ---- paths ---- */

static const char *const roles[] = {
	[KMLN_ROLE_HOST] = "host",
	[KMLN_ROLE_SWITCH] = "switch",
	[KMLN_ROLE_UPLINK] = "uplink",
	[KMLN_ROLE_END] = "end",
	[KMLN_ROLE_WIRE] = "wire",
};

const char *kmln_role_name(enum kmln_role role)
{
	return roles[role];
}

const char *kmln_store_node(const struct kmln_store *store, enum kmln_role role, const char *name)
{
	return kmln_pool_printf(store->pool, "%s-%s", roles[role], name);
}

const char *kmln_store_node_folder(const struct kmln_store *store, const char *node)
{
	return kmln_pool_printf(store->pool, "%s/nodes/%s", store->runtime, node);
}

const char *kmln_store_log(const struct kmln_store *store, const char *node)
{
	return kmln_pool_printf(store->pool, "%s/logs/%s.log", store->folder, node);
}

const char *kmln_store_script(const struct kmln_store *store, const char *verb, enum kmln_role role,
	const char *name, unsigned order)
{
	if (role == KMLN_ROLE_HOST)
		return kmln_pool_printf(
			store->pool, "%s/%s_%02u_%s.sh", store->folder, verb, order, name);
	return kmln_pool_printf(
		store->pool, "%s/%s_%s-%s.sh", store->folder, verb, roles[role], name);
}

const char *kmln_store_host(const struct kmln_store *store, const char *host, const char *below)
{
	return kmln_pool_printf(store->pool, "%s/hosts/%s%s%s", store->folder, host,
		below ? "/" : "", below ? below : "");
}

int kmln_store_hosts(
	const struct kmln_store *store, struct kmln_strv *hosts, struct kmln_error *err)
{
	return kmln_store_names(
		kmln_pool_printf(store->pool, "%s/hosts", store->folder), hosts, err);
}

int kmln_store_nodes(
	const struct kmln_store *store, struct kmln_strv *nodes, struct kmln_error *err)
{
	return kmln_store_names(
		kmln_pool_printf(store->pool, "%s/nodes", store->runtime), nodes, err);
}

/* ---- the lock ---- */

/* A folder that others own could hold anything: links into our files, scripts of theirs. */
static int check_folder(const struct kmln_store *store, struct kmln_error *err)
{
	struct stat st;

	if (lstat(store->folder, &st) < 0)
		return kmln_fail_sys(err, errno, "%s", store->folder);
	if (!S_ISDIR(st.st_mode))
		return kmln_fail(err, KMLN_EINVALID, "%s is no folder", store->folder);
	if (st.st_uid != geteuid())
		return kmln_fail(err, KMLN_EINVALID, "%s belongs to another user (%u)",
			store->folder, (unsigned)st.st_uid);
	return 0;
}

/* 1: locked; 0: *holder has it. */
static int try_lock(int fd, pid_t *holder, struct kmln_error *err)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_SETLK, &lock) == 0)
		return 1;
	if (errno != EAGAIN && errno != EACCES)
		return kmln_fail_sys(err, errno, "lock the project");
	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		*holder = lock.l_pid;
	return 0;
}

/* Whether the locked file is still the one that others find. */
static bool is_current(int fd, const char *path)
{
	struct stat locked, found;

	return fstat(fd, &locked) == 0 && stat(path, &found) == 0 &&
	       locked.st_ino == found.st_ino && locked.st_dev == found.st_dev;
}

static int open_lock(
	const struct kmln_store *store, const char *path, int *fd, struct kmln_error *err)
{
	int r = kmln_make_folders(store->folder, err);

	if (r == 0)
		r = check_folder(store, err);
	if (r == 0)
		r = kmln_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, err);
	if (r < 0)
		return r;
	*fd = r;
	return 0;
}

int kmln_store_lock(
	const struct kmln_store *store, unsigned seconds, int *fd, struct kmln_error *err)
{
	const char *path = kmln_pool_printf(store->pool, "%s/lock", store->folder);
	const struct timespec tick = {.tv_nsec = TICK_MS * 1000000};
	const unsigned ticks = seconds * (1000 / TICK_MS);
	KMLN_FD int file = -1;
	pid_t holder = 0;

	for (unsigned i = 0; i <= ticks; i++) {
		int r = file < 0 ? open_lock(store, path, &file, err) : 0;

		if (r == 0)
			r = try_lock(file, &holder, err);
		if (r < 0)
			return r;
		if (r && is_current(file, path)) {
			*fd = file;
			file = -1;
			return 0;
		}
		/* its folder was removed while we waited */
		if (r) {
			kmln_close_cleanup(&file);
			continue;
		}
		if (i < ticks)
			nanosleep(&tick, NULL);
	}
	return kmln_fail(err, EBUSY, "another command (process %d) is changing the project %s",
		(int)holder, store->project);
}

void kmln_store_unlock(const struct kmln_store *store, int *fd)
{
	/* the lock goes before it is given up: who waits for it sees that, and makes another */
	if (*fd >= 0 && !kmln_store_exists(store)) {
		KMLN_STRV struct kmln_strv rest = {0};
		struct kmln_error err;

		if (kmln_store_names(store->folder, &rest, &err) == 0 && rest.count == 1) {
			unlink(kmln_pool_printf(store->pool, "%s/lock", store->folder));
			rmdir(store->folder);
		}
	}
	kmln_close_cleanup(fd);
}

/* ---- what was built ---- */

/* 1 and the object, or 0 where the file is not there. */
static int read_json(const char *path, struct kmln_json **object, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf text = {0};
	int r = kmln_read_file(path, JSON_MAX, &text, err);

	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r == 0)
		r = kmln_json_parse(text.data ? text.data : "", text.size, object, err);
	return r < 0 ? kmln_wrap(err, "%s", path) : 1;
}

int kmln_origin_read(
	const struct kmln_store *store, struct kmln_origin *origin, struct kmln_error *err)
{
	KMLN_JSON struct kmln_json *json = NULL;
	int r = read_json(origin_path(store), &json, err);
	const char *file, *folder;

	if (r <= 0)
		return r;
	file = kmln_json_get(json, "file");
	folder = kmln_json_get(json, "folder");
	if (!file || !folder)
		return kmln_fail(
			err, KMLN_EINVALID, "%s does not say which file", origin_path(store));
	origin->file = kmln_pool_printf(store->pool, "%s/%s", store->folder, file);
	origin->folder = kmln_pool_strdup(store->pool, folder);
	origin->source = kmln_pool_strdup(store->pool, kmln_json_get(json, "source"));
	return 1;
}

static const struct {
	const char *key;
	size_t offset;
} members[] = {
	{"platform", offsetof(struct kmln_built, platform)},
	{"why", offsetof(struct kmln_built, why)},
	{"wish", offsetof(struct kmln_built, wish)},
	{"name", offsetof(struct kmln_built, name)},
	{"image", offsetof(struct kmln_built, image)},
	{"prepared", offsetof(struct kmln_built, prepared)},
	{"settings", offsetof(struct kmln_built, settings)},
};

int kmln_built_read(const struct kmln_store *store, const char *host, struct kmln_built *built,
	struct kmln_error *err)
{
	const char *path = kmln_store_host(store, host, "built.json");
	KMLN_JSON struct kmln_json *json = NULL;
	int r = read_json(path, &json, err);

	if (r <= 0)
		return r;
	for (size_t i = 0; i < KMLN_COUNT(members); i++) {
		const char *text = kmln_json_get(json, members[i].key);

		if (!text)
			return kmln_fail(
				err, KMLN_EINVALID, "%s has no \"%s\"", path, members[i].key);
		*(const char **)((char *)built + members[i].offset) =
			kmln_pool_strdup(store->pool, text);
	}
	return 1;
}

/* What JSON cannot hold as it is could not be found again by it. */
static int add_text(
	struct kmln_json *json, const char *key, const char *text, struct kmln_error *err)
{
	for (size_t i = 0, n; text[i]; i += n) {
		n = kmln_utf8_length(text + i);
		if (!n)
			return kmln_fail(
				err, KMLN_EUSAGE, "%s: a project needs paths that are UTF-8", text);
	}
	kmln_json_set(json, key, kmln_json_text(text));
	return 0;
}

/* It has no name before it is complete, so that nothing else is left of it. */
static int write_json(
	const char *path, const struct kmln_json *json, bool sync, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf text = {0};
	KMLN_OUTPUT struct kmln_output output = {.fd = -1};
	const bool replaces = access(path, F_OK) == 0;
	int r = kmln_output_open(path, true, &output, err);

	kmln_json_line(json, &text);
	kmln_buf_str(&text, "\n");
	if (r == 0 && fchmod(output.fd, 0600) < 0)
		r = kmln_fail_sys(err, errno, "%s", path);
	if (r == 0)
		r = kmln_write_all(output.fd, text.data, text.size, err);
	if (r < 0)
		return kmln_wrap(err, "%s", path);
	return sync ? kmln_output_publish(&output, replaces, err)
		    : kmln_output_name(&output, replaces, err);
}

int kmln_origin_write(
	const struct kmln_store *store, const struct kmln_origin *origin, struct kmln_error *err)
{
	KMLN_JSON struct kmln_json *json = kmln_json_object();
	int r = add_text(json, "file", origin->file, err);

	if (r == 0)
		r = add_text(json, "folder", origin->folder, err);
	if (r == 0)
		r = add_text(json, "source", origin->source, err);
	return r < 0 ? r : write_json(origin_path(store), json, false, err);
}

static int write_built(const struct kmln_store *store, const char *host,
	const struct kmln_built *built, bool sync, struct kmln_error *err)
{
	KMLN_JSON struct kmln_json *json = kmln_json_object();
	int r = 0;

	for (size_t i = 0; r == 0 && i < KMLN_COUNT(members); i++)
		r = add_text(json, members[i].key,
			*(const char *const *)((const char *)built + members[i].offset), err);
	return r < 0 ? r : write_json(kmln_store_host(store, host, "built.json"), json, sync, err);
}

int kmln_built_write(const struct kmln_store *store, const char *host,
	const struct kmln_built *built, struct kmln_error *err)
{
	return write_built(store, host, built, true, err);
}

int kmln_built_put(const struct kmln_store *store, const char *host, const struct kmln_built *built,
	struct kmln_error *err)
{
	return write_built(store, host, built, false, err);
}

bool kmln_built_equal(const struct kmln_built *a, const struct kmln_built *b)
{
	bool equal = true;

	for (size_t i = 0; i < KMLN_COUNT(members); i++)
		equal = equal &&
			kmln_eq(*(const char *const *)((const char *)a + members[i].offset),
				*(const char *const *)((const char *)b + members[i].offset));
	return equal;
}
