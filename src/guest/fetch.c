// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host's apt runs with folders of its own: sources and keyrings are the guest's, checked and
 * renamed; state and cache are a private folder; proxies are the host's. It installs nothing.
 */
#include "guest/fetch.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/child.h"
#include "base/file.h"
#include "base/log.h"
#include "guest/kit.h"

#define KEYRING_MAX (1u << 20)

struct fetch {
	struct kmln_tree *tree;
	struct kmln_pool *pool;
	const char *folder;
	struct kmln_buf sources;
	struct kmln_buf identity; /* sources and keys themselves */
	unsigned keys;
	struct kmln_strv options; /* for apt */
};

/* The guest's keyring as a file of ours; NULL where it has none of that name. */
static const char *copy_key(struct fetch *fetch, const char *path, const char *to)
{
	KMLN_BUF struct kmln_buf key = {0};
	struct kmln_error ignored;
	const char *copy;

	if (kmln_tree_load(fetch->tree, path, KEYRING_MAX, &key, &ignored) < 0)
		return NULL;
	kmln_buf_add(&fetch->identity, key.data, key.size);
	/* apt tells the two forms apart by the file's ending */
	copy = kmln_pool_printf(fetch->pool, "%s/%s/key%u.%s", fetch->folder, to, fetch->keys++,
		key.data && strstr(key.data, "BEGIN PGP") ? "asc" : "gpg");
	return kmln_replace_file(copy, key.data, key.size, 0644, &ignored) < 0 ? NULL : copy;
}

static void add_source(void *data, const char *uri, const char *suite, const char *components,
	const char *signed_by)
{
	struct fetch *fetch = data;
	const char *key = signed_by ? copy_key(fetch, signed_by, "keys") : NULL;

	if (signed_by && !key)
		return;
	kmln_buf_printf(&fetch->identity, "\ndeb %s %s %s\n", uri, suite, components);
	kmln_buf_printf(&fetch->sources, "deb [arch=amd64%s%s] %s %s %s\n",
		key ? " signed-by=" : "", key ? key : "", uri, suite, components);
}

static void read_sources(struct fetch *fetch, const char *path)
{
	KMLN_BUF struct kmln_buf text = {0};
	struct kmln_error ignored;

	if (kmln_tree_load(fetch->tree, path, KMLN_KNOWN_MAX, &text, &ignored) == 0 && text.data)
		kmln_fetch_sources(
			text.data, kmln_ends(path, ".sources"), fetch->pool, add_source, fetch);
}

static void each_in(struct fetch *fetch, const char *folder, bool keys)
{
	KMLN_STRV struct kmln_strv names = {0};
	struct kmln_error ignored;

	if (kmln_tree_names(fetch->tree, folder, &names, &ignored) < 0)
		return;
	for (size_t i = 0; i < names.count && i < 100; i++) {
		KMLN_FREE char *path = kmln_printf("%s/%s", folder, names.items[i]);

		if (keys)
			copy_key(fetch, path, "trusted");
		else if (kmln_ends(path, ".list") || kmln_ends(path, ".sources"))
			read_sources(fetch, path);
	}
}

static int prepare(struct fetch *fetch, struct kmln_error *err)
{
	static const char *const folders[] = {
		"keys", "trusted", "state/lists/partial", "cache/archives/partial"};
	static const char *const settings[] = {"Dir::Etc::sourcelist=%s/sources.list",
		"Dir::Etc::sourceparts=%s/none", "Dir::Etc::trusted=%s/none",
		"Dir::Etc::trustedparts=%s/trusted", "Dir::State=%s/state",
		"Dir::State::status=%s/status", "Dir::Cache=%s/cache"};
	int r = 0;

	for (size_t i = 0; r == 0 && i < KMLN_COUNT(folders); i++) {
		KMLN_FREE char *path = kmln_printf("%s/%s", fetch->folder, folders[i]);

		r = kmln_make_folders(path, err);
	}
	if (r < 0)
		return r;
	for (size_t i = 0; i < KMLN_COUNT(settings); i++) {
		const char *at = strstr(settings[i], "%s");

		kmln_strv_add(&fetch->options, "-o");
		kmln_strv_printf(&fetch->options, "%.*s%s%s", (int)(at - settings[i]), settings[i],
			fetch->folder, at + 2);
	}
	kmln_strv_adds(&fetch->options, "-o", "APT::Architecture=amd64", "-o",
		"APT::Architectures::=amd64", "-o", "Acquire::Languages=none", "-o",
		"APT::Sandbox::User=root", "-o", "APT::Get::List-Cleanup=false", "-q", NULL);
	each_in(fetch, "/etc/apt/trusted.gpg.d", true);
	read_sources(fetch, "/etc/apt/sources.list");
	each_in(fetch, "/etc/apt/sources.list.d", false);
	if (!fetch->sources.size)
		return kmln_fail(err, KMLN_ELACK,
			"the guest names no package archive that can be reached by http or https");
	return 0;
}

static int write_text(
	struct fetch *fetch, const char *name, const char *text, struct kmln_error *err)
{
	KMLN_FREE char *path = kmln_printf("%s/%s", fetch->folder, name);

	return kmln_replace_file(path, text, strlen(text), 0644, err);
}

/* Runs "apt-XXX options WORD PACKAGE" in the private folder. */
static int apt(struct fetch *fetch, const char *program, const char *word, const char *package,
	struct kmln_buf *out, struct kmln_error *err)
{
	KMLN_STRV struct kmln_strv argv = {0};
	struct kmln_child child = {.package = "apt", .folder = fetch->folder};

