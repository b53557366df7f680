// SPDX-License-Identifier: GPL-2.0-or-later
/* Debian packages, honest and hostile: nothing is ever made outside the folder. */
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "guest/archive.h"
#include "tar.h"

#define CONTROL "Package: linux-image-1\nArchitecture: amd64\nVersion: 6.1.192-2\nDescription: x\n"

static struct kmln_private place;

static int set_up(void **state)
{
	struct kmln_error err;

	(void)state;
	return kmln_private_open(&place, &err);
}

static int tear_down(void **state)
{
	(void)state;
	kmln_private_cleanup(&place);
	return 0;
}

static char *in_place(const char *name)
{
	return kmln_printf("%s/%s", place.path, name);
}

static void write_deb(const char *version, const char *control, const struct kmln_buf *data)
{
	KMLN_BUF struct kmln_buf deb = {0}, tar = {0};
	KMLN_FREE char *path = in_place("a.deb");
	struct kmln_error err;

	tar_add(&tar, &(struct tar_header){.name = "./", .type = '5', .mode = 0755});
	tar_add(&tar, &(struct tar_header){.name = "./control",
			      .type = '0',
			      .mode = 0644,
			      .data = control,
			      .size = strlen(control)});
	tar_end(&tar);
	ar_add(&deb, "debian-binary", version, strlen(version));
	ar_add(&deb, "control.tar", tar.data, tar.size);
	ar_add(&deb, "data.tar", data->data, data->size);
	assert_int_equal(kmln_replace_file(path, deb.data, deb.size, 0600, &err), 0);
}

/* Unpacks the package into "out", which is new; a file "secret" lies beside it. */
static int unpack(struct kmln_error *err)
{
	KMLN_FREE char *path = in_place("a.deb"), *out = in_place("out");
	KMLN_FREE char *secret = in_place("secret");

	kmln_remove_folder(out, err);
	mkdir(out, 0700);
	assert_int_equal(kmln_replace_file(secret, "x", 1, 0600, err), 0);
	return kmln_deb_unpack(path, out, NULL, NULL, err);
}

static void check_outside(void)
{
	KMLN_FREE char *secret = in_place("secret"), *evil = in_place("evil");
	KMLN_BUF struct kmln_buf text = {0};
	struct kmln_error err;

	assert_int_equal(access(evil, F_OK), -1);
	assert_int_equal(kmln_read_file(secret, 10, &text, &err), 0);
	assert_string_equal(text.data, "x");
}

static void test_unpack(void **state)
{
	KMLN_BUF struct kmln_buf tar = {0};
	KMLN_FREE char *file = in_place("out/lib/a"), *folder = in_place("out/lib");
	KMLN_FREE char *link = in_place("out/lib/deep/l");
	struct kmln_error err = {0};
	struct stat st;

	(void)state;
	tar_add(&tar, &(struct tar_header){.name = "./", .type = '5', .mode = 0755});
	tar_add(&tar,
		&(struct tar_header){.name = "./lib/", .type = '5', .mode = 0750, .mtime = 1000});
	tar_add(&tar, &(struct tar_header){.name = "./lib/a",
			      .type = '0',
			      .mode = 04755,
			      .mtime = 1234567890,
			      .data = "hello",
			      .size = 5});
	tar_add(&tar, &(struct tar_header){.name = "./lib/deep/l",
			      .type = '2',
			      .mode = 0777,
			      .link = "../../lib/a",
			      .mtime = 77});
	tar_end(&tar);
	write_deb("2.0\n", CONTROL, &tar);
	assert_int_equal(unpack(&err), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0755);
	assert_int_equal(st.st_mtime, 1234567890);
	assert_int_equal(st.st_size, 5);
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0750);
	assert_int_equal(st.st_mtime, 1000);
	assert_int_equal(lstat(link, &st), -1);
}

static void test_control(void **state)
{
	static const struct {
		const char *control, *words; /* NULL: good */
	} table[] = {
		{CONTROL, NULL},
		{"Version: 1:2.0~rc1+b1\r\nArchitecture:all \nPackage:\tx\n", NULL},
		{"Package: ../x\nVersion: 1\nArchitecture: all\n", "no valid Package"},
		{"Package: .x\nVersion: 1\nArchitecture: all\n", "no valid Package"},
		{"Package: x\nVersion: a/b\nArchitecture: all\n", "no valid Version"},
		{"Package: x\nVersion: 1\nArchitecture:\n", "no valid Architecture"},
		{"Package: x\nVersion: 1\n", "no valid Architecture"},
		{"", "no valid Package"},
	};
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_FREE char *path = in_place("a.deb");
	KMLN_BUF struct kmln_buf empty = {0};
	struct kmln_error err;
	struct kmln_deb deb;

	(void)state;
	tar_end(&empty);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		write_deb("2.0\n", table[i].control, &empty);
		if (table[i].words) {
			assert_int_equal(kmln_deb_read(path, pool, &deb, &err), -KMLN_EINVALID);
			assert_non_null(strstr(err.text, table[i].words));
		} else {
			assert_int_equal(kmln_deb_read(path, pool, &deb, &err), 0);
		}
	}
	write_deb("2.0\n", CONTROL, &empty);
	assert_int_equal(kmln_deb_read(path, pool, &deb, &err), 0);
	assert_string_equal(deb.package, "linux-image-1");
	assert_string_equal(deb.version, "6.1.192-2");
	assert_string_equal(deb.architecture, "amd64");
	assert_int_equal(kmln_deb_read("/nowhere.deb", pool, &deb, &err), -ENOENT);
}

