// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The copy of a project's file and of what it includes, byte for byte, and the same resolved. What
 * is included from outside the file's folder has no place in the copy: such a project is read from
 * its resolved form again.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/output.h"
#include "cluster/build-parts.h"
#include "project/xml.h"

/* The file as people know it, below the folder of the project's file; NULL: it is not below it. */
static const char *below(const struct kmln_syntax *syntax, size_t i)
{
	const char *first = syntax->sources[0]->name, *name = syntax->sources[i]->name;
	const char *slash = strrchr(first, '/');
	size_t prefix = slash ? (size_t)(slash - first) + 1 : 0;

	if (i == 0)
		return name[0] == '<' ? "project.kmln" : first + prefix;
	if (name[0] == '/' && first[0] != '/')
		return NULL;
	if (strncmp(first, name, prefix) != 0 || name[prefix] == '/')
		return NULL;
	return name + prefix;
}

/* True where the path, taken word by word, never leaves its folder. */
static bool stays_below(const char *path)
{
	int depth = 0;

	while (path && depth >= 0) {
		size_t n = strcspn(path, "/");

		if (n == 2 && path[0] == '.' && path[1] == '.')
			depth--;
		else if (n && !(n == 1 && path[0] == '.'))
			depth++;
		path = path[n] ? path + n + 1 : NULL;
	}
	return depth >= 0;
}

static bool is_complete(const struct kmln_syntax *syntax)
{
	for (size_t i = 0; i < syntax->source_count; i++) {
		const char *name = below(syntax, i);

		if (!name || !stays_below(name))
			return false;
	}
	return true;
}

static const char *copy_path(const struct kmln_store *store, const char *name)
{
	return kmln_pool_printf(store->pool, "%s/project/%s", store->folder, name);
}

static bool is_same(const char *path, const char *text, size_t size)
{
	KMLN_BUF struct kmln_buf there = {0};
	struct kmln_error err;

	return kmln_read_file(path, size, &there, &err) == 0 && there.size == size &&
	       (size == 0 || memcmp(there.data, text, size) == 0);
}

int kmln_copy_differs(const struct kmln_cluster *cluster, const struct kmln_store *store)
{
	const struct kmln_syntax *syntax = cluster->model->syntax;

	if (!kmln_store_exists(store))
		return 1;
	for (size_t i = 0; i < syntax->source_count; i++) {
		const struct kmln_source *source = syntax->sources[i];
		const char *name = below(syntax, i);

		/* a project that is read from its resolved form is its own copy */
		if (i == 0 && kmln_eq(source->name, kmln_pool_printf(store->pool, "%s/resolved.xml",
							    store->folder)))
			return 0;
		if (name && !is_same(copy_path(store, name), source->text, source->size))
			return 1;
	}
	return 0;
}

int kmln_write_text(
	const char *path, const char *text, size_t size, unsigned mode, struct kmln_error *err)
{
	KMLN_OUTPUT struct kmln_output output = {.fd = -1};
	struct stat st;
	int r;

	if (stat(path, &st) == 0 && (st.st_mode & 07777) == mode && is_same(path, text, size))
		return 0;
	r = kmln_output_open(path, true, &output, err);
	if (r == 0 && fchmod(output.fd, mode) < 0)
		r = kmln_fail_sys(err, errno, "%s", path);
	if (r == 0)
		r = kmln_write_all(output.fd, text, size, err);
	if (r == 0)
		r = kmln_output_name(&output, access(path, F_OK) == 0, err);
	return r < 0 ? kmln_wrap(err, "%s", path) : 0;
}

static int write_source(const struct kmln_store *store, const struct kmln_source *source,
	const char *name, struct kmln_error *err)
{
	const char *path = copy_path(store, name);
	char *folder = kmln_pool_strdup(store->pool, path);
	int r;

	*strrchr(folder, '/') = '\0';
	r = kmln_make_folders(folder, err);
	return r < 0 ? r : kmln_write_text(path, source->text, source->size, 0600, err);
}

/* Where relative paths begin, for whoever reads the copy from elsewhere. */
static int write_origin(const struct kmln_store *store, const char *folder, const char *source,
	const char *file, struct kmln_error *err)
{
	KMLN_FREE char *real = realpath(folder && *folder ? folder : ".", NULL);
	struct kmln_origin origin = {.file = file, .source = source};

	if (!real)
		return kmln_fail_sys(err, errno, "%s", folder);
	origin.folder = kmln_pool_printf(store->pool, "%s%s", real, kmln_eq(real, "/") ? "" : "/");
	return kmln_origin_write(store, &origin, err);
}

static int write_resolved(
	const struct kmln_cluster *cluster, const struct kmln_store *store, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_BUF struct kmln_buf xml = {0};
	int r = kmln_xml_print(&xml, kmln_model_syntax(cluster->model, pool), err);

	return r < 0 ? r
		     : kmln_write_text(
			       kmln_pool_printf(store->pool, "%s/resolved.xml", store->folder),
			       xml.data, xml.size, 0600, err);
}

int kmln_copy_write(const struct kmln_cluster *cluster, const struct kmln_store *store,
	const char *folder, struct kmln_error *err)
{
	const struct kmln_syntax *syntax = cluster->model->syntax;
	const bool complete = is_complete(syntax);
	int r = write_resolved(cluster, store, err);

	/* what is read from our own folder is the copy */
	if (r == 0 && kmln_starts(syntax->sources[0]->name, store->folder) &&
		syntax->sources[0]->name[strlen(store->folder)] == '/')
		return 0;
	for (size_t i = 0; r == 0 && i < syntax->source_count; i++) {
		const char *name = below(syntax, i);

		if (name && stays_below(name))
			r = write_source(store, syntax->sources[i], name, err);
	}
	if (r < 0)
		return r;
	return write_origin(store, folder, below(syntax, 0),
		complete ? kmln_pool_printf(store->pool, "project/%s", below(syntax, 0))
			 : "resolved.xml",
		err);
}
