// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packages of kits. A kit made from a .deb has "packages/kernel" with the package's control files
 * and the list of its paths; its files are the kit's own. Other packages lie whole in
 * "packages/deb".
 */
#include "guest/packages.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/md5.h"
#include "plan/edits.h"

#define DEB_MAX (32u << 20)
#define CONTROL_MAX (4u << 20)
#define KERNEL KMLN_KIT_PACKAGES "/kernel"
#define LIST "list"

char *kmln_control_field(struct kmln_pool *pool, const char *control, const char *name)
{
	KMLN_BUF struct kmln_buf value = {0};
	size_t length = strlen(name);
	bool in_it = false;

	for (const char *line = control; *line;) {
		size_t end = strcspn(line, "\n");

		if (*line != ' ' && *line != '\t')
			in_it = strncasecmp(line, name, length) == 0 && line[length] == ':';
		if (in_it) {
			size_t skip = *line == ' ' || *line == '\t' ? 0 : length + 1;

			skip += strspn(line + skip, " \t");
			if (value.size)
				kmln_buf_str(&value, " ");
			kmln_buf_add(&value, line + skip, skip < end ? end - skip : 0);
		}
		line += end + (line[end] == '\n');
	}
	return kmln_pool_strdup(pool, value.data ? value.data : "");
}

const struct kmln_deb_file *kmln_pkg_member(const struct kmln_pkg *pkg, const char *name)
{
	for (size_t i = 0; i < pkg->member_count; i++)
		if (kmln_eq(pkg->members[i].path, name))
			return &pkg->members[i];
	return NULL;
}

const struct kmln_pkg *kmln_pkgs_find(const struct kmln_pkgs *pkgs, const char *name)
{
	for (size_t i = 0; i < pkgs->count; i++)
		if (kmln_eq(pkgs->items[i].name, name))
			return &pkgs->items[i];
	return NULL;
}

/* The fields that everything else stands on; the name becomes part of a path in the guest. */
int kmln_pkg_fill(struct kmln_pkg *pkg, struct kmln_pool *pool, struct kmln_error *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789+.-";
	const char *same = kmln_control_field(pool, pkg->control, "Multi-Arch");

	pkg->name = kmln_control_field(pool, pkg->control, "Package");
	pkg->version = kmln_control_field(pool, pkg->control, "Version");
	pkg->architecture = kmln_control_field(pool, pkg->control, "Architecture");
	pkg->per_architecture = kmln_eq(same, "same");
	if (!isalnum((unsigned char)*pkg->name) || pkg->name[strspn(pkg->name, letters)] ||
		strlen(pkg->name) > 200 || !*pkg->version || !*pkg->architecture ||
		pkg->architecture[strspn(pkg->architecture, letters)])
		return kmln_fail(err, KMLN_EINVALID, "its control file names no package");
	return 0;
}

/* Takes "control" out of the members. */
static int take_control(struct kmln_pkg *pkg, struct kmln_pool *pool, struct kmln_error *err)
{
	const struct kmln_deb_file *control = kmln_pkg_member(pkg, "control");
	size_t at = control ? (size_t)(control - pkg->members) : 0, length;

	if (!control)
		return kmln_fail(err, KMLN_EINVALID, "it has no control file");
	length = strlen(control->data);
	while (length && isspace((unsigned char)control->data[length - 1]))
		length--;
	pkg->control = kmln_pool_printf(pool, "%.*s\n", (int)length, control->data);
	/* an empty line would end the paragraph in dpkg's database */
	if (strstr(pkg->control, "\n\n") || strlen(pkg->control) > CONTROL_MAX)
		return kmln_fail(err, KMLN_EINVALID, "its control file is no paragraph");
	memmove(pkg->members + at, pkg->members + at + 1,
		(pkg->member_count - at - 1) * sizeof(*pkg->members));
	pkg->member_count--;
	return kmln_pkg_fill(pkg, pool, err);
}

