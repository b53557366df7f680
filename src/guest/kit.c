// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel kits of the cache and of the host: listing, opening, adding. */
#include "guest/kit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"
#include "base/file.h"
#include "base/log.h"
#include "guest/archive.h"
#include "guest/initramfs.h"
#include "guest/packages.h"
#include "guest/step.h"
#include "image/entries.h"
#include "platform/uml.h"

/* How the folder of a kit begins while it is made. */
#define STAGE ".new-"

/* A folder locked until the descriptor is closed; -1 where it is not to be had. */
static int lock_folder(const char *path, int how)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && flock(fd, how) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

void kmln_kit_close(struct kmln_kit *kit)
{
	if (kit->lock > 0)
		close(kit->lock);
	kit->lock = 0;
	kmln_tree_cleanup(&kit->tree);
	kit->pool = kmln_pool_free(kit->pool);
}

/* Locks the folder of a kit against its removal; again where another has taken its place. */
static int hold(const char *folder, struct kmln_error *err)
{
	for (;;) {
		struct stat held, there;
		int lock = lock_folder(folder, LOCK_SH);

		if (lock < 0)
			return kmln_fail_sys(err, errno, "%s", folder);
		if (fstat(lock, &held) == 0 && stat(folder, &there) == 0 &&
			held.st_dev == there.st_dev && held.st_ino == there.st_ino)
			return lock;
		close(lock);
	}
}

/* The texts are nobody's. */
static const char *const *copy_list(struct kmln_pool *pool, const char *const *list)
{
	const char **copy;
	size_t count = 0;

	while (list && list[count])
		count++;
	copy = kmln_pool_array(pool, count + 1, sizeof(*copy));
	if (count)
		memcpy(copy, list, count * sizeof(*copy));
	return list ? copy : NULL;
}

static int add_entries(struct kmln_pool *pool, const char *folder, const char *origin,
	const struct kmln_platform *platform, const struct kmln_facts *facts,
	struct kmln_kit_entry **entries, size_t *count)
{
	static const struct kmln_facts any = {0};
	KMLN_POOL struct kmln_pool *scratch = kmln_pool_new();
	KMLN_TREE struct kmln_tree *tree = NULL;
	KMLN_FD int lock = -1;
	struct kmln_kernel *kernels;
	struct kmln_error err;
	/* how much it is, is for people; who chooses for a guest need not look at every module */
	const bool with_files = !kmln_eq(origin, "host") && !facts;
	size_t n;

	if (!kmln_eq(origin, "host"))
		lock = hold(folder, &err);
	if ((lock < 0 && !kmln_eq(origin, "host")) || kmln_tree_folder(folder, &tree, &err) < 0 ||
		kmln_kernels_inspect(tree, NULL, with_files, scratch, &kernels, &n, &err) < 0) {
		kmln_debug("no kernels in %s: %s", folder, err.text);
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		struct kmln_kit_entry *e;

		if (!kernels[i].image || !kernels[i].modules || kernels[i].uml)
			continue;
		e = kmln_pool_append(pool, entries, count, sizeof(*e));
		*e = (struct kmln_kit_entry){
			.release = kmln_pool_strdup(pool, kernels[i].release),
			.origin = origin,
			.folder = kmln_pool_strdup(pool, folder),
			.initramfs = kmln_pool_strdup(pool, kernels[i].initramfs),
			.bytes = kernels[i].bytes,
			.suits = kmln_kernel_suits(&kernels[i], facts ? facts : &any, platform),
			.entries = copy_list(pool, kernels[i].entries),
			.arch = kernels[i].arch,
		};
	}
	return 0;
}

static int newest_first(const void *a, const void *b)
{
	return kmln_release_compare(*(char *const *)b, *(char *const *)a);
}

int kmln_kits_in(struct kmln_pool *pool, const char *folder, const char *origin,
	const struct kmln_platform *platform, const struct kmln_facts *facts,
	struct kmln_kit_entry **entries, size_t *count, struct kmln_error *err)
{
	KMLN_TREE struct kmln_tree *tree = NULL;
	KMLN_STRV struct kmln_strv names = {0};
	struct kmln_error missing;

	if (kmln_tree_folder(folder, &tree, &missing) == 0 &&
		kmln_tree_names(tree, "/", &names, err) < 0)
		return -err->code;
	if (names.count)
		qsort(names.items, names.count, sizeof(char *), newest_first);
	for (size_t i = 0; i < names.count; i++)
		if (kmln_release_valid(names.items[i]))
			add_entries(pool, kmln_pool_printf(pool, "%s/%s", folder, names.items[i]),
				origin, platform, facts, entries, count);
	return 0;
}

