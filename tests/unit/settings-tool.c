// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Drives all settings of a guest, for test_settings.py:
 *
 *     settings-tool plan|apply IMAGE|FOLDER < SETTINGS.json
 *
 * prints the plan and, for apply, carries it out. The keys of the JSON are the members of struct
 * kmln_settings. Errors go to stderr, with the exit status that kmln would have.
 */
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/settings.h"
#include "image/disk.h"
#include "image/ext.h"
#include "image/inspect.h"
#include "run/apply.h"

/* ---- a folder that can be written: the folder kind, and what it lacks ---- */

static const char *folder;

static char *in_folder(const char *path)
{
	return kmln_printf("%s%s", folder, path);
}

static int own(const char *at, const struct kmln_meta *meta, struct kmln_error *err)
{
	if (lchown(at, meta->uid, meta->gid) < 0 && geteuid() == 0)
		return kmln_fail_sys(err, errno, "%s", at);
	return 0;
}

static int folder_mkdir(struct kmln_tree *tree, const char *path, const struct kmln_meta *meta,
	struct kmln_error *err)
{
	KMLN_FREE char *at = in_folder(path);

	(void)tree;
	if (mkdir(at, 0700) < 0 || chmod(at, meta->mode) < 0)
		return kmln_fail_sys(err, errno, "%s", at);
	return own(at, meta, err);
}

