// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A folder of the host as a tree, and the following of links inside it: whatever the links say,
 * nothing outside is reached. The runner starts this in an empty scratch folder; "root" is the
 * tree, "secret" lies beside it.
 */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "tree/tree.h"

static void put(const char *path, const char *text)
{
	struct kmln_error err;

	assert_ok(kmln_replace_file(path, text, strlen(text), 0640, &err), err);
}

static int set_up(void **state)
{
	static const struct {
		const char *name, *target;
	} links[] = {
		{"abs", "/etc/fstab"},
		{"rel", "etc/fstab"},
		{"etc/up", "../usr/lib"},
		{"lib", "usr/lib"},
		{"slashes", "//etc///./fstab"},
		{"outside", "../secret"},
		{"outside-abs", "/../../../secret"},
		{"chain1", "chain2"},
		{"chain2", "/etc/up/../lib/file"},
		{"loop", "loop"},
		{"ping", "pong"},
		{"pong", "ping"},
		{"dangling", "/etc/nowhere"},
		{"dangling-deep", "/no/such/folder"},
		{"to-file", "etc/fstab/"},
		{"self", "."},
		{"top", "/"},
	};
	struct kmln_error err;

	(void)state;
	assert_ok(kmln_make_folders("root/etc", &err), err);
	assert_ok(kmln_make_folders("root/usr/lib", &err), err);
	put("secret", "secret\n");
	put("root/etc/fstab", "fstab\n");
	put("root/usr/lib/file", "file\n");
	put("root/\xff\n", "odd\n");
	assert_int_equal(mkfifo("root/fifo", 0600), 0);
	for (size_t i = 0; i < KMLN_COUNT(links); i++) {
		KMLN_FREE char *path = kmln_printf("root/%s", links[i].name);

		assert_int_equal(symlink(links[i].target, path), 0);
	}
	return 0;
}

static void assert_resolves(struct kmln_tree *tree, const char *path, const char *wanted)
{
	KMLN_BUF struct kmln_buf real = {0};
	struct kmln_error err;

	if (kmln_tree_resolve(tree, path, &real, &err) < 0)
		fail_msg("%s: %s", path, err.text);
	assert_string_equal(real.data, wanted);
}

static void test_resolve(void **state)
{
	static const struct {
		const char *path, *real;
	} table[] = {
		{"/", "/"},
		{"//", "/"},
		{"/..", "/"},
		{"/../../etc/./fstab", "/etc/fstab"},
		{"/etc/", "/etc"},
		{"/etc/../usr//lib/file", "/usr/lib/file"},
		{"/abs", "/etc/fstab"},
		{"/rel", "/etc/fstab"},
		{"/slashes", "/etc/fstab"},
		{"/etc/up", "/usr/lib"},
		{"/etc/up/file", "/usr/lib/file"},
		{"/lib/file", "/usr/lib/file"},
		/* ".." behind a link leaves where the link led, not where it stood */
		{"/lib/..", "/usr"},
		{"/chain1", "/usr/lib/file"},
		{"/self/self/top/self/etc", "/etc"},
		/* links out of the tree stop at its root */
		{"/outside", "/secret"},
		{"/outside-abs", "/secret"},
		/* the last may be missing */
		{"/etc/new", "/etc/new"},
		{"/lib/new", "/usr/lib/new"},
		{"/dangling", "/etc/nowhere"},
	};
	KMLN_TREE struct kmln_tree *tree = NULL;
	struct kmln_error err;

	(void)state;
	assert_ok(kmln_tree_folder("root", &tree, &err), err);
	for (size_t i = 0; i < KMLN_COUNT(table); i++)
		assert_resolves(tree, table[i].path, table[i].real);
}

static void test_what_does_not_resolve(void **state)
{
	static const struct {
		const char *path;
		int code;
	} table[] = {
		{"/loop", ELOOP},
		{"/ping/x", ELOOP},
		{"/dangling/x", ENOENT},
		{"/dangling-deep", ENOENT},
		{"/no/such", ENOENT},
		{"/no/../etc", ENOENT},
		{"/etc/fstab/x", ENOTDIR},
		{"/etc/fstab/..", ENOTDIR},
		{"/etc/fstab/", ENOTDIR},
		{"/to-file", ENOTDIR},
		{"etc", EINVAL},
		{"", EINVAL},
	};
	KMLN_TREE struct kmln_tree *tree = NULL;
	KMLN_BUF struct kmln_buf real = {0}, deep = {0};
	struct kmln_error err;

	(void)state;
	assert_ok(kmln_tree_folder("root", &tree, &err), err);
	for (size_t i = 0; i < KMLN_COUNT(table); i++)
		assert_fails(
			kmln_tree_resolve(tree, table[i].path, &real, &err), err, table[i].code);
	for (unsigned i = 0; i < 2000; i++)
		kmln_buf_str(&deep, "/x");
	assert_fails(kmln_tree_resolve(tree, deep.data, &real, &err), err, ENOENT);
	for (unsigned i = 0; i < 2000; i++)
		kmln_buf_str(&deep, "/x");
	assert_fails(kmln_tree_resolve(tree, deep.data, &real, &err), err, ENAMETOOLONG);
}