void kmln_pkg_add_member(struct kmln_pkg *pkg, struct kmln_pool *pool, const char *name,
	uint32_t mode, const char *data, size_t size)
{
	*(struct kmln_deb_file *)kmln_pool_append(pool, &pkg->members, &pkg->member_count,
		sizeof(struct kmln_deb_file)) = (struct kmln_deb_file){
		.path = name,
		.mode = S_IFREG | mode,
		.mtime = KMLN_MTIME_NOW,
		.size = size,
		.data = data,
	};
}

static bool is_conffile(const struct kmln_pkg *pkg, const char *path)
{
	const struct kmln_deb_file *list = kmln_pkg_member(pkg, "conffiles");
	KMLN_FREE char *line = kmln_printf("\n%s\n", path);
	KMLN_FREE char *lines = kmln_printf("\n%s\n", list ? list->data : "");

	return strstr(lines, line);
}

void kmln_pkg_add_sums(struct kmln_pkg *pkg, struct kmln_pool *pool)
{
	KMLN_BUF struct kmln_buf sums = {0};

	if (kmln_pkg_member(pkg, "md5sums"))
		return;
	for (size_t i = 0; i < pkg->file_count; i++) {
		const struct kmln_deb_file *f = &pkg->files[i];
		char sum[KMLN_MD5_TEXT];

		if (!S_ISREG(f->mode) || !f->data || is_conffile(pkg, f->path))
			continue;
		kmln_md5(f->data, f->size, sum);
		kmln_buf_printf(&sums, "%s  %s\n", sum, f->path + 1);
	}
	kmln_pkg_add_member(pkg, pool, "md5sums", 0644,
		kmln_pool_memdup(pool, sums.data ? sums.data : "", sums.size), sums.size);
}

static struct kmln_pkg *add(struct kmln_pkgs *pkgs, struct kmln_pool *pool)
{
	return kmln_pool_append(pool, &pkgs->items, &pkgs->count, sizeof(struct kmln_pkg));
}

int kmln_pkgs_add_deb(
	struct kmln_pkgs *pkgs, const char *path, struct kmln_pool *pool, struct kmln_error *err)
{
	struct kmln_deb_content content;
	struct kmln_pkg pkg;
	int r = kmln_deb_load(path, false, DEB_MAX, pool, &content, err);

	if (r < 0)
		return r;
	pkg = (struct kmln_pkg){
		.members = content.control,
		.member_count = content.control_count,
		.files = content.files,
		.file_count = content.file_count,
	};
	r = take_control(&pkg, pool, err);
	if (r < 0)
		return kmln_wrap(err, "%s", path);
	kmln_pkg_add_sums(&pkg, pool);
	*add(pkgs, pool) = pkg;
	return 0;
}

void kmln_pkgs_add_folder(struct kmln_pkgs *pkgs, const char *folder, struct kmln_pool *pool)
{
	KMLN_TREE struct kmln_tree *tree = NULL;
	KMLN_STRV struct kmln_strv names = {0};
	struct kmln_error err;

	if (kmln_tree_folder(folder, &tree, &err) < 0 ||
		kmln_tree_names(tree, "/", &names, &err) < 0)
		return;
	for (size_t i = 0; i < names.count && i < 200; i++) {
		KMLN_FREE char *path = kmln_printf("%s/%s", folder, names.items[i]);

		if (kmln_ends(path, ".deb") && kmln_pkgs_add_deb(pkgs, path, pool, &err) < 0)
			kmln_debug("%s", err.text);
	}
}

/* ---- the kernel's own package ---- */

/* Names in a folder of control files; a kit of the user's own cache is trusted to be one. */
static int keep_member(const char *folder, const struct kmln_deb_file *file, struct kmln_error *err)
{
	KMLN_FREE char *path = kmln_printf("%s/%s", folder, file->path);

	return kmln_replace_file(path, file->data, file->size, file->mode & 0777, err);
}

int kmln_kit_keep_kernel(
	const char *stage, const char *deb, const struct kmln_buf *list, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_FREE char *folder = kmln_printf("%s" KERNEL "/control", stage);
	KMLN_FREE char *path = kmln_printf("%s" KERNEL "/" LIST, stage);
	struct kmln_deb_content content;
	int r = kmln_deb_load(deb, true, CONTROL_MAX, pool, &content, err);

	if (r == 0)
		r = kmln_make_folders(folder, err);
	for (size_t i = 0; r == 0 && i < content.control_count; i++)
		r = keep_member(folder, &content.control[i], err);
	return r < 0 ? r : kmln_replace_file(path, list->data, list->size, 0644, err);
}

