// SPDX-License-Identifier: GPL-2.0-or-later
/* depmod's files, and the initramfs that is made of them, on a folder written by hand. */
#include "unit.h"

#include <string.h>

#include "base/file.h"
#include "guest/archive.h"
#include "guest/initramfs.h"
#include "boot/initramfs-mark.h"
#include "boot/modules.h"

#define FOLDER "/lib/modules/6.1.0-test"

static struct kmln_private place;
static struct kmln_tree *tree;

static void put(const char *name, const char *text)
{
	KMLN_FREE char *path = kmln_printf("%s" FOLDER "/%s", place.path, name);
	KMLN_FREE char *folder = kmln_strdup(path);
	struct kmln_error err;

	*strrchr(folder, '/') = '\0';
	assert_int_equal(kmln_make_folders(folder, &err), 0);
	assert_int_equal(kmln_replace_file(path, text, strlen(text), 0644, &err), 0);
}

static int set_up(void **state)
{
	struct kmln_error err;

	(void)state;
	if (kmln_private_open(&place, &err) < 0)
		return -1;
	put("modules.dep", "kernel/drivers/virtio/virtio_ring.ko:\n"
			   "kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko\n"
			   "kernel/drivers/block/virtio_blk.ko: kernel/drivers/virtio/virtio.ko"
			   " kernel/drivers/virtio/virtio_ring.ko\n"
			   "kernel/drivers/block/xen-blkfront.ko.xz:\n"
			   "kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko kernel/lib/gone.ko\n"
			   "kernel/fs/jbd2/jbd2.ko:\n"
			   "kernel/crypto/crc32c_generic.ko:\n"
			   "kernel/arch/x86/crc32c-intel.ko:\n"
			   "kernel/loop/a.ko: kernel/loop/b.ko\n"
			   "kernel/loop/b.ko: kernel/loop/a.ko kernel/loop/b.ko\n"
			   "/etc/shadow.ko:\n"
			   "../../../up.ko:\n"
			   "kernel/od d.ko:\n"
			   "kernel/second/virtio_ring.ko: kernel/loop/a.ko\n"
			   "not a line\n");
	put("modules.builtin", "kernel/drivers/nvme/host/nvme-core.ko\nkernel/fs/proc.ko\n");
	put("modules.alias", "# Aliases\n"
			     "alias virtio:d00000002v* virtio_blk\n"
			     "alias crypto-crc32c crc32c_intel\n"
			     "alias crypto-crc32c crc32c_generic\n"
			     "alias fs-ext4 ext4\n"
			     "alias fs-ext3 ext4\n"
			     "alias broken\n");
	put("modules.softdep", "softdep jbd2 pre: crypto-crc32c post: a\nsoftdep b pre: virtio\n");
	put("kernel/drivers/virtio/virtio_ring.ko", "ring");
	put("kernel/drivers/virtio/virtio.ko", "virtio");
	put("kernel/drivers/block/virtio_blk.ko", "blk");
	put("kernel/drivers/block/xen-blkfront.ko.xz", "xen");
	put("kernel/fs/ext4/ext4.ko", "ext4");
	put("kernel/fs/jbd2/jbd2.ko", "jbd2");
	put("kernel/crypto/crc32c_generic.ko", "crc");
	return kmln_tree_folder(place.path, &tree, &err);
}

static int tear_down(void **state)
{
	(void)state;
	kmln_tree_cleanup(&tree);
	kmln_private_cleanup(&place);
	return 0;
}

static struct kmln_modules *read_modules(struct kmln_pool *pool)
{
	struct kmln_modules *modules = NULL;
	struct kmln_error err = {0};

	assert_int_equal(kmln_modules_read(tree, FOLDER, pool, &modules, &err), 0);
	return modules;
}

static void test_find(void **state)
{
	static const struct {
		const char *name;
		enum kmln_driver driver;
	} table[] = {
		{"virtio_blk", KMLN_DRIVER_MODULE},
		{"virtio-blk", KMLN_DRIVER_MODULE},
		{"xen_blkfront", KMLN_DRIVER_MODULE},
		{"crc32c-intel", KMLN_DRIVER_MODULE},
		{"nvme_core", KMLN_DRIVER_BUILTIN},
		{"nvme-core", KMLN_DRIVER_BUILTIN},
		{"nvme", KMLN_DRIVER_ABSENT},
		{"gone", KMLN_DRIVER_ABSENT},
		{"shadow", KMLN_DRIVER_ABSENT},
		{"up", KMLN_DRIVER_ABSENT},
		{"od d", KMLN_DRIVER_ABSENT},
		{"", KMLN_DRIVER_ABSENT},
		{"virtio_blk/", KMLN_DRIVER_ABSENT},
	};
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_modules *modules = read_modules(pool);

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (kmln_modules_find(modules, table[i].name) != table[i].driver)
			fail_msg("'%s'", table[i].name);
	assert_string_equal(kmln_modules_get(modules, "xen-blkfront")->file,
		"kernel/drivers/block/xen-blkfront.ko.xz");
	/* of two lines for one name the first counts */
	assert_string_equal(kmln_modules_get(modules, "virtio-ring")->file,
		"kernel/drivers/virtio/virtio_ring.ko");
	assert_null(kmln_modules_get(modules, "nvme_core"));
}

