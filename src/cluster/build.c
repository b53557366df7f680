// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Comparing a cluster with its folder, and making that right. Everything that could forbid it is
 * asked first. Then the file's copy, so that whoever comes next knows what was wanted; then, host
 * by host, disks; what a host was built from is written when all of it is on the host's own disk.
 */
#include "cluster/build.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/build-parts.h"
#include "cluster/control.h"
#include "project/names.h"

static const char *const change_names[] = {
	[KMLN_CHANGE_NONE] = "none",
	[KMLN_CHANGE_NEW] = "new",
	[KMLN_CHANGE_SETTINGS] = "settings",
	[KMLN_CHANGE_START] = "start",
	[KMLN_CHANGE_IMAGE] = "image",
	[KMLN_CHANGE_GONE] = "gone",
};

const char *kmln_change_name(enum kmln_change change)
{
	return change_names[change];
}

void kmln_build_plan_fini(struct kmln_build_plan *plan)
{
	kmln_strv_fini(&plan->nodes);
}

bool kmln_build_plan_empty(const struct kmln_build_plan *plan)
{
	for (size_t i = 0; i < plan->host_count; i++)
		if (plan->hosts[i].change != KMLN_CHANGE_GONE)
			return false;
	return !plan->nodes.count && !plan->file_changed && !plan->details_changed;
}

/* ---- comparing ---- */

struct comparing {
	const struct kmln_cluster *cluster;
	const struct kmln_store *store;
	struct kmln_shared *shared;
	struct kmln_build_plan *plan;
	struct kmln_scripts scripts;
};

static void add_change(
	struct comparing *c, const char *host, enum kmln_change change, const char *why)
{
	struct kmln_host_change *added = kmln_pool_append(
		c->cluster->pool, &c->plan->hosts, &c->plan->host_count, sizeof(*added));

	*added = (struct kmln_host_change){kmln_pool_strdup(c->cluster->pool, host), change, why};
}

/* The script's text as it is; NULL where there is none. */
static const char *there(struct kmln_pool *pool, const char *path, struct kmln_buf *text)
{
	struct kmln_error err;

	(void)pool;
	return kmln_read_file(path, 16u << 20, text, &err) == 0 ? text->data ? text->data : ""
								: NULL;
}

/* How the script that starts a node differs; NULL: not at all. */
static const char *script_change(const struct comparing *c, const struct kmln_script *script)
{
	KMLN_BUF struct kmln_buf text = {0};
	const char *old = there(c->cluster->pool, script->path, &text);

	if (old && strcmp(old, script->text) == 0)
		return NULL;
	return old ? kmln_scripts_difference(c->cluster->pool, old, script->text)
		   : "its script is not there";
}

static const struct kmln_script *script_of(
	const struct comparing *c, const struct kmln_placed *placed)
{
	for (size_t i = 0; i < c->scripts.count; i++)
		if (c->scripts.items[i].placed == placed && c->scripts.items[i].starts)
			return &c->scripts.items[i];
	return NULL;
}

static bool details_differ(const struct kmln_placed *placed)
{
	const struct kmln_built *built = placed->built;

	return !kmln_eq(built->why, placed->why) ||
	       !kmln_eq(built->wish, kmln_wish_name(placed->host->wish)) ||
	       !kmln_eq(built->name, placed->host->root->text) ||
	       !kmln_eq(built->image, placed->base->path);
}

static int compare_host(
	struct comparing *c, const struct kmln_placed *placed, struct kmln_error *err)
{
	const struct kmln_built *built = placed->built;
	const char *name = placed->host->name.text, *sum, *why;
	int r;

	if (!built) {
		add_change(c, name, KMLN_CHANGE_NEW, "it is not built yet");
		return 0;
	}
	if (!kmln_eq(built->prepared, placed->base->prepared)) {
		add_change(c, name, KMLN_CHANGE_IMAGE,
			kmln_eq(built->image, placed->base->path)
				? "its image has changed"
				: kmln_pool_printf(c->cluster->pool, "image %s -> %s", built->image,
					  placed->base->path));
		return 0;
	}
	r = kmln_settings_sum(c->cluster, placed, c->shared, &sum, err);
	if (r < 0)
		return r;
	why = kmln_eq(sum, built->settings) ? kmln_disk_sizes(c->cluster, placed)
					    : "its guest gets other settings";
	if (why) {
		add_change(c, name, KMLN_CHANGE_SETTINGS, why);
		return 0;
	}
	why = script_change(c, script_of(c, placed));
	if (!kmln_eq(built->platform, placed->platform->name))
		why = kmln_pool_printf(c->cluster->pool, "%s -> %s: %s", built->platform,
			placed->platform->name, placed->why);
	if (why)
		add_change(c, name, KMLN_CHANGE_START, why);
	else if (details_differ(placed))
		c->plan->details_changed = true;
	return 0;
}