static int load_members(struct kmln_pkg *pkg, struct kmln_tree *tree, struct kmln_pool *pool,
	struct kmln_error *err)
{
	KMLN_STRV struct kmln_strv names = {0};
	int r = kmln_tree_names(tree, KERNEL "/control", &names, err);

	for (size_t i = 0; r == 0 && i < names.count; i++) {
		KMLN_FREE char *path = kmln_printf(KERNEL "/control/%s", names.items[i]);
		KMLN_BUF struct kmln_buf data = {0};
		struct kmln_stat st;

		r = kmln_tree_stat(tree, path, &st, err);
		if (r == 0)
			r = kmln_tree_load(tree, path, CONTROL_MAX, &data, err);
		if (r < 0)
			return r;
		*(struct kmln_deb_file *)kmln_pool_append(pool, &pkg->members, &pkg->member_count,
			sizeof(struct kmln_deb_file)) = (struct kmln_deb_file){
			.path = kmln_pool_strdup(pool, names.items[i]),
			.mode = st.mode,
			.mtime = st.mtime,
			.size = data.size,
			.data = kmln_pool_memdup(pool, data.data ? data.data : "", data.size),
		};
	}
	return r;
}

/* The paths of the list, as they lie in the kit. */
static int load_files(struct kmln_pkg *pkg, struct kmln_tree *tree, struct kmln_pool *pool,
	struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf list = {0};
	int r = kmln_tree_load(tree, KERNEL "/" LIST, CONTROL_MAX, &list, err);
	char *rest = r < 0 ? NULL : kmln_pool_strdup(pool, list.data);

	for (char *line; r == 0 && (line = strsep(&rest, "\n"));) {
		const char *path = kmln_eq(line, "/.") ? "/" : line;
		KMLN_BUF struct kmln_buf real = {0};
		struct kmln_stat st;

		if (!*line)
			continue;
		if (path[0] != '/' || strstr(path, "/../") || kmln_ends(path, "/.."))
			return kmln_fail(err, KMLN_EINVALID, "the path '%s'", path);
		r = kmln_tree_resolve(tree, path, &real, err);
		if (r == 0)
			r = kmln_tree_stat(tree, real.data, &st, err);
		if (r < 0)
			return r;
		*(struct kmln_deb_file *)kmln_pool_append(pool, &pkg->files, &pkg->file_count,
			sizeof(struct kmln_deb_file)) = (struct kmln_deb_file){
			.path = path,
			.mode = st.mode,
			.mtime = st.mtime,
			.size = S_ISREG(st.mode) ? st.size : 0,
		};
	}
	return r;
}

int kmln_pkgs_add_kit(struct kmln_pkgs *pkgs, const struct kmln_kit *kit, struct kmln_pool *pool,
	struct kmln_error *err)
{
	struct kmln_pkg pkg = {.release = kmln_pool_strdup(pool, kit->kernel->release)};
	struct kmln_error missing;
	struct kmln_stat st;
	int r;

	/* the host's folder is "/", and a folder of that name there is not ours */
	if (kmln_eq(kit->origin, "host"))
		return 0;
	kmln_pkgs_add_folder(
		pkgs, kmln_pool_printf(pool, "%s" KMLN_KIT_PACKAGES "/deb", kit->folder), pool);
	if (kmln_tree_stat(kit->tree, KERNEL "/" LIST, &st, &missing) < 0)
		return 0;
	r = load_members(&pkg, kit->tree, pool, err);
	if (r == 0)
		r = take_control(&pkg, pool, err);
	if (r == 0)
		r = load_files(&pkg, kit->tree, pool, err);
	if (r == 0)
		*add(pkgs, pool) = pkg;
	return r < 0 ? kmln_wrap(err, "%s", kit->folder) : 0;
}