static void check_closure(
	const struct kmln_modules *modules, const char *const *names, const char *expected)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	const struct kmln_module *const *list = kmln_modules_closure(modules, names, pool);
	KMLN_BUF struct kmln_buf said = {0};

	kmln_buf_add(&said, "", 0);
	for (; *list; list++)
		kmln_buf_printf(&said, "%s%s", said.size ? " " : "", (*list)->name);
	assert_string_equal(said.data, expected);
}

static void test_closure(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_modules *modules = read_modules(pool);

	(void)state;
	check_closure(modules, (const char *[]){"virtio-blk", "virtio", NULL},
		"virtio_ring virtio virtio_blk");
	check_closure(modules,
		(const char *[]){"virtio", "nothing", "nvme_core", "virtio_blk", NULL},
		"virtio_ring virtio virtio_blk");
	/* through a soft dependency of a dependency, by an alias, and only the portable one */
	check_closure(modules, (const char *[]){"ext4", NULL}, "crc32c_generic jbd2 ext4");
	check_closure(modules, (const char *[]){"jbd2", "ext4", NULL}, "crc32c_generic jbd2 ext4");
	/* a cycle ends */
	check_closure(modules, (const char *[]){"a", NULL}, "virtio_ring virtio b a");
	check_closure(modules, (const char *[]){NULL}, "");
}

static void join(void *data, const char *pattern)
{
	kmln_buf_printf(data, "%s;", pattern);
}

static void test_aliases(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_modules *modules = read_modules(pool);
	KMLN_BUF struct kmln_buf said = {0};

	(void)state;
	kmln_modules_aliases(modules, kmln_modules_get(modules, "ext4"), join, &said);
	assert_string_equal(said.data, "fs-ext4;fs-ext3;");
}

static void test_long_chain(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_BUF struct kmln_buf text = {0};
	const char *const names[] = {"m0", NULL};
	const struct kmln_module *const *list;
	struct kmln_modules *modules;
	struct kmln_error err;
	size_t count = 0;

	(void)state;
	for (int i = 0; i < 200000; i++)
		kmln_buf_printf(&text, "m%d.ko: m%d.ko\n", i, i + 1);
	put("../chain/modules.dep", text.data);
	assert_int_equal(kmln_modules_read(tree, "/lib/modules/chain", pool, &modules, &err), 0);
	list = kmln_modules_closure(modules, names, pool);
	assert_string_equal(list[0]->name, "m199999");
	while (list[count])
		count++;
	assert_int_equal(count, 200000);
}

static void test_missing(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_modules *modules;
	struct kmln_error err;

	(void)state;
	assert_int_equal(
		kmln_modules_read(tree, "/lib/modules/none", pool, &modules, &err), -ENOENT);
}

/* ---- initramfs ---- */

static void test_initramfs(void **state)
{
	KMLN_BUF struct kmln_buf one = {0}, two = {0}, bare = {0};
	struct kmln_error err;

	(void)state;
	assert_int_equal(kmln_initramfs_build(tree, FOLDER, &one, &err), 0);
	assert_int_equal(kmln_initramfs_build(tree, FOLDER, &two, &err), 0);
	assert_int_equal(one.size, two.size);
	assert_memory_equal(one.data, two.data, one.size);
	assert_true(kmln_initramfs_is_ours(one.data, one.size));
#define HAS(text) assert_non_null(memmem(one.data, one.size, text, strlen(text)))
	HAS("virtio_blk /m/virtio_blk.ko virtio_ring virtio\n");
	HAS("ext4 /m/ext4.ko crc32c_generic jbd2\n");
	HAS("virtio:d00000002v* virtio_blk\n");
	HAS("fs-ext3 ext4\n");
	assert_null(memmem(one.data, one.size, "crc32c_intel", 12));
	/* inode 2 is init: magic, inode, mode, uid, gid, links, mtime */
	HAS("07070100000002000081ed0000000000000000000000010000000000");
	HAS("TRAILER!!!");
	assert_int_equal(one.size % 4, 0);
	assert_int_equal(kmln_initramfs_build(NULL, NULL, &bare, &err), 0);
	assert_true(bare.size < one.size);
	assert_true(kmln_initramfs_is_ours(bare.data, bare.size));
}

static void test_others_are_not_ours(void **state)
{
	char name[200] = "070701";

	(void)state;
	strcpy(name + 110, "kmln-initramfs");
	assert_true(kmln_initramfs_is_ours(name, sizeof(name)));
	strcpy(name + 110, "kmln-initramfs2");
	assert_false(kmln_initramfs_is_ours(name, sizeof(name)));
	assert_false(kmln_initramfs_is_ours(name, 115));
	assert_false(kmln_initramfs_is_ours("070701", 6));
	assert_false(kmln_initramfs_is_ours("", 0));
}

static void test_module_file_is_missing(void **state)
{
	KMLN_BUF struct kmln_buf out = {0};
	struct kmln_error err;

	(void)state;
	put("../hollow/modules.dep", "kernel/virtio_blk.ko:\n");
	put("../hollow/kernel/other.ko", "");
	assert_int_equal(kmln_initramfs_build(tree, "/lib/modules/hollow", &out, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/lib/modules/hollow/kernel/virtio_blk.ko"));
	assert_int_equal(out.size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_closure),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_long_chain),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_initramfs),
		cmocka_unit_test(test_others_are_not_ours),
		cmocka_unit_test(test_module_file_is_missing),
	};

	return cmocka_run_group_tests_name("modules", tests, set_up, tear_down);
}