/* Folders of hosts that the file does not have; letters as they are, since folders have them so. */
static int find_gone(struct comparing *c, struct kmln_error *err)
{
	KMLN_STRV struct kmln_strv hosts = {0};
	struct kmln_names names = {.pool = c->cluster->pool};
	int r = kmln_store_hosts(c->store, &hosts, err);

	for (size_t i = 0; i < c->cluster->model->host_count; i++) {
		const char *name = c->cluster->hosts[i].host->name.text;

		kmln_names_add(&names, name, strlen(name), (void *)name);
	}
	for (size_t i = 0; r == 0 && i < hosts.count; i++)
		if (!kmln_names_find(&names, hosts.items[i], strlen(hosts.items[i])))
			add_change(c, hosts.items[i], KMLN_CHANGE_GONE,
				"the file has it no more; its disk stays");
	return r;
}

/* The node of a stale script: "start_switch-lan.sh"; NULL where it is a host's. */
static const char *stale_node(struct kmln_pool *pool, const char *name)
{
	const char *node = strchr(name, '_') + 1;

	if (!kmln_starts(name, "start_") || (node[0] >= '0' && node[0] <= '9'))
		return NULL;
	return kmln_pool_memdup(pool, node, strlen(node) - 3);
}

static int compare_scripts(struct comparing *c, struct kmln_error *err)
{
	KMLN_STRV struct kmln_strv stale = {0};
	int r = kmln_scripts_stale(c->store, &c->scripts, &stale, err);

	for (size_t i = 0; i < c->scripts.count; i++) {
		const struct kmln_script *script = &c->scripts.items[i];

		if (script->placed && script->starts)
			continue;
		if (!script_change(c, script))
			continue;
		if (script->starts)
			kmln_strv_add(&c->plan->nodes, script->node);
		else
			c->plan->details_changed = true;
	}
	for (size_t i = 0; r == 0 && i < stale.count; i++) {
		const char *node = stale_node(c->cluster->pool, stale.items[i]);

		if (node)
			kmln_strv_add(&c->plan->nodes, node);
		else
			c->plan->details_changed = true;
	}
	return r;
}

int kmln_build_compare(const struct kmln_cluster *cluster, const struct kmln_store *store,
	struct kmln_shared *shared, struct kmln_build_plan *plan, struct kmln_error *err)
{
	struct comparing c = {.cluster = cluster, .store = store, .shared = shared, .plan = plan};
	int r;

	*plan = (struct kmln_build_plan){.file_changed = kmln_copy_differs(cluster, store)};
	r = kmln_scripts_make(cluster, store, &c.scripts, err);
	for (size_t i = 0; r == 0 && i < cluster->model->host_count; i++)
		r = compare_host(&c, &cluster->hosts[i], err);
	if (r == 0)
		r = find_gone(&c, err);
	return r < 0 ? r : compare_scripts(&c, err);
}

/* ---- building ---- */

static int check_node(const struct kmln_store *store, const char *node, struct kmln_error *err)
{
	return kmln_node_keeper(kmln_store_node_folder(store, node))
		       ? kmln_fail(err, EBUSY,
				 "%s runs, and must be stopped for this: kmln up does it", node)
		       : 0;
}

static int check(const struct kmln_build_job *job, struct kmln_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < job->plan->host_count; i++) {
		const struct kmln_host_change *change = &job->plan->hosts[i];

		if (change->change == KMLN_CHANGE_IMAGE && !job->replace)
			return kmln_fail(err, EEXIST,
				"host %s: %s: its disk would be lost; --replace makes it anew",
				change->host, change->why);
		if (change->change != KMLN_CHANGE_GONE)
			r = check_node(job->store,
				kmln_store_node(job->store, KMLN_ROLE_HOST, change->host), err);
	}
	for (size_t i = 0; r == 0 && i < job->plan->nodes.count; i++)
		r = check_node(job->store, job->plan->nodes.items[i], err);
	return r;
}

/* What a killed build may have left beside a file that it replaced: NAME.PID-N. */
static bool is_leftover(const char *name, bool any)
{
	static const char *const ours[] = {
		".json.", ".sh.", ".xml.", ".qcow2.", "swap.", "resized."};
	const char *end = strrchr(name, '.');

	if (!end || !end[1] || end[1 + strspn(end + 1, "0123456789-")])
		return false;
	for (size_t i = 0; !any && i < KMLN_COUNT(ours); i++)
		any = strstr(name, ours[i]);
	return any;
}

/* `any`: of files of any name, which are written anew in any case. */
static void sweep(const char *folder, bool any)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (is_leftover(entry->d_name, any))
			unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
}

static const struct kmln_placed *placed_of(const struct kmln_cluster *cluster, const char *host)
{
	for (size_t i = 0; i < cluster->model->host_count; i++)
		if (kmln_eq(cluster->hosts[i].host->name.text, host))
			return &cluster->hosts[i];
	return NULL;
}