int kmln_kits_list(struct kmln_pool *pool, const struct kmln_platform *platform,
	const struct kmln_facts *facts, struct kmln_kit_entry **entries, size_t *count,
	struct kmln_error *err)
{
	const char *fetched = kmln_folder(pool, KMLN_FOLDER_CACHE, "fetched");
	KMLN_TREE struct kmln_tree *tree = NULL;
	KMLN_STRV struct kmln_strv keys = {0};
	struct kmln_error missing;
	int r;

	*entries = NULL;
	*count = 0;
	r = kmln_kits_in(pool, kmln_folder(pool, KMLN_FOLDER_CACHE, "kernels"), "cache", platform,
		facts, entries, count, err);
	if (r < 0)
		return r;
	add_entries(pool, "/", "host", platform, facts, entries, count);
	if (kmln_tree_folder(fetched, &tree, &missing) == 0)
		r = kmln_tree_names(tree, "/", &keys, err);
	for (size_t i = 0; r == 0 && i < keys.count; i++)
		r = kmln_kits_in(pool, kmln_pool_printf(pool, "%s/%s", fetched, keys.items[i]),
			"fetched", platform, facts, entries, count, err);
	return r;
}

int kmln_kit_open(const struct kmln_kit_entry *entry, struct kmln_kit *kit, struct kmln_error *err)
{
	size_t count = 0;
	int r = 0;

	*kit = (struct kmln_kit){.pool = kmln_pool_new(), .origin = entry->origin};
	kit->folder = kmln_pool_strdup(kit->pool, entry->folder);
	if (!kmln_eq(entry->origin, "host"))
		r = kit->lock = hold(entry->folder, err);
	if (r >= 0)
		r = kmln_tree_folder(entry->folder, &kit->tree, err);
	if (r == 0)
		r = kmln_kernels_read(
			kit->tree, entry->release, true, kit->pool, &kit->kernel, &count, err);
	if (r == 0 && count) {
		/* it was unpacked for that when it was listed */
		kit->kernel->entries = copy_list(kit->pool, entry->entries);
		kit->kernel->arch = entry->arch;
	}
	if (r == 0 && !count)
		r = kmln_fail(
			err, ENOENT, "kernel %s is no longer in %s", entry->release, entry->folder);
	if (r < 0)
		kmln_kit_close(kit);
	return r;
}

static int run_tool(struct kmln_error *err, const char *package, const char *const *argv)
{
	const struct kmln_child child = {.argv = argv, .package = package};

	return kmln_child_must(&child, NULL, err);
}

/* The finished folder gets its name; one of the same release gives way. */
static int publish(const char *stage, int stage_lock, const char *kit, const char *cache,
	struct kmln_error *err)
{
	KMLN_FD int lock = lock_folder(cache, LOCK_EX), in_use = -1;

	if (lock < 0)
		return kmln_fail_sys(err, errno, "%s", cache);
	/* a thousand files at once: no module may be empty after a power cut */
	if (syncfs(lock) < 0)
		return kmln_fail_sys(err, errno, "%s", cache);
	/* from here on it is a kit, and whoever makes the same one next may put it away */
	flock(stage_lock, LOCK_UN);
	if (rename(stage, kit) == 0)
		return kmln_sync_parent(kit, err);
	if (renameat2(AT_FDCWD, stage, AT_FDCWD, kit, RENAME_EXCHANGE) < 0)
		return kmln_fail_sys(err, errno, "%s", kit);
	/* who still reads the old one leaves it to the next sweep() */
	in_use = lock_folder(stage, LOCK_EX | LOCK_NB);
	if (in_use >= 0 && kmln_remove_folder(stage, err) < 0)
		return -err->code;
	return kmln_sync_parent(kit, err);
}

/* modules.dep and our initramfs; then it is a kit. */
static int finish(
	const char *stage, int lock, const char *release, const char *cache, struct kmln_error *err)
{
	const char *const depmod[] = {"depmod", "-b", stage, release, NULL};
	KMLN_FREE char *modules = kmln_printf("/usr/lib/modules/%s", release);
	KMLN_FREE char *initramfs = kmln_printf("%s/boot/initrd.img-%s", stage, release);
	KMLN_FREE char *kit = kmln_printf("%s/%s", cache, release);
	KMLN_TREE struct kmln_tree *tree = NULL;
	KMLN_BUF struct kmln_buf bytes = {0};
	int r = run_tool(err, "kmod", depmod);

	if (r == 0)
		r = kmln_tree_folder(stage, &tree, err);
	if (r == 0)
		r = kmln_initramfs_build(tree, modules, &bytes, err);
	if (r == 0)
		r = kmln_replace_file(initramfs, bytes.data, bytes.size, 0644, err);
	return r < 0 ? r : publish(stage, lock, kit, cache, err);
}