static void test_hostile_entries(void **state)
{
	static const struct {
		struct tar_header header;
		const char *words;
	} table[] = {
		{{.name = "../evil", .type = '0', .data = "e", .size = 1}, "'..'"},
		{{.name = "./a/../../evil", .type = '0', .data = "e", .size = 1}, "'..'"},
		{{.name = "/evil", .type = '0', .data = "e", .size = 1}, "absolute"},
		{{.name = "../evil", .type = '5'}, "'..'"},
		{{.name = "h", .type = '1', .link = "../secret"}, "hard link"},
		{{.name = "c", .type = '3', .major = 1, .minor = 3},
			"neither file, folder nor link"},
		{{.name = "f", .type = '6'}, "neither file, folder nor link"},
		{{.name = ".", .type = '0', .data = "e", .size = 1}, "root"},
	};
	struct kmln_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		KMLN_BUF struct kmln_buf tar = {0};

		tar_add(&tar, &table[i].header);
		tar_end(&tar);
		write_deb("2.0\n", CONTROL, &tar);
		assert_int_equal(unpack(&err), -KMLN_EINVALID);
		if (!strstr(err.text, table[i].words))
			fail_msg("%zu: %s", i, err.text);
		check_outside();
	}
}

/* Links are left out, so none can lead a later entry, or who works in the folder, elsewhere. */
static void test_links(void **state)
{
	static const char *const targets[] = {"real", "/etc", "..", "b/../../../x"};
	KMLN_FREE char *through = in_place("out/l/f"), *real = in_place("out/real/f");
	struct stat st;

	(void)state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		KMLN_BUF struct kmln_buf tar = {0};
		struct kmln_error err = {0};

		tar_add(&tar, &(struct tar_header){.name = "./real/", .type = '5', .mode = 0755});
		tar_add(&tar, &(struct tar_header){.name = "./l", .type = '2', .link = targets[i]});
		tar_add(&tar, &(struct tar_header){.name = "./l/f",
				      .type = '0',
				      .mode = 0600,
				      .data = "e",
				      .size = 1});
		tar_end(&tar);
		write_deb("2.0\n", CONTROL, &tar);
		assert_int_equal(unpack(&err), 0);
		assert_int_equal(lstat(through, &st), 0);
		assert_int_equal(access(real, F_OK), -1);
		check_outside();
	}
}

static void test_not_packages(void **state)
{
	KMLN_FREE char *path = in_place("a.deb");
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_BUF struct kmln_buf empty = {0}, deb = {0};
	struct kmln_error err;
	struct kmln_deb read;

	(void)state;
	tar_end(&empty);
	write_deb("3.0\n", CONTROL, &empty);
	assert_int_equal(kmln_deb_read(path, pool, &read, &err), -KMLN_EINVALID);
	assert_non_null(strstr(err.text, "only 2 is known"));
	assert_int_equal(kmln_replace_file(path, "", 0, 0600, &err), 0);
	assert_int_equal(unpack(&err), -KMLN_EINVALID);
	assert_int_equal(kmln_replace_file(path, "text\n", 5, 0600, &err), 0);
	assert_int_equal(unpack(&err), -KMLN_EINVALID);
	assert_non_null(strstr(err.text, "not a Debian package"));
	ar_add(&deb, "hello.c", "x", 1);
	assert_int_equal(kmln_replace_file(path, deb.data, deb.size, 0600, &err), 0);
	assert_int_equal(unpack(&err), -KMLN_EINVALID);
	ar_add(&deb, "debian-binary", "2.0\n", 4);
	assert_int_equal(kmln_replace_file(path, deb.data, deb.size, 0600, &err), 0);
	assert_int_equal(unpack(&err), -KMLN_EINVALID);
}

/* Cut anywhere: an error, never half a package taken for a whole one. */
static void test_truncated(void **state)
{
	KMLN_BUF struct kmln_buf tar = {0}, whole = {0};
	KMLN_FREE char *path = in_place("a.deb");
	char content[3000];
	struct kmln_error err;
	size_t end;

	(void)state;
	memset(content, 'c', sizeof(content));
	tar_add(&tar, &(struct tar_header){.name = "./f",
			      .type = '0',
			      .mode = 0644,
			      .data = content,
			      .size = sizeof(content)});
	end = tar.size;
	tar_end(&tar);
	write_deb("2.0\n", CONTROL, &tar);
	assert_int_equal(unpack(&err), 0);
	assert_int_equal(kmln_read_file(path, 1 << 20, &whole, &err), 0);
	for (size_t size = 0; size < whole.size - (tar.size - end); size += 97) {
		assert_int_equal(kmln_replace_file(path, whole.data, size, 0600, &err), 0);
		assert_int_equal(unpack(&err), -KMLN_EINVALID);
		check_outside();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unpack),
		cmocka_unit_test(test_control),
		cmocka_unit_test(test_hostile_entries),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_not_packages),
		cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests_name("deb", tests, set_up, tear_down);
}
