// SPDX-License-Identifier: GPL-2.0-or-later
/* The list of edits: one edit a path, and the text that --dry-run shows. */
#include "unit.h"

#include <string.h>

#include "plan/edits.h"

static void add(struct kmln_edits *edits, const struct kmln_edit *edit)
{
	struct kmln_error err;

	assert_ok(kmln_edits_add(edits, edit, &err), err);
}

static void test_second_edit_of_a_path_is_refused(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_EDITS struct kmln_edits edits;
	struct kmln_edit first = {.kind = KMLN_EDIT_MKDIR, .by = "one", .path = "/boot"};
	struct kmln_edit second = {.kind = KMLN_EDIT_PUT, .by = "two", .path = "/boot", .data = ""};
	struct kmln_error err;

	(void)state;
	kmln_edits_init(&edits, pool);
	assert_false(kmln_edits_has(&edits, "/boot"));
	add(&edits, &first);
	assert_true(kmln_edits_has(&edits, "/boot"));
	assert_fails(kmln_edits_add(&edits, &second, &err), err, EEXIST);
	assert_string_equal(err.text, "step two: another step edits /boot already");
	assert_int_equal(edits.count, 1);
	/* around the tree there are no paths to be refused */
	add(&edits, &(struct kmln_edit){.kind = KMLN_EDIT_SHIFT, .by = "x", .offset = 1 << 20});
	add(&edits, &(struct kmln_edit){.kind = KMLN_EDIT_BYTES, .by = "x", .data = "", .size = 0});
	assert_int_equal(edits.count, 3);
}

static void test_golden(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_EDITS struct kmln_edits edits;
	KMLN_BUF struct kmln_buf out = {0}, all = {0};

	(void)state;
	kmln_edits_init(&edits, pool);
	edits.kit = "6.1.0-cloud";
	add(&edits, &(struct kmln_edit){.kind = KMLN_EDIT_SHIFT,
			    .by = "disk",
			    .why = "room for GRUB",
			    .offset = 1 << 20});
	add(&edits,
		&(struct kmln_edit){.kind = KMLN_EDIT_RESIZE, .by = "disk", .size = 2147483648});
	add(&edits, &(struct kmln_edit){.kind = KMLN_EDIT_BYTES,
			    .by = "grub",
			    .offset = 440,
			    .size = 4,
			    .data = "KMLN"});
	add(&edits, &(struct kmln_edit){.kind = KMLN_EDIT_PUT,
			    .by = "fstab",
			    .why = "root by UUID",
			    .path = "/etc/fstab",
			    .replaces = "/dev/ubda / ext4\n",
			    .replaces_size = 17,
			    .data = "UUID=1 / ext4\n",
			    .size = 14});
	add(&edits, &(struct kmln_edit){.kind = KMLN_EDIT_SYMLINK,
			    .by = "getty",
			    .path = "/etc/x\ny",
			    .data = "/lib/x"});
	add(&edits, &(struct kmln_edit){.kind = KMLN_EDIT_PUT,
			    .by = "blob",
			    .path = "/blob",
			    .mode = 0600,
			    .uid = 1,
			    .gid = 2,
			    .data = "\0\1",
			    .size = 2});
	add(&edits, &(struct kmln_edit){.kind = KMLN_EDIT_MKDIR,
			    .by = "kernel",
			    .path = "/lib/modules/6",
			    .mode = 0755});
	add(&edits, &(struct kmln_edit){.kind = KMLN_EDIT_PUT,
			    .by = "kernel",
			    .from = "a.ko",
			    .path = "/lib/modules/6/a.ko",
			    .mode = 0644,
			    .size = 20000});
	add(&edits, &(struct kmln_edit){.kind = KMLN_EDIT_PUT,
			    .by = "kernel",
			    .from = "ab.ko",
			    .path = "/lib/modules/6/ab.ko",
			    .mode = 0644,
			    .size = 500});
	kmln_edits_print(&edits, false, &out);
	assert_string_equal(out.data,
		"shift   +1048576 bytes in front  # disk: room for GRUB\n"
		"resize  to 2147483648 bytes  # disk\n"
		"bytes   0x1b8 +4 bytes  # grub\n"
		"put     /etc/fstab, 14 bytes in place of 17 bytes  # fstab: root by UUID\n"
		"        @@ -1,1 +1,1 @@\n"
		"        -/dev/ubda / ext4\n"
		"        +UUID=1 / ext4\n"
		"symlink /etc/x\\x0ay -> /lib/x  # getty\n"
		"put     /blob 0600 1:2, 2 bytes  # blob\n"
		"put     /lib/modules/6: 2 files, 20.5 kB, from kernel 6.1.0-cloud  # kernel\n");
	kmln_edits_print(&edits, true, &all);
	assert_non_null(strstr(all.data,
		"mkdir   /lib/modules/6 0755 0:0  # kernel\n"
		"put     /lib/modules/6/a.ko 0644 0:0, 20.0 kB, from kit  # kernel\n"
		"put     /lib/modules/6/ab.ko 0644 0:0, 500 bytes, from kit  # kernel\n"));
}

static void test_folders_alone_are_no_kernel(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_EDITS struct kmln_edits edits;
	KMLN_BUF struct kmln_buf out = {0};
	static const char *const paths[] = {"/a", "/a/b", "/a/b/c"};

	(void)state;
	kmln_edits_init(&edits, pool);
	for (size_t i = 0; i < KMLN_COUNT(paths); i++)
		add(&edits, &(struct kmln_edit){.kind = KMLN_EDIT_MKDIR,
				    .by = "x",
				    .path = paths[i],
				    .mode = 0700});
	kmln_edits_print(&edits, false, &out);
	assert_string_equal(out.data,
		"mkdir   /a 0700 0:0  # x\nmkdir   /a/b 0700 0:0  # x\nmkdir   /a/b/c 0700 0:0  # x\n");
}

static void test_names_that_begin_alike(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_EDITS struct kmln_edits edits;
	KMLN_BUF struct kmln_buf out = {0};
	static const char *const paths[] = {"/boot/vm", "/boot/vmlinuz", "/boot/vmx"};

	(void)state;
	kmln_edits_init(&edits, pool);
	for (size_t i = 0; i < KMLN_COUNT(paths); i++)
		add(&edits, &(struct kmln_edit){.kind = KMLN_EDIT_PUT,
				    .by = "x",
				    .path = paths[i],
				    .from = "f",
				    .size = 1});
	kmln_edits_print(&edits, false, &out);
	assert_string_equal(out.data, "put     /boot/: 3 files, 3 bytes, from kernel kit  # x\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_second_edit_of_a_path_is_refused),
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_folders_alone_are_no_kernel),
		cmocka_unit_test(test_names_that_begin_alike),
	};

	return cmocka_run_group_tests_name("edits", tests, NULL, NULL);
}
