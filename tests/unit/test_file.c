// SPDX-License-Identifier: GPL-2.0-or-later
/* Files of the host. The runner starts this in an empty scratch folder. */
#include "unit.h"

#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static void write_text(const char *path, const char *text)
{
	struct kmln_error err;

	assert_ok(kmln_replace_file(path, text, strlen(text), 0644, &err), err);
}

static void test_whole_reads(void **state)
{
	KMLN_FD int fd = -1;
	KMLN_BUF struct kmln_buf buf = {0};
	struct kmln_error err;
	char bytes[8];

	(void)state;
	write_text("ten", "0123456789");
	fd = kmln_open("ten", O_RDWR, 0, &err);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_ok(kmln_pread_all(fd, bytes, 8, 2, &err), err);
	assert_memory_equal(bytes, "23456789", 8);
	assert_fails(kmln_pread_all(fd, bytes, 8, 3, &err), err, KMLN_EINVALID);
	assert_string_equal(err.text, "ends at byte 10, 1 bytes early");
	assert_ok(kmln_pwrite_all(fd, "xy", 2, 9, &err), err);
	kmln_buf_str(&buf, ">");
	assert_ok(kmln_read_file("ten", 11, &buf, &err), err);
	assert_string_equal(buf.data, ">012345678xy");
	assert_fails(kmln_read_file("ten", 10, &buf, &err), err, EFBIG);
	assert_fails(kmln_open("none", O_RDONLY, 0, &err), err, ENOENT);
	assert_string_equal(err.text, "none: No such file or directory");
}

static void test_replace_is_whole_or_nothing(void **state)
{
	KMLN_BUF struct kmln_buf buf = {0};
	KMLN_FREE char *big = calloc(1, 100000);
	struct rlimit old, small = {4096, 4096};
	struct kmln_error err;
	struct stat st;
	glob_t found;

	(void)state;
	write_text("file", "old");
	assert_ok(kmln_replace_file("file", "new!", 4, 0600, &err), err);
	assert_int_equal(stat("file", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	/* no room: the old content stays, and nothing is left beside it */
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_FSIZE, &small);
	assert_fails(kmln_replace_file("file", big, 100000, 0600, &err), err, EFBIG);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_ok(kmln_read_file("file", 100, &buf, &err), err);
	assert_string_equal(buf.data, "new!");
	assert_int_equal(glob("file*", 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	globfree(&found);
	assert_fails(kmln_replace_file("no/where", "x", 1, 0600, &err), err, ENOENT);
}

static void test_folders(void **state)
{
	struct kmln_error err;
	struct stat st;

	(void)state;
	assert_ok(kmln_make_folders("a/b/c", &err), err);
	assert_ok(kmln_make_folders("a/b/c", &err), err);
	assert_ok(kmln_make_folders("/", &err), err);
	assert_int_equal(stat("a/b", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	write_text("a/file", "x");
	assert_fails(kmln_make_folders("a/file", &err), err, ENOTDIR);
	assert_fails(kmln_make_folders("a/file/d", &err), err, ENOTDIR);
	assert_fails(kmln_make_folders("", &err), err, ENOENT);

	/* removing follows no link */
	assert_ok(kmln_make_folders("kept", &err), err);
	write_text("kept/file", "x");
	assert_int_equal(symlink("../../kept", "a/b/link"), 0);
	assert_ok(kmln_remove_folder("a", &err), err);
	assert_int_equal(access("a", F_OK), -1);
	assert_int_equal(access("kept/file", F_OK), 0);
	assert_ok(kmln_remove_folder("a", &err), err);
}

static void test_private_folder_goes_by_itself(void **state)
{
	KMLN_FREE char *path = NULL;

	(void)state;
	{
		KMLN_PRIVATE struct kmln_private dir = {0};
		KMLN_FREE char *file = NULL;
		struct kmln_error err;
		struct stat st;

		assert_ok(kmln_private_open(&dir, &err), err);
		path = kmln_strdup(dir.path);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0700);
		file = kmln_printf("%s/file", path);
		write_text(file, "x");
	}
	assert_int_equal(access(path, F_OK), -1);
}

static void test_xdg_folders(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();

	(void)state;
	setenv("HOME", "/h", 1);
	unsetenv("KMLN_HOME");
	unsetenv("XDG_CACHE_HOME");
	unsetenv("XDG_RUNTIME_DIR");
	setenv("TMPDIR", "/t", 1);
	assert_string_equal(kmln_folder(pool, KMLN_FOLDER_CACHE, NULL), "/h/.cache/kmln");
	assert_string_equal(kmln_folder(pool, KMLN_FOLDER_DATA, "x"), "/h/.local/share/kmln/x");
	assert_string_equal(kmln_folder(pool, KMLN_FOLDER_STATE, NULL), "/h/.local/state/kmln");
	assert_string_equal(kmln_folder(pool, KMLN_FOLDER_RUNTIME, NULL),
		kmln_pool_printf(pool, "/t/kmln-%u", (unsigned)getuid()));
	setenv("XDG_CACHE_HOME", "/c", 1);
	assert_string_equal(kmln_folder(pool, KMLN_FOLDER_CACHE, "kits/a"), "/c/kmln/kits/a");
	/* XDG: what is not absolute counts as not set */
	setenv("XDG_CACHE_HOME", "c", 1);
	assert_string_equal(kmln_folder(pool, KMLN_FOLDER_CACHE, NULL), "/h/.cache/kmln");
	setenv("KMLN_HOME", "/k", 1);
	assert_string_equal(kmln_folder(pool, KMLN_FOLDER_CACHE, "x"), "/k/cache/x");
	assert_string_equal(kmln_folder(pool, KMLN_FOLDER_RUNTIME, NULL), "/k/run");
	unsetenv("TMPDIR");
}

static void test_programs(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_FREE char *path = kmln_strdup(getenv("PATH"));
	KMLN_FREE char *here = getcwd(NULL, 0);
	struct kmln_error err;

	(void)state;
	assert_ok(kmln_make_folders("bin/folder", &err), err);
	write_text("bin/text", "x");
	write_text("bin/program", "x");
	assert_int_equal(chmod("bin/program", 0755), 0);
	setenv("PATH", kmln_pool_printf(pool, "relative:%s/bin", here), 1);
	assert_string_equal(
		kmln_find_program(pool, "program"), kmln_pool_printf(pool, "%s/bin/program", here));
	assert_null(kmln_find_program(pool, "folder"));
	assert_null(kmln_find_program(pool, "text"));
	/* the system's own programs are found whatever PATH says */
	assert_non_null(kmln_find_program(pool, "mke2fs"));
	setenv("PATH", path, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_reads),
		cmocka_unit_test(test_replace_is_whole_or_nothing),
		cmocka_unit_test(test_folders),
		cmocka_unit_test(test_private_folder_goes_by_itself),
		cmocka_unit_test(test_xdg_folders),
		cmocka_unit_test(test_programs),
	};

	return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
