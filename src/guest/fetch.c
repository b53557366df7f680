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
#include "guest/dpkg.h"
#include "guest/kit.h"
#include "base/sum.h"

#define KEYRING_MAX (1u << 20)
#define STATUS_MAX (64u << 20)
#define ARCHIVES "cache/archives"

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

/*
 * The guest's own list of what is installed, with kmln's packages at its end, so that apt chooses
 * what this guest lacks. It is only read.
 */
static int write_status(struct fetch *fetch, const struct kmln_facts *facts, struct kmln_error *err)
{
	const struct kmln_text_end *end = kmln_facts_text_end(facts, "/var/lib/dpkg/status");
	struct kmln_pkgs own = {0};
	KMLN_BUF struct kmln_buf text = {0};
	int r;

	if (!end || !end->there)
		return kmln_fail(err, KMLN_ELACK, "the guest has no dpkg status");
	r = kmln_tree_load(fetch->tree, end->real, STATUS_MAX, &text, err);
	kmln_buf_str(&text, "\n\n");
	kmln_pkgs_add_own(&own, fetch->pool);
	for (size_t i = 0; i < own.count; i++)
		if (!kmln_facts_package(facts, own.items[i].name))
			kmln_dpkg_paragraph(&own.items[i], &text);
	return r < 0 ? r : write_text(fetch, "status", text.data, err);
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

/* The packages in a folder below the private one, by their paths; NULL-ended. */
static const char **list_debs(struct fetch *fetch, const char *below)
{
	const char *path = kmln_pool_printf(fetch->pool, "%s/%s", fetch->folder, below);
	KMLN_TREE struct kmln_tree *folder = NULL;
	KMLN_STRV struct kmln_strv names = {0};
	struct kmln_error ignored;
	const char **debs = NULL;
	size_t count = 0;

	if (kmln_tree_folder(path, &folder, &ignored) == 0 &&
		kmln_tree_names(folder, "/", &names, &ignored) == 0)
		for (size_t i = 0; i < names.count; i++)
			if (kmln_ends(names.items[i], ".deb"))
				*(const char **)kmln_pool_append(fetch->pool, &debs, &count,
					sizeof(*debs)) = kmln_pool_printf(fetch->pool, "%s/%s",
					path, names.items[i]);
	kmln_pool_append(fetch->pool, &debs, &count, sizeof(*debs));
	return debs;
}

/* Downloads packages with all that the guest lacks for them; apt removes nothing for it. */
static int download(struct fetch *fetch, const struct kmln_facts *facts, const char *const *names,
	struct kmln_error *err)
{
	KMLN_STRV struct kmln_strv argv = {0};
	struct kmln_child child = {.package = "apt", .folder = fetch->folder};
	int r = write_status(fetch, facts, err);

	kmln_strv_add(&argv, "apt-get");
	for (size_t i = 0; i < fetch->options.count; i++)
		kmln_strv_add(&argv, fetch->options.items[i]);
	kmln_strv_adds(&argv, "--download-only", "--yes", "--no-remove", "--no-install-recommends",
		"-o", "Debug::NoLocking=1", "install", "--", NULL);
	for (; *names; names++)
		kmln_strv_add(&argv, *names);
	child.argv = (const char *const *)argv.items;
	return r < 0 ? r : kmln_child_must(&child, NULL, err);
}

/* Puts the kernel's package first; `with` are the others. False where it is not there. */
static bool find_kernel(const char **debs, const char *package, const char **deb)
{
	KMLN_FREE char *start = kmln_printf("/%s_", package);

	for (size_t i = 0; debs[i]; i++)
		if (strstr(debs[i], start)) {
			*deb = debs[i];
			for (; debs[i]; i++)
				debs[i] = debs[i + 1];
			return true;
		}
	return false;
}

/* The kernel's package, and those that this guest lacks for it, where apt finds a way. */
static int fetch_debs(struct fetch *fetch, const struct kmln_facts *facts, const char *meta,
	const char **deb, const char ***with, struct kmln_error *err)
{
	const char *const names[] = {meta, NULL};
	const char *package = NULL;
	struct kmln_error failed;
	int r = apt(fetch, "apt-get", "update", NULL, NULL, err);

	if (r == 0)
		r = find_package(fetch, meta, &package, err);
	if (r < 0)
		return r;
	kmln_note("fetching %s", package);
	if (download(fetch, facts, names, &failed) == 0) {
		*with = list_debs(fetch, ARCHIVES);
		if (find_kernel(*with, package, deb))
			return 0;
	} else {
		kmln_debug("apt finds no way to install %s in the guest: %s", meta, failed.text);
	}
	/* the kernel alone can be put in all the same */
	r = write_text(fetch, "status", "", err);
	if (r == 0)
		r = apt(fetch, "apt-get", "download", package, NULL, err);
	if (r < 0)
		return r;
	*with = list_debs(fetch, "");
	if (find_kernel(*with, package, deb)) {
		*with = NULL;
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
	const char *deb = NULL, *release, **with = NULL;
	int r = write_text(fetch, "sources.list", fetch->sources.data, err);

	kmln_note("no kernel is in the guest, the cache or the host: asking the guest's package "
		  "archives for %s",
		meta);
	if (r == 0)
		r = write_text(fetch, "status", "", err);
	if (r == 0)
		r = fetch_debs(fetch, facts, meta, &deb, &with, err);
	return r < 0 ? r : kmln_kit_add(deb, with, kits, fetch->pool, &release, err);
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

/* Where the kits lie that guests with these sources and keys may have. */
static const char *kits_of(struct fetch *fetch)
{
	return kmln_pool_printf(fetch->pool, "%s/%.32s",
		kmln_folder(fetch->pool, KMLN_FOLDER_CACHE, "fetched"),
		kmln_sum(fetch->pool, fetch->identity.data, fetch->identity.size));
}

/* Keeps what was downloaded; one that is there already is the same. */
static int keep(struct fetch *fetch, const char *folder, struct kmln_error *err)
{
	const char **debs = list_debs(fetch, ARCHIVES);
	int r = kmln_make_folders(folder, err);

	for (; r == 0 && *debs; debs++) {
		const char *to = kmln_pool_printf(fetch->pool, "%s%s", folder, strrchr(*debs, '/'));
		KMLN_BUF struct kmln_buf bytes = {0};

		r = kmln_read_file(*debs, STATUS_MAX, &bytes, err);
		if (r == 0)
			r = kmln_replace_file(to, bytes.data, bytes.size, 0644, err);
	}
	return r;
}

int kmln_fetch_packages(struct kmln_tree *tree, const struct kmln_facts *facts,
	const char *const *names, struct kmln_pool *pool, const char **folder,
	struct kmln_error *err)
{
	KMLN_PRIVATE struct kmln_private private = {0};
	KMLN_CLEANUP(fetch_fini) struct fetch fetch = {.tree = tree, .pool = pool};
	int r = kmln_private_open(&private, err);

	if (r < 0)
		return r;
	fetch.folder = private.path;
	r = prepare(&fetch, err);
	if (r < 0)
		return r;
	/* no release of a kernel begins with a dot */
	*folder = kmln_pool_printf(pool, "%s/.packages", kits_of(&fetch));
	if (!names)
		return 0;
	r = write_text(&fetch, "sources.list", fetch.sources.data, err);
	if (r == 0)
		r = write_text(&fetch, "status", "", err);
	if (r == 0)
		r = apt(&fetch, "apt-get", "update", NULL, NULL, err);
	if (r == 0)
		r = download(&fetch, facts, names, err);
	return r < 0 ? r : keep(&fetch, *folder, err);
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
			"guests with dpkg only; give one by --kernel, or for all guests by "
			"`kmln kernel add FILE.deb`");
	r = kmln_private_open(&folder, err);
	if (r < 0)
		return r;
	fetch.folder = folder.path;
	r = prepare(&fetch, err);
	if (r == 0) {
		kits = kits_of(&fetch);
		if (find_kit(&fetch, kits, platform, facts, kit))
			return 0;
		r = fetch_into(&fetch, facts, kits, err);
		if (r == 0 && !find_kit(&fetch, kits, platform, facts, kit))
			r = kmln_fail(err, ENOENT, "the distribution's kernel lacks what %s needs",
				platform->name);
	}
	if (r < 0) {
		err->code = KMLN_ELACK;
		return kmln_wrap(err,
			"no kernel was to be had from the guest's package archives "
			"(give one by --kernel, or for all guests by `kmln kernel add "
			"FILE.deb`)");
	}
	return 0;
}