/* Debian moved /lib into /usr: kits have everything there, and a link for those who look in /lib.
 */
static int settle_lib(const char *stage, struct kmln_error *err)
{
	KMLN_FREE char *lib = kmln_printf("%s/lib", stage), *usr = kmln_printf("%s/usr", stage);
	KMLN_FREE char *usr_lib = kmln_printf("%s/usr/lib", stage);
	int r = kmln_make_folders(usr, err);

	if (r < 0)
		return r;
	if (rename(lib, usr_lib) < 0 && errno != ENOENT)
		return kmln_fail_sys(err, errno, "%s", lib);
	return symlink("usr/lib", lib) < 0 ? kmln_fail_sys(err, errno, "%s", lib) : 0;
}

/* What is in the stage must be one kernel with modules. */
static int find_staged(
	const char *stage, struct kmln_pool *pool, const char **release, struct kmln_error *err)
{
	KMLN_TREE struct kmln_tree *tree = NULL;
	struct kmln_kernel *kernels;
	size_t count;
	int r = kmln_tree_folder(stage, &tree, err);

	if (r == 0)
		r = kmln_kernels_read(tree, NULL, false, pool, &kernels, &count, err);
	for (size_t i = 0; r == 0 && i < count; i++)
		if (kernels[i].image && kernels[i].modules) {
			*release = kernels[i].release;
			return 0;
		}
	return r < 0 ? r : kmln_fail(err, KMLN_EINVALID, "no kernel with modules is in it");
}

/* Takes away what a kmln that was killed has left: a stage that nobody has locked. */
static void sweep(const char *cache)
{
	KMLN_TREE struct kmln_tree *tree = NULL;
	KMLN_STRV struct kmln_strv names = {0};
	struct kmln_error ignored;

	if (kmln_tree_folder(cache, &tree, &ignored) < 0 ||
		kmln_tree_names(tree, "/", &names, &ignored) < 0)
		return;
	for (size_t i = 0; i < names.count; i++) {
		KMLN_FREE char *path = kmln_printf("%s/%s", cache, names.items[i]);
		KMLN_FD int lock = -1;

		if (!kmln_starts(names.items[i], STAGE))
			continue;
		lock = lock_folder(path, LOCK_EX | LOCK_NB);
		if (lock >= 0)
			kmln_remove_folder(path, &ignored);
	}
}

/* A new folder in the cache, locked by *lock for as long as it is worked on. */
static int make_stage(const char *cache, char **stage, int *lock, struct kmln_error *err)
{
	KMLN_FD int all = -1;
	int r = kmln_make_folders(cache, err);

	if (r < 0)
		return r;
	/* between its making and its locking nobody may take it for a left-over */
	all = lock_folder(cache, LOCK_EX);
	if (all < 0)
		return kmln_fail_sys(err, errno, "%s", cache);
	sweep(cache);
	*stage = kmln_printf("%s/" STAGE "XXXXXX", cache);
	if (!mkdtemp(*stage))
		return kmln_fail_sys(err, errno, "%s", *stage);
	*lock = lock_folder(*stage, LOCK_EX);
	return *lock < 0 ? kmln_fail_sys(err, errno, "%s", *stage) : 0;
}

static int copy(const char *from, const char *to, struct kmln_error *err)
{
	const char *const argv[] = {"cp", "-r", "--no-dereference", "--preserve=timestamps",
		"--reflink=auto", "--", from, to, NULL};

	return run_tool(err, "coreutils", argv);
}

/* Keeps a package in the kit under a name of ours. */
static int keep_deb(const char *path, const char *stage, unsigned number, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	const char *folder = kmln_pool_printf(pool, "%s" KMLN_KIT_PACKAGES "/deb", stage);
	struct kmln_deb deb;
	int r = kmln_deb_read(path, pool, &deb, err);

	if (r == 0)
		r = kmln_make_folders(folder, err);
	return r < 0 ? r
		     : copy(path,
			       kmln_pool_printf(pool, "%s/%u-%s.deb", folder, number, deb.package),
			       err);
}