static void test_a_link_never_leads_outside(void **state)
{
	static const char *const paths[] = {
		"/outside", "/outside-abs", "/../secret", "/etc/../../secret", "/top/../../secret"};
	KMLN_TREE struct kmln_tree *tree = NULL;
	KMLN_BUF struct kmln_buf text = {0};
	struct kmln_stat st;
	struct kmln_error err;

	(void)state;
	assert_ok(kmln_tree_folder("root", &tree, &err), err);
	for (size_t i = 0; i < KMLN_COUNT(paths); i++) {
		assert_fails(kmln_tree_load(tree, paths[i], 100, &text, &err), err, ENOENT);
		assert_int_equal(text.size, 0);
	}
	/* past the core, the kind itself refuses both ways out, and links on the way */
	assert_true(tree->ops->stat(tree, "/../secret", &st, &err) < 0);
	assert_int_equal(err.code, EXDEV);
	assert_fails(tree->ops->stat(tree, "/lib/file", &st, &err), err, ELOOP);
	assert_fails(tree->ops->list(tree, "/lib", NULL, &err), err, ENOTDIR);
}

static void test_reading(void **state)
{
	KMLN_TREE struct kmln_tree *tree = NULL;
	KMLN_BUF struct kmln_buf text = {0}, target = {0};
	KMLN_STRV struct kmln_strv names = {0};
	struct kmln_stat st;
	struct kmln_error err;

	(void)state;
	assert_ok(kmln_tree_folder("root", &tree, &err), err);
	assert_ok(kmln_tree_load(tree, "/chain1", 5, &text, &err), err);
	assert_string_equal(text.data, "file\n");
	assert_fails(kmln_tree_load(tree, "/chain1", 4, &text, &err), err, EFBIG);
	assert_fails(kmln_tree_load(tree, "/etc", 100, &text, &err), err, EINVAL);
	/* a fifo without a writer must not make us wait */
	assert_fails(kmln_tree_load(tree, "/fifo", 100, &text, &err), err, EINVAL);

	assert_ok(kmln_tree_stat(tree, "/etc/fstab", &st, &err), err);
	assert_true(S_ISREG(st.mode));
	assert_int_equal(st.mode & 07777, 0640);
	assert_int_equal(st.size, 6);
	assert_ok(kmln_tree_stat(tree, "/abs", &st, &err), err);
	assert_true(S_ISLNK(st.mode));
	assert_ok(kmln_tree_readlink(tree, "/abs", &target, &err), err);
	assert_string_equal(target.data, "/etc/fstab");
	assert_fails(kmln_tree_stat(tree, "/none", &st, &err), err, ENOENT);
	assert_int_equal(strncmp(err.text, "/none: ", 7), 0);

	assert_ok(kmln_tree_names(tree, "/lib", &names, &err), err);
	assert_int_equal(names.count, 1);
	kmln_strv_fini(&names);
	assert_ok(kmln_tree_names(tree, "/", &names, &err), err);
	assert_int_equal(names.count, 20);
	assert_string_equal(names.items[0], "abs");
	assert_string_equal(names.items[19], "\xff\n");
	assert_fails(kmln_tree_names(tree, "/etc/fstab", &names, &err), err, ENOTDIR);
}

static void test_no_folder(void **state)
{
	struct kmln_tree *tree = NULL;
	struct kmln_error err;

	(void)state;
	assert_fails(kmln_tree_folder("nothing", &tree, &err), err, ENOENT);
	assert_fails(kmln_tree_folder("secret", &tree, &err), err, ENOTDIR);
	assert_null(tree);
	assert_int_equal(kmln_tree_close(&tree, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_what_does_not_resolve),
		cmocka_unit_test(test_a_link_never_leads_outside),
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_no_folder),
	};

	return cmocka_run_group_tests_name("folder", tests, set_up, NULL);
}
