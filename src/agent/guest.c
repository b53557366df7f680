// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kmln-guest: keeps a converted guest starting when its own package manager brings or takes a
 * kernel. The kernel hooks in src/agent/package/ call it; what it makes is what kmln itself would
 * make on the host, by the same code (boot/), so that planning again finds nothing to do.
 *
 *	kmln-guest installed RELEASE	an initramfs for it, and GRUB's configuration
 *	kmln-guest removed RELEASE	without its initramfs
 *	kmln-guest update		GRUB's configuration alone
 *
 * Files appear complete or not at all. An initramfs that is not ours, and a GRUB configuration that
 * is not ours, are never touched.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/guest.h"
#include "base/file.h"
#include "boot/grub-config.h"
#include "boot/initramfs.h"
#include "plan/print.h"

#define TEXT_MAX (1u << 20)

extern const char kmln_init_program[], kmln_init_program_end[];

struct guest {
	struct kmln_tree *tree; /* the running system */
	struct kmln_pool *pool;
	struct kmln_kernel *kernels;
	size_t count;
};

static int read_kernels(struct guest *guest, struct kmln_error *err)
{
	return kmln_kernels_read(
		guest->tree, NULL, false, guest->pool, &guest->kernels, &guest->count, err);
}

static const struct kmln_kernel *find(const struct guest *guest, const char *release)
{
	for (size_t i = 0; i < guest->count; i++)
		if (kmln_eq(guest->kernels[i].release, release))
			return &guest->kernels[i];
	return NULL;
}

/* The guest has a tool of its own that makes initramfs: it stands before ours. */
static bool has_own_tool(void)
{
	for (size_t i = 0; kmln_initramfs_tools[i]; i++)
		if (access(kmln_initramfs_tools[i], X_OK) == 0)
			return true;
	return false;
}

static int make_initramfs(struct guest *guest, const char *release, struct kmln_error *err)
{
	const struct kmln_kernel *kernel = find(guest, release);
	KMLN_BUF struct kmln_buf bytes = {0};
	const char *path;
	int r;

	if (!kernel || !kernel->modules)
		return kmln_fail(err, ENOENT, "there is no /lib/modules/%s", release);
	r = kmln_initramfs_make(guest->tree, kernel->modules, kmln_init_program,
		(size_t)(kmln_init_program_end - kmln_init_program), kmln_guest_unpack, &bytes,
		err);
	path = kmln_pool_printf(guest->pool, "/boot/%s",
		kmln_kernels_initramfs_name(guest->pool, guest->kernels, guest->count, release));
	if (r == 0)
		r = kmln_replace_file(path, bytes.data, bytes.size, 0644, err);
	if (r == 0)
		printf("kmln-guest: made %s, %s\n", path, kmln_plan_bytes(guest->pool, bytes.size));
	return r;
}

static int remove_initramfs(const struct guest *guest, const char *release, struct kmln_error *err)
{
	const struct kmln_kernel *kernel = find(guest, release);

	if (!kernel || !kernel->initramfs || !kernel->initramfs_ours)
		return 0;
	if (unlink(kernel->initramfs) < 0 && errno != ENOENT)
		return kmln_fail_sys(err, errno, "%s", kernel->initramfs);
	printf("kmln-guest: removed %s\n", kernel->initramfs);
	return 0;
}

static int load(
	struct guest *guest, const char *path, struct kmln_buf *text, struct kmln_error *err)
{
	int r = kmln_tree_load(guest->tree, path, TEXT_MAX, text, err);

	if (r == 0 && memchr(text->data, 0, text->size))
		r = kmln_fail(err, EINVAL, "%s: it is no text", path);
	return r;
}

static int update_grub(struct guest *guest, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf old = {0}, settings = {0}, text = {0};
	struct kmln_boot_config config;
	struct kmln_error missing;
	size_t entries;
	int r;

	if (load(guest, KMLN_GRUB_CONFIG, &old, &missing) < 0 ||
		!kmln_starts(old.data, KMLN_GRUB_MARK)) {
		printf("kmln-guest: %s is not kmln's, and is left as it is\n", KMLN_GRUB_CONFIG);
		return 0;
	}
	r = load(guest, KMLN_BOOT_CONFIG, &settings, err);
	if (r < 0)
		return r;
	if (!kmln_boot_config_read(settings.data, guest->pool, &config))
		return kmln_fail(err, EINVAL, "%s: a line is missing", KMLN_BOOT_CONFIG);
	r = read_kernels(guest, err);
	if (r < 0)
		return r;
	entries = kmln_grub_config_write(&config, guest->kernels, guest->count, &text);
	/* the last kernel is being removed: what is there cannot start either, but says more */
	if (!entries)
		return kmln_fail(err, ENOENT,
			"no kernel here has an initramfs and the drivers this system needs (%s): %s "
			"is left as it is",
			config.drivers, KMLN_GRUB_CONFIG);
	if (old.size == text.size && memcmp(old.data, text.data, text.size) == 0)
		return 0;
	r = kmln_replace_file(KMLN_GRUB_CONFIG, text.data, text.size, 0644, err);
	if (r == 0)
		printf("kmln-guest: wrote %s, %zu kernel%s\n", KMLN_GRUB_CONFIG, entries,
			entries == 1 ? "" : "s");
	return r;
}

static int run(int argc, char **argv, struct guest *guest, struct kmln_error *err)
{
	const char *what = argc > 1 ? argv[1] : "", *release = argc > 2 ? argv[2] : "";
	bool update = kmln_eq(what, "update") && argc == 2;
	int r = 0;

	if (!update && (argc != 3 || !kmln_release_valid(release) ||
			       !(kmln_eq(what, "installed") || kmln_eq(what, "removed"))))
		return kmln_fail(err, KMLN_EUSAGE,
			"usage: kmln-guest installed RELEASE | removed RELEASE | update");
	if (!update)
		r = read_kernels(guest, err);
	if (r == 0 && kmln_eq(what, "installed") && !has_own_tool())
		r = make_initramfs(guest, release, err);
	if (r == 0 && kmln_eq(what, "removed"))
		r = remove_initramfs(guest, release, err);
	return r < 0 ? r : update_grub(guest, err);
}

int main(int argc, char **argv)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_TREE struct kmln_tree *tree = NULL;
	struct guest guest = {.pool = pool};
	struct kmln_error err = {0};
	int r = kmln_tree_folder("/", &tree, &err);

	guest.tree = tree;
	if (r == 0)
		r = run(argc, argv, &guest, &err);
	if (r < 0)
		fprintf(stderr, "kmln-guest: %s\n", err.text);
	return kmln_exit_status(&err);
}