/* Everything that a guest's dpkg will be told. */
static int keep_packages(const char *path, const char *const *with, const char *stage,
	const struct kmln_buf *list, bool whole, struct kmln_error *err)
{
	int r = 0;

	if (!whole)
		kmln_note(
			"%s: its files are not plain ones of root, so guests will get the kernel, "
			"and not the package",
			path);
	else
		r = kmln_kit_keep_kernel(stage, path, list, err);
	for (unsigned i = 0; r == 0 && with && with[i]; i++)
		r = keep_deb(with[i], stage, i, err);
	return r;
}

static int add_deb(const char *path, const char *const *with, const char *cache,
	struct kmln_pool *pool, const char **release, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf list = {0};
	bool whole;
	KMLN_FREE char *stage = NULL;
	KMLN_FD int lock = -1;
	struct kmln_error ignored;
	int r = make_stage(cache, &stage, &lock, err);

	if (r < 0)
		return r;
	r = kmln_deb_unpack(path, stage, &list, &whole, err);
	if (r == 0)
		r = settle_lib(stage, err);
	if (r == 0)
		r = find_staged(stage, pool, release, err);
	if (r == 0)
		r = keep_packages(path, with, stage, &list, whole, err);
	if (r == 0)
		r = finish(stage, lock, *release, cache, err);
	if (r < 0)
		kmln_remove_folder(stage, &ignored);
	return r;
}

/* Copies one kernel of the folder; modules keep their times. */
static int add_copy(const char *folder, const struct kmln_kernel *kernel, const char *cache,
	struct kmln_error *err)
{
	KMLN_FREE char *stage = NULL, *boot = NULL, *image = NULL, *modules = NULL;
	KMLN_FREE char *from_image = kmln_printf("%s%s", folder, kernel->image);
	KMLN_FREE char *from_modules = kmln_printf("%s%s", folder, kernel->modules);
	KMLN_FD int lock = -1;
	struct kmln_error ignored;
	int r = make_stage(cache, &stage, &lock, err);

	if (r < 0)
		return r;
	boot = kmln_printf("%s/boot", stage);
	image = kmln_printf("%s/vmlinuz-%s", boot, kernel->release);
	modules = kmln_printf("%s/lib/modules", stage);
	r = kmln_make_folders(boot, err);
	if (r == 0)
		r = kmln_make_folders(modules, err);
	if (r == 0)
		r = copy(from_image, image, err);
	if (r == 0)
		r = copy(from_modules, modules, err);
	if (r == 0)
		r = settle_lib(stage, err);
	if (r == 0)
		r = finish(stage, lock, kernel->release, cache, err);
	if (r < 0)
		kmln_remove_folder(stage, &ignored);
	return r;
}

static int add_folder(const char *folder, const char *cache, struct kmln_pool *pool,
	const char **release, struct kmln_error *err)
{
	KMLN_TREE struct kmln_tree *tree = NULL;
	struct kmln_kernel *kernels;
	size_t count, added = 0;
	int r = kmln_tree_folder(folder, &tree, err);

	if (r == 0)
		r = kmln_kernels_read(tree, NULL, false, pool, &kernels, &count, err);
	for (size_t i = 0; r == 0 && i < count; i++) {
		if (!kernels[i].image || !kernels[i].modules || kernels[i].uml)
			continue;
		r = add_copy(folder, &kernels[i], cache, err);
		if (!added++)
			*release = kernels[i].release;
	}
	if (r == 0 && !added)
		r = kmln_fail(err, KMLN_EINVALID,
			"no kernel is in it: boot/vmlinuz-RELEASE and lib/modules/RELEASE are needed");
	return r;
}

int kmln_kit_add(const char *path, const char *const *with, const char *to, struct kmln_pool *pool,
	const char **release, struct kmln_error *err)
{
	const char *cache = to ? to : kmln_folder(pool, KMLN_FOLDER_CACHE, "kernels");
	KMLN_FD int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (folder < 0 && access(path, R_OK) < 0)
		return kmln_fail_sys(err, errno, "%s", path);
	if (folder < 0 && kmln_uml_is_program(path))
		return kmln_fail(err, KMLN_EINVALID,
			"%s is the kernel of User-Mode Linux: a program, which no other platform starts",
			path);
	if (folder >= 0 && with && with[0])
		return kmln_fail(
			err, KMLN_EUSAGE, "%s is a folder, and packages go with a package", path);
	r = folder >= 0 ? add_folder(path, cache, pool, release, err)
			: add_deb(path, with, cache, pool, release, err);
	return r < 0 ? kmln_wrap(err, "%s", path) : 0;
}