	kmln_strv_add(&argv, program);
	for (size_t i = 0; i < fetch->options.count; i++)
		kmln_strv_add(&argv, fetch->options.items[i]);
	kmln_strv_add(&argv, word);
	if (package)
		kmln_strv_add(&argv, package);
	child.argv = (const char *const *)argv.items;
	return kmln_child_must(&child, out, err);
}

/* The package with the kernel itself, on which the one with the lasting name depends. */
static int find_package(
	struct fetch *fetch, const char *meta, const char **package, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf out = {0};
	int r = apt(fetch, "apt-cache", "depends", meta, &out, err);
	char *rest = out.data;

	if (r < 0)
		return r;
	for (char *line; (line = strsep(&rest, "\n"));) {
		char *name = strstr(line, "Depends: linux-image-");

		if (!name)
			continue;
		name += strlen("Depends: ");
		if (kmln_release_valid(name)) {
			*package = kmln_pool_strdup(fetch->pool, name);
			return 0;
		}
	}
	return kmln_fail(err, KMLN_ELACK, "%s depends on no kernel", meta);
}

static int fetch_deb(
	struct fetch *fetch, const char *meta, const char **deb, struct kmln_error *err)
{
	KMLN_TREE struct kmln_tree *folder = NULL;
	KMLN_STRV struct kmln_strv names = {0};
	const char *package = NULL;
	int r = apt(fetch, "apt-get", "update", NULL, NULL, err);

	if (r == 0)
		r = find_package(fetch, meta, &package, err);
	if (r == 0) {
		kmln_note("fetching %s", package);
		r = apt(fetch, "apt-get", "download", package, NULL, err);
	}
	if (r == 0)
		r = kmln_tree_folder(fetch->folder, &folder, err);
	if (r == 0)
		r = kmln_tree_names(folder, "/", &names, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < names.count; i++)
		if (kmln_ends(names.items[i], ".deb")) {
			*deb = kmln_pool_printf(
				fetch->pool, "%s/%s", fetch->folder, names.items[i]);
			return 0;
		}
	return kmln_fail(err, EIO, "apt-get fetched no package");
}

static void fetch_fini(struct fetch *fetch)
{
	kmln_buf_fini(&fetch->sources);
	kmln_buf_fini(&fetch->identity);
	kmln_strv_fini(&fetch->options);
}

static int fetch_into(struct fetch *fetch, const struct kmln_facts *facts, const char *kits,
	struct kmln_error *err)
{
	const char *meta =
		kmln_eq(facts->os_id, "ubuntu") ? "linux-image-virtual" : "linux-image-cloud-amd64";
	const char *deb = NULL, *release;
	int r = write_text(fetch, "sources.list", fetch->sources.data, err);

	kmln_note("no kernel is in the guest, the cache or the host: asking the guest's package "
		  "archives for %s",
		meta);
	if (r == 0)
		r = write_text(fetch, "status", "", err);
	if (r == 0)
		r = fetch_deb(fetch, meta, &deb, err);
	return r < 0 ? r : kmln_kit_add(deb, kits, fetch->pool, &release, err);
}

/* The newest kit of the folder that suits; false where there is none. */
static bool find_kit(struct fetch *fetch, const char *kits, const struct kmln_platform *platform,
	const struct kmln_facts *facts, struct kmln_kit_entry *kit)
{
	struct kmln_kit_entry *entries = NULL;
	struct kmln_error ignored;
	size_t count = 0;

	if (kmln_kits_in(
		    fetch->pool, kits, "fetched", platform, facts, &entries, &count, &ignored) < 0)
		return false;
	for (size_t i = 0; i < count; i++)
		if (entries[i].suits) {
			*kit = entries[i];
			return true;
		}
	return false;
}

int kmln_fetch_kernel(struct kmln_tree *tree, const struct kmln_facts *facts,
	const struct kmln_platform *platform, struct kmln_pool *pool, struct kmln_kit_entry *kit,
	struct kmln_error *err)
{
	KMLN_PRIVATE struct kmln_private folder = {0};
	KMLN_CLEANUP(fetch_fini) struct fetch fetch = {.tree = tree, .pool = pool};
	const char *kits;
	int r;

	if (!kmln_eq(facts->package_manager, "dpkg"))
		return kmln_fail(err, KMLN_ELACK,
			"no kernel is in the guest, the cache or the host, and kmln fetches one for "
			"guests with dpkg only; give one by --kernel");
	r = kmln_private_open(&folder, err);
	if (r < 0)
		return r;
	fetch.folder = folder.path;
	r = prepare(&fetch, err);
	if (r == 0) {
		kits = kmln_pool_printf(pool, "%s/%.32s",
			kmln_folder(pool, KMLN_FOLDER_CACHE, "fetched"),
			kmln_sum(pool, fetch.identity.data, fetch.identity.size));
		if (find_kit(&fetch, kits, platform, facts, kit))
			return 0;
		r = fetch_into(&fetch, facts, kits, err);
		if (r == 0 && !find_kit(&fetch, kits, platform, facts, kit))
			r = kmln_fail(err, ENOENT, "the distribution's kernel lacks what %s needs",
				platform->name);
	}
	if (r < 0) {
		err->code = KMLN_ELACK;
		return kmln_wrap(err, "no kernel was to be had from the guest's package archives "
				      "(give one by --kernel)");
	}
	return 0;
}