/* All that was written to this filesystem of the host's so far lasts. */
static int sync_all(const struct kmln_store *store, struct kmln_error *err)
{
	KMLN_FD int fd = kmln_open(store->folder, O_RDONLY | O_DIRECTORY, 0, err);

	if (fd < 0)
		return fd;
	return syncfs(fd) < 0 ? kmln_fail_sys(err, errno, "%s", store->folder) : 0;
}

static int make_host(const struct kmln_build_job *job, struct kmln_disks *disks,
	const struct kmln_host_change *change, struct kmln_error *err)
{
	const struct kmln_placed *placed = placed_of(job->cluster, change->host);
	const char *built = kmln_store_host(job->store, change->host, "built.json");
	int r;

	if (change->change == KMLN_CHANGE_START)
		return 0;
	r = kmln_make_folders(kmln_store_host(job->store, change->host, "transfer"), err);
	if (r < 0)
		return r;
	sweep(kmln_store_host(job->store, change->host, NULL), false);
	if (change->change == KMLN_CHANGE_SETTINGS)
		return kmln_disk_change(disks, placed, err);
	/* from here on it is not built, until it is again */
	if (unlink(built) < 0 && errno != ENOENT)
		return kmln_fail_sys(err, errno, "%s", built);
	r = kmln_known_forget(job->store, change->host, err);
	return r < 0 ? r : kmln_disk_make(disks, placed, err);
}

static int make_hosts(
	const struct kmln_build_job *job, struct kmln_disks *disks, struct kmln_error *err)
{
	size_t count = 0, done = 0;
	int r = 0;

	for (size_t i = 0; i < job->plan->host_count; i++)
		count += job->plan->hosts[i].change != KMLN_CHANGE_GONE;
	for (size_t i = 0; r == 0 && i < job->plan->host_count; i++) {
		const struct kmln_host_change *change = &job->plan->hosts[i];

		if (change->change == KMLN_CHANGE_GONE)
			continue;
		r = make_host(job, disks, change, err);
		if (r == 0 && job->progress)
			job->progress(job->data, ++done, count, change->host);
	}
	return r;
}

static int write_scripts(const struct kmln_build_job *job, struct kmln_error *err)
{
	KMLN_STRV struct kmln_strv stale = {0};
	struct kmln_scripts scripts;
	int r = kmln_scripts_make(job->cluster, job->store, &scripts, err);

	for (size_t i = 0; r == 0 && i < scripts.count; i++)
		r = kmln_write_text(scripts.items[i].path, scripts.items[i].text,
			strlen(scripts.items[i].text), 0700, err);
	if (r == 0)
		r = kmln_scripts_stale(job->store, &scripts, &stale, err);
	for (size_t i = 0; r == 0 && i < stale.count; i++)
		unlink(kmln_pool_printf(
			job->store->pool, "%s/%s", job->store->folder, stale.items[i]));
	return r;
}

static bool is_built(const struct kmln_store *store, const char *host)
{
	return access(kmln_store_host(store, host, "built.json"), F_OK) == 0;
}

/* Of hosts whose disks are as the file says; those that did not change may have other reasons now.
 */
static int write_built(const struct kmln_build_job *job, struct kmln_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < job->cluster->model->host_count; i++) {
		const struct kmln_placed *placed = &job->cluster->hosts[i];
		struct kmln_built built = {
			.platform = placed->platform->name,
			.why = placed->why,
			.wish = kmln_wish_name(placed->host->wish),
			.name = placed->host->root->text,
			.image = placed->base->path,
			.prepared = placed->base->prepared,
		};

		r = kmln_settings_sum(job->cluster, placed, job->shared, &built.settings, err);
		if (r < 0 || (placed->built && kmln_built_equal(&built, placed->built) &&
				     is_built(job->store, placed->host->name.text)))
			continue;
		sweep(kmln_store_host(job->store, placed->host->name.text, NULL), false);
		r = kmln_built_put(job->store, placed->host->name.text, &built, err);
	}
	return r;
}

int kmln_build(const struct kmln_build_job *job, struct kmln_error *err)
{
	KMLN_DISKS struct kmln_disks disks = {
		.cluster = job->cluster, .store = job->store, .shared = job->shared};
	int r = check(job, err);

	if (r < 0)
		return r;
	sweep(job->store->folder, false);
	sweep(kmln_pool_printf(job->store->pool, "%s/project", job->store->folder), true);
	r = kmln_copy_write(job->cluster, job->store, job->folder, err);
	if (r == 0)
		r = kmln_make_folders(
			kmln_pool_printf(job->store->pool, "%s/logs", job->store->folder), err);
	if (r == 0)
		r = write_scripts(job, err);
	if (r == 0)
		r = make_hosts(job, &disks, err);
	if (r == 0)
		r = sync_all(job->store, err);
	if (r == 0)
		r = write_built(job, err);
	return r < 0 ? r : sync_all(job->store, err);
}
