// SPDX-License-Identifier: GPL-2.0-or-later
/* Project files on the command line. */
#include "cli/project.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "platform/kernel-file.h"
#include "platform/platform.h"
#include "project/images.h"
#include "project/resolve.h"

void kmln_loaded_fini(struct kmln_loaded *loaded)
{
	loaded->pool = kmln_pool_free(loaded->pool);
}

/* The files of a folder that end so, by name. */
static void candidates(const char *folder, const char *suffix, struct kmln_strv *found)
{
	DIR *dir = opendir(*folder ? folder : ".");
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && kmln_ends(entry->d_name, suffix))
			kmln_strv_printf(found, "%s%s", folder, entry->d_name);
	if (dir)
		closedir(dir);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int kmln_project_find(struct kmln_pool *pool, const char *file, const char *argument,
	const char **path, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf folder = {0};
	KMLN_FREE char *here = getcwd(NULL, 0);
	size_t above = 0;

	if (file && argument)
		return kmln_fail(err, KMLN_EUSAGE, "two project files: %s and %s", file, argument);
	if (file || argument) {
		*path = file ? file : argument;
		return 0;
	}
	for (const char *p = here; p && (p = strchr(p, '/')) && p[1]; p++)
		above++;
	kmln_buf_add(&folder, "", 0);
	for (size_t i = 0; i <= above; i++) {
		KMLN_STRV struct kmln_strv found = {0};

		candidates(folder.data, ".kmln", &found);
		if (!found.count)
			candidates(folder.data, ".mln", &found);
		if (found.count > 1) {
			qsort(found.items, found.count, sizeof(*found.items), compare);
			return kmln_fail(err, KMLN_EUSAGE,
				"which project? there are %s and %s; -f FILE says it",
				found.items[0], found.items[1]);
		}
		if (found.count) {
			*path = kmln_pool_strdup(pool, found.items[0]);
			return 0;
		}
		kmln_buf_str(&folder, "../");
	}
	return kmln_fail(
		err, KMLN_EUSAGE, "no project file (*.kmln) here or above; -f FILE names one");
}

/* A host that was built of it stands on a copy, and needs it no more. */
static bool was_built_of(struct kmln_loaded *loaded, const char *image)
{
	KMLN_STRV struct kmln_strv hosts = {0};
	struct kmln_store store;
	struct kmln_built built;
	struct kmln_error err;

	if (kmln_store_init(&store, loaded->pool, loaded->model->project, &err) < 0 ||
		kmln_store_hosts(&store, &hosts, &err) < 0)
		return false;
	for (size_t i = 0; i < hosts.count; i++)
		if (kmln_built_read(&store, hosts.items[i], &built, &err) > 0 &&
			kmln_eq(built.name, image))
			return true;
	return false;
}

static bool has_image(void *data, const char *name, bool is_template)
{
	struct kmln_loaded *loaded = data;

	return kmln_image_find(loaded->pool, loaded->folder, name, is_template) ||
	       was_built_of(loaded, name);
}

static bool has_file(void *data, const char *name)
{
	const struct kmln_loaded *loaded = data;

	return access(kmln_pool_printf(
			      loaded->pool, "%s%s", name[0] == '/' ? "" : loaded->folder, name),
		       F_OK) == 0;
}

static const char *kernel_misfit(void *data, const char *name, const char *platform)
{
	const struct kmln_loaded *loaded = data;
	const char *path =
		kmln_pool_printf(loaded->pool, "%s%s", name[0] == '/' ? "" : loaded->folder, name);
	struct stat st;

	if (stat(path, &st) < 0)
		return strchr(name, '/') ? "is not there" : NULL; /* the name of a kit */
	return kmln_kernel_kind_misfit(kmln_kernel_kind(path), platform);
}

static bool has_platform(void *data, const char *name, const char **why)
{
	const struct kmln_platform *platform = kmln_platform_find(name);
	struct kmln_loaded *loaded = data;
	struct kmln_probe probe = {0};
	struct kmln_error err;

	if (!platform || platform->probe(loaded->pool, &probe, &err) < 0)
		return false;
	*why = probe.reason;
	return probe.usable;
}

/* loaded->path; its relative paths are from loaded->folder on. */
static int load(struct kmln_loaded *loaded, bool allow_include, bool here, struct kmln_error *err)
{
	const struct kmln_read_options options = {.allow_include = allow_include};
	const struct kmln_surroundings surroundings = {
		loaded, has_image, has_platform, has_file, kernel_misfit};
	int r;

	loaded->report.pool = loaded->pool;
	loaded->syntax = kmln_syntax_new(loaded->pool);
	r = kmln_project_read(loaded->path, &options, loaded->syntax, &loaded->report, err);
	if (r < 0)
		return r;
	loaded->model = kmln_project_resolve(loaded->pool, loaded->syntax, &loaded->report);
	if (here)
		kmln_project_check_here(loaded->model, &surroundings, &loaded->report);
	return 0;
}