static int folder_put(struct kmln_tree *tree, const char *path, const struct kmln_meta *meta,
	uint64_t size, kmln_source_fn fn, void *data, struct kmln_error *err)
{
	KMLN_FREE char *at = in_folder(path);
	bool is_new = access(at, F_OK) < 0;
	int fd = open(at, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	char bytes[4096];
	ssize_t n = 0;

	(void)tree;
	(void)size;
	if (fd < 0)
		return kmln_fail_sys(err, errno, "%s", at);
	while ((n = fn(data, bytes, sizeof(bytes), err)) > 0)
		if (write(fd, bytes, (size_t)n) != n)
			n = kmln_fail_sys(err, errno, "%s", at);
	close(fd);
	if (n < 0 || !is_new)
		return (int)n;
	/* giving away takes set-id bits */
	return own(at, meta, err) < 0 || chmod(at, meta->mode) < 0 ? -1 : 0;
}

static int folder_symlink(struct kmln_tree *tree, const char *path, const char *target,
	const struct kmln_meta *meta, struct kmln_error *err)
{
	KMLN_FREE char *at = in_folder(path);

	(void)tree;
	unlink(at);
	if (symlink(target, at) < 0)
		return kmln_fail_sys(err, errno, "%s", at);
	return own(at, meta, err);
}

static int folder_remove(struct kmln_tree *tree, const char *path, struct kmln_error *err)
{
	KMLN_FREE char *at = in_folder(path);

	(void)tree;
	return remove(at) < 0 ? kmln_fail_sys(err, errno, "%s", at) : 0;
}

static int open_folder(struct kmln_tree **tree, struct kmln_error *err)
{
	static struct kmln_tree_ops ops;
	int r = kmln_tree_folder(folder, tree, err);

	if (r < 0)
		return r;
	ops = *(*tree)->ops;
	ops.mkdir = folder_mkdir;
	ops.put = folder_put;
	ops.symlink = folder_symlink;
	ops.remove = folder_remove;
	(*tree)->ops = &ops;
	return 0;
}

/* ---- JSON ---- */

static struct kmln_pool *pool;

static const char *text(json_t *object, const char *key)
{
	return kmln_pool_strdup(pool, json_string_value(json_object_get(object, key)));
}

static const char *const *texts(json_t *object, const char *key)
{
	json_t *array = json_object_get(object, key);
	size_t n = json_array_size(array);
	const char **list = kmln_pool_array(pool, n + 1, sizeof(char *));

	for (size_t i = 0; i < n; i++)
		list[i] = kmln_pool_strdup(pool, json_string_value(json_array_get(array, i)));
	return array ? list : NULL;
}

static uint32_t number(json_t *object, const char *key)
{
	return (uint32_t)json_integer_value(json_object_get(object, key));
}

static bool yes(json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

#define ITEMS(root, key, slot, count_slot, type, ...) \
	do { \
		json_t *array = json_object_get(root, key), *o; \
		size_t i; \
		type *items = kmln_pool_array(pool, json_array_size(array), sizeof(*items)); \
		json_array_foreach(array, i, o) items[i] = (type){__VA_ARGS__}; \
		slot = items; \
		count_slot = json_array_size(array); \
	} while (0)

static void read_settings(json_t *root, struct kmln_settings *s)
{
	*s = (struct kmln_settings){
		.hostname = text(root, "hostname"),
		.nameservers = texts(root, "nameservers"),
		.root_password = text(root, "root_password"),
		.root_hash = text(root, "root_hash"),
		.swaps = texts(root, "swaps"),
		.swap_file = number(root, "swap_file"),
		.packages = texts(root, "packages"),
		.modules = texts(root, "modules"),
		.startup = texts(root, "startup"),
		.shutdown = texts(root, "shutdown"),
		.agent = yes(root, "agent"),
		.empty_machine_id = yes(root, "empty_machine_id"),
		.new_host_keys = yes(root, "new_host_keys"),
	};
	ITEMS(root, "hosts", s->hosts, s->host_count, struct kmln_set_host, text(o, "address"),
		texts(o, "names"));
	ITEMS(root, "users", s->users, s->user_count, struct kmln_set_user, text(o, "name"),
		text(o, "password"), text(o, "hash"), text(o, "home"),
		json_object_get(o, "uid") != NULL, number(o, "uid"));
	ITEMS(root, "groups", s->groups, s->group_count, struct kmln_set_group, text(o, "name"),
		texts(o, "members"));
	ITEMS(root, "keys", s->keys, s->key_count, struct kmln_set_keys, text(o, "user"),
		text(o, "text"));
	ITEMS(root, "interfaces", s->interfaces, s->interface_count, struct kmln_set_interface,
		text(o, "name"), text(o, "mac"), yes(o, "dhcp"), texts(o, "addresses"),
		text(o, "gateway4"), text(o, "gateway6"), yes(o, "manual"), yes(o, "optional"));
	ITEMS(root, "files", s->files, s->file_count, struct kmln_set_file, text(o, "path"),
		kmln_pool_memdup(pool, json_string_value(json_object_get(o, "data")),
			json_string_length(json_object_get(o, "data"))),
		json_string_length(json_object_get(o, "data")), number(o, "mode"), number(o, "uid"),
		number(o, "gid"), NULL);
	ITEMS(root, "mounts", s->mounts, s->mount_count, struct kmln_set_mount, text(o, "device"),
		text(o, "point"), text(o, "type"), text(o, "options"));
}

/* ---- */

static int open_guest(const char *path, struct kmln_disk *disk, struct kmln_facts **facts,
	struct kmln_tree **tree, struct kmln_error *err)
{
	struct stat st;
	int r;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		folder = path;
		r = open_folder(tree, err);
		if (r == 0)
			r = kmln_inspect_folder(*tree, facts, err);
		if (r == 0 && !(*facts)->root)
			r = kmln_fail(err, KMLN_EINVALID, "%s", (*facts)->root_problem);
		return r < 0 ? r : kmln_inspect_guest(*tree, *facts, err);
	}
	r = kmln_disk_open(path, KMLN_DISK_WRITE, disk, err);
	if (r == 0)
		r = kmln_inspect(disk, facts, err);
	if (r == 0 && !(*facts)->root)
		r = kmln_fail(err, KMLN_EINVALID, "%s", (*facts)->root_problem);
	return r < 0 ? r : kmln_tree_ext(disk->device, &(*facts)->root->range, true, tree, err);
}

static int run(
	bool apply, const char *path, const struct kmln_settings *settings, struct kmln_error *err)
{
	const struct kmln_goal goal = {0};
	KMLN_DISK struct kmln_disk disk = {.fd = -1};
	KMLN_FACTS struct kmln_facts *facts = NULL;
	KMLN_TREE struct kmln_tree *tree = NULL;
	KMLN_EDITS struct kmln_edits edits = {0};
	KMLN_BUF struct kmln_buf out = {0};
	struct kmln_planning planning = {
		.platform = kmln_platform_find("uml"), .goal = &goal, .edits = &edits};
	int r = open_guest(path, &disk, &facts, &tree, err);

	if (r < 0)
		return r;
	planning.facts = facts;
	kmln_edits_init(&edits, facts->pool);
	kmln_settings_inspect(tree, facts, settings);
	r = kmln_plan_settings(&planning, settings, err);
	if (r < 0)
		return r;
	kmln_edits_print(&edits, true, &out);
	fputs(out.data ? out.data : "", stdout);
	if (apply)
		r = kmln_apply_tree(&edits, tree, NULL, err);
	return r < 0 ? r : kmln_tree_close(&tree, err);
}

int main(int argc, char **argv)
{
	struct kmln_settings settings;
	json_t *root = json_loadf(stdin, JSON_ALLOW_NUL, NULL);
	struct kmln_error err = {0};
	int r;

	if (argc != 3 || !root)
		return 2;
	pool = kmln_pool_new();
	read_settings(root, &settings);
	r = run(strcmp(argv[1], "apply") == 0, argv[2], &settings, &err);
	if (r < 0)
		fprintf(stderr, "%s\n", err.text);
	json_decref(root);
	pool = kmln_pool_free(pool);
	return r < 0 ? kmln_exit_status(&err) : 0;
}
