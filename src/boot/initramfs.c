// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Our initramfs: the mark, /init, /modules (what is carried: name, file, all that it needs in load
 * order), /aliases (which devices and filesystems ask for what), and the modules themselves in /m/,
 * not compressed: init stays small.
 */
#include "boot/initramfs.h"

#include <string.h>

#include "boot/initramfs-mark.h"
#include "boot/modules.h"

#define MODULE_LIMIT (16u << 20) /* as it is stored */
#define MODULES_LIMIT (48u << 20) /* all together, unpacked; a kernel's need 4 MB */

/* Disks, networks, the agent's port and root filesystem of every platform. */
static const char *const drivers[] = {"virtio_pci", "virtio_mmio", "virtio_blk", "virtio_scsi",
	"sd_mod", "virtio_net", "virtio_console", "nvme", "xen_blkfront", "xen_netfront", "ext4",
	NULL};

struct build {
	struct kmln_pool *pool;
	const struct kmln_modules *modules;
	kmln_unpack_fn unpack;
	struct kmln_buf *out;
	size_t start; /* where the archive begins in `out` */
	unsigned inode;
	size_t room; /* bytes that modules may still take: a small file can unpack to a big one */
};

/* cpio's "newc" fills up name and content with zeros, each to a multiple of four. */
static void fill_up(struct build *build)
{
	static const char zeros[4];

	kmln_buf_add(build->out, zeros, -(build->out->size - build->start) & 3);
}

/* An entry: owner 0:0, mtime 0, inodes counted from 1. */
static void add(struct build *build, const char *path, uint32_t mode, const void *data, size_t size)
{
	/* magic, inode, mode, uid, gid, links, mtime, size, 4 device numbers, name size, check */
	kmln_buf_printf(build->out, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		build->inode++, mode, 0, 0, S_ISDIR(mode) ? 2 : 1, 0, (unsigned)size, 0, 0, 0, 0,
		(unsigned)strlen(path) + 1, 0);
	kmln_buf_add(build->out, path, strlen(path) + 1);
	fill_up(build);
	kmln_buf_add(build->out, data, size);
	fill_up(build);
}

static int add_module(struct build *build, struct kmln_tree *tree, const char *folder,
	const struct kmln_module *module, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf stored = {0}, plain = {0};
	const char *path = kmln_pool_printf(build->pool, "%s/%s", folder, module->file);
	int r = kmln_tree_load(tree, path, MODULE_LIMIT, &stored, err);

	if (r < 0)
		return r;
	r = build->unpack(path, stored.data, stored.size, build->room, &plain, err);
	if (r < 0)
		return kmln_wrap(err, "%s", path);
	build->room -= plain.size;
	add(build, kmln_pool_printf(build->pool, "m/%s.ko", module->name), S_IFREG | 0644,
		plain.data, plain.size);
	return 0;
}

static void list_module(struct build *build, const struct kmln_module *module, struct kmln_buf *to)
{
	const char *const name[] = {module->name, NULL};
	const struct kmln_module *const *needs =
		kmln_modules_closure(build->modules, name, build->pool);

	kmln_buf_printf(to, "%s /m/%s.ko", module->name, module->name);
	for (; *needs; needs++)
		if (*needs != module)
			kmln_buf_printf(to, " %s", (*needs)->name);
	kmln_buf_str(to, "\n");
}

struct alias_list {
	const char *module;
	struct kmln_buf *to;
};

static void list_alias(void *data, const char *pattern)
{
	const struct alias_list *list = data;

	kmln_buf_printf(list->to, "%s %s\n", pattern, list->module);
}

static int add_modules(struct build *build, struct kmln_tree *tree, const char *folder,
	struct kmln_buf *list, struct kmln_buf *aliases, struct kmln_error *err)
{
	const struct kmln_module *const *needed;
	struct kmln_modules *modules;
	int r = kmln_modules_read(tree, folder, build->pool, &modules, err);

	if (r < 0)
		return r;
	build->modules = modules;
	needed = kmln_modules_closure(modules, drivers, build->pool);
	if (*needed)
		add(build, "m", S_IFDIR | 0755, NULL, 0);
	for (; *needed; needed++) {
		r = add_module(build, tree, folder, *needed, err);
		if (r < 0)
			return r;
		list_module(build, *needed, list);
		kmln_modules_aliases(modules, *needed, list_alias,
			&(struct alias_list){(*needed)->name, aliases});
	}
	return 0;
}

int kmln_initramfs_make(struct kmln_tree *tree, const char *modules_folder, const char *init,
	size_t init_size, kmln_unpack_fn unpack, struct kmln_buf *out, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_BUF struct kmln_buf list = {0}, aliases = {0}, archive = {0};
	struct build build = {
		.pool = pool,
		.unpack = unpack,
		.out = &archive,
		.inode = 1,
		.room = MODULES_LIMIT,
	};
	int r = 0;

	add(&build, KMLN_INITRAMFS_NAME, S_IFREG | 0444, NULL, 0);
	add(&build, "init", S_IFREG | 0755, init, init_size);
	if (modules_folder)
		r = add_modules(&build, tree, modules_folder, &list, &aliases, err);
	if (r < 0)
		return kmln_wrap(err, "initramfs");
	add(&build, "modules", S_IFREG | 0644, list.data, list.size);
	add(&build, "aliases", S_IFREG | 0644, aliases.data, aliases.size);
	build.inode = 0;
	add(&build, "TRAILER!!!", 0, NULL, 0);
	kmln_buf_add(out, archive.data, archive.size);
	return 0;
}