int kmln_project_load(struct kmln_loaded *loaded, const char *file, const char *argument,
	bool allow_include, bool here, struct kmln_error *err)
{
	const char *slash;
	int r;

	loaded->pool = kmln_pool_new();
	r = kmln_project_find(loaded->pool, file, argument, &loaded->path, err);
	if (r < 0)
		return r;
	slash = strrchr(loaded->path, '/');
	loaded->folder = kmln_pool_memdup(
		loaded->pool, loaded->path, slash ? (size_t)(slash - loaded->path) + 1 : 0);
	return load(loaded, allow_include, here, err);
}

void kmln_project_complain(struct kmln_report *report)
{
	const char *plain = getenv("NO_COLOR");
	bool color = isatty(2) && !(plain && *plain);

	kmln_report_print(report, color, stderr);
}

int kmln_project_write(
	const char *path, const struct kmln_buf *text, mode_t mode, struct kmln_error *err)
{
	if (path && !kmln_eq(path, "-"))
		return kmln_replace_file(path, text->data, text->size, mode, err);
	if (fwrite(text->data, 1, text->size, stdout) != text->size || fflush(stdout) != 0)
		return kmln_fail_sys(err, errno, "standard output");
	return 0;
}

static int accept(struct kmln_loaded *loaded, struct kmln_error *err)
{
	kmln_project_complain(&loaded->report);
	return kmln_report_result(&loaded->report, loaded->syntax->sources[0]->name, err);
}

int kmln_project_load_valid(struct kmln_loaded *loaded, const char *file, const char *argument,
	bool allow_include, bool here, struct kmln_error *err)
{
	int r = kmln_project_load(loaded, file, argument, allow_include, here, err);

	return r < 0 ? r : accept(loaded, err);
}

int kmln_project_load_named(
	struct kmln_loaded *loaded, const char *file, bool allow_include, struct kmln_error *err)
{
	int r = kmln_project_load(loaded, file, NULL, allow_include, false, err);

	if (r == 0 && (!loaded->model || !*loaded->model->project))
		return kmln_fail(err, KMLN_EINVALID,
			"%s does not say the name of its project; -p PROJECT does", loaded->path);
	return r;
}

static int load_built(struct kmln_loaded *loaded, const char *project, struct kmln_error *err)
{
	struct kmln_origin origin;
	int r;

	loaded->pool = kmln_pool_new();
	r = kmln_store_init(&loaded->store, loaded->pool, project, err);
	if (r == 0)
		r = kmln_origin_read(&loaded->store, &origin, err);
	if (r == 0)
		return kmln_fail(err, KMLN_EUSAGE,
			"no project %s was built here; `kmln list` shows those that were", project);
	if (r < 0)
		return r;
	loaded->path = origin.file;
	loaded->folder = origin.folder;
	r = load(loaded, false, false, err);
	return r < 0 ? r : accept(loaded, err);
}

static bool are_one(const char *a, const char *b)
{
	struct stat one, other;

	return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
	       one.st_ino == other.st_ino;
}

int kmln_project_own(
	const struct kmln_store *store, const struct kmln_loaded *loaded, struct kmln_error *err)
{
	const char *folder = *loaded->folder ? loaded->folder : ".";
	KMLN_FREE char *file = NULL;
	struct kmln_error ignored;
	struct kmln_origin origin;

	if (kmln_origin_read(store, &origin, &ignored) <= 0 || !origin.source ||
		are_one(folder, origin.folder))
		return 0;
	file = kmln_printf("%s%s", origin.folder, origin.source);
	/* a folder that was moved has taken it along; a link may lead to it */
	if (access(file, F_OK) < 0 || are_one(file, loaded->path))
		return 0;
	return kmln_fail(err, KMLN_EINVALID,
		"project %s was built from %s: call this one by another name "
		"(global { project NAME }), or end that one first (kmln remove -p %s)",
		store->project, file, store->project);
}

int kmln_project_choose(struct kmln_loaded *loaded, const char *file, const char *project,
	const char *argument, bool allow_include, struct kmln_error *err)
{
	int r;

	if (project && (file || argument))
		return kmln_fail(err, KMLN_EUSAGE,
			"-p %s names a project, and %s its file: one of them", project,
			file ? file : argument);
	if (project)
		return load_built(loaded, project, err);
	r = kmln_project_load_valid(loaded, file, argument, allow_include, true, err);
	if (r < 0)
		return r;
	r = kmln_store_init(&loaded->store, loaded->pool, loaded->model->project, err);
	return r < 0 ? r : kmln_project_own(&loaded->store, loaded, err);
}
