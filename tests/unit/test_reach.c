// SPDX-License-Identifier: GPL-2.0-or-later
/* The pure parts of reaching into machines: lines with names, words, places, paths, lists. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cp-words.h"
#include "cli/exec-words.h"
#include "cli/output.h"
#include "cli/ssh.h"
#include "cluster/guest.h"
#include "cluster/landing.h"

int kmln_verbosity;

/* ---- lines ---- */

static void check_lines(struct kmln_prefixer prefixer, const char *in, const char *wanted)
{
	KMLN_BUF struct kmln_buf out = {0};
	size_t size = strlen(in);

	/* in one piece, and byte by byte */
	for (size_t piece = size; piece; piece = piece > 1 ? 1 : 0) {
		out.size = 0;
		for (size_t at = 0; at < size; at += piece)
			kmln_prefixer_add(&prefixer, in + at, piece, &out);
		kmln_prefixer_end(&prefixer, &out);
		kmln_buf_add(&out, "", 0);
		assert_string_equal(out.data, wanted);
	}
	kmln_buf_fini(&prefixer.line);
}

static void lines(void **state)
{
	const struct kmln_prefixer plain = {.name = "a"}, shown = {.name = "a", .harmless = true},
				   color = {.name = "a", .color = "32"}, none = {.harmless = true};

	(void)state;
	check_lines(plain, "one\ntwo", "a: one\na: two\n");
	check_lines(plain, "\n\nx\r\n\033[1m", "a: \na: \na: x\r\na: \033[1m\n");
	check_lines(color, "x\n", "\033[32ma:\033[0m x\n");
	check_lines(shown, "x\r\n\033[31mred\033[0m\ty\n", "a: x\na: red\ty\n");
	check_lines(shown, "\033]0;t\a\033[\xff\xc3\xa4\xe2\x80\xae\n",
		"a: \\x1b]0;t\\x07\\x1b[\\xff\xc3\xa4\\xe2\\x80\\xae\n");
	check_lines(none, "x\ay", "x\\x07y\n");
}

static void long_lines(void **state)
{
	struct kmln_prefixer prefixer = {.name = "a"};
	KMLN_BUF struct kmln_buf in = {0}, out = {0};

	(void)state;
	memset(kmln_buf_grow(&in, 3 * KMLN_OUTPUT_LINE), 'x', 3 * KMLN_OUTPUT_LINE);
	kmln_prefixer_add(&prefixer, in.data, in.size, &out);
	kmln_prefixer_add(&prefixer, "\n", 1, &out);
	assert_int_equal(out.size, 3 * (KMLN_OUTPUT_LINE + strlen("a: \n")));
	assert_true(prefixer.line.size == 0 && prefixer.line.room < 4 * KMLN_OUTPUT_LINE);
	kmln_buf_fini(&prefixer.line);
}

/* ---- the words of exec ---- */

struct values {
	bool all, terminal;
	const char *user;
};

static const struct kmln_opt opts[] = {
	{"all", 'a', KMLN_OPT_FLAG, NULL, "", offsetof(struct values, all), NULL},
	{"terminal", 't', KMLN_OPT_FLAG, NULL, "", offsetof(struct values, terminal), NULL},
	{"user", 'u', KMLN_OPT_TEXT, "USER", "", offsetof(struct values, user), NULL},
	KMLN_OPT_END,
};
static const struct kmln_command command = {.name = "exec", .opts = opts};

/* Words with blanks between; hosts, a bar and the command are wanted. */
static void check_words(const char *line, const char *wanted, struct values *values)
{
	char copy[256], *argv[32], *rest = copy;
	KMLN_BUF struct kmln_buf got = {0};
	int argc = 0, hosts = 0, words = 0;
	struct kmln_error err = {0};
	bool help = false;

	*values = (struct values){0};
	snprintf(copy, sizeof(copy), "%s", line);
	while (argc < 31 && (argv[argc] = strsep(&rest, " ")))
		argc++;
	assert_ok(kmln_exec_words(
			  &command, values, &values->all, argc, argv, &hosts, &words, &help, &err),
		err);
	for (int i = 0; i < words; i++)
		kmln_buf_printf(&got, "%s%s", i == hosts ? "| " : "", argv[i]),
			kmln_buf_str(&got, i + 1 < words ? " " : "");
	kmln_buf_add(&got, "", 0);
	assert_string_equal(got.data, wanted);
	/* what the texts point to is gone */
	values->user = values->user ? "set" : NULL;
}

static void words_of_exec(void **state)
{
	struct values v;

	(void)state;
	check_words("gw ls -l --all", "gw | ls -l --all", &v);
	assert_false(v.all);
	check_words("-t gw -u ada sh -u x", "gw | sh -u x", &v);
	assert_true(v.terminal && v.user);
	check_words("gw a -- ls -t", "gw a | ls -t", &v);
	assert_false(v.terminal);
	check_words("gw -t a -- ls -- x", "gw a | ls -- x", &v);
	assert_true(v.terminal);
	check_words("--all ls -a", "| ls -a", &v);
	check_words("-a -- -x", "| -x", &v);
	check_words("ls --all", "ls", &v);
	check_words("gw -- ", "gw | ", &v);
	check_words("gw --", "gw", &v);
	check_words("gw", "gw", &v);
}

/* ---- the words of cp, and of ssh ---- */

static void check_place(const char *word, const char *host, const char *path)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_place_word place = kmln_place_read(pool, word);

	assert_string_equal(place.path, path);
	assert_true(host ? kmln_eq(place.host, host) : !place.host);
	assert_int_equal(place.stream, kmln_eq(word, "-"));
}

static void places(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();

	(void)state;
	check_place("gw:/etc/fstab", "gw", "/etc/fstab");
	check_place("gw:etc", "gw", "/etc");
	check_place("gw:", "gw", "/");
	check_place("gw:a:b", "gw", "/a:b");
	check_place("./gw:a", NULL, "./gw:a");
	check_place("/x:y", NULL, "/x:y");
	check_place(":x", NULL, ":x");
	check_place("file", NULL, "file");
	check_place("-", NULL, "-");
	assert_string_equal(kmln_place_base(pool, "/a/b/"), "b");
	assert_string_equal(kmln_place_base(pool, "b"), "b");
	assert_string_equal(kmln_place_base(pool, "/"), "");
	assert_string_equal(kmln_place_base(pool, "a/.."), "");
	assert_string_equal(kmln_place_base(pool, "a/./"), "");
	assert_string_equal(kmln_place_join(pool, "/", "x"), "/x");
	assert_string_equal(kmln_place_join(pool, "a", ""), "a");
	assert_string_equal(kmln_place_join(pool, "", "a"), "a");
	assert_string_equal(kmln_place_join(pool, "a", "b"), "a/b");
}

static void settings_of_ssh(void **state)
{
	const struct kmln_store store = {.project = "net", .folder = "/my \"data\"/100%"};
	KMLN_STRV struct kmln_strv settings = {0};

	(void)state;
	kmln_ssh_settings(&store, "gw", "ada", "/it's/50%/kmln", "/ho me", &settings);
	assert_true(kmln_strv_has(&settings,
		"ProxyCommand env 'KMLN_HOME=/ho me' '/it'\\''s/50%%/kmln' "
		"_connect -p net gw 22"));
	assert_true(kmln_strv_has(
		&settings, "UserKnownHostsFile \"/my \\\"data\\\"/100%%/known_hosts\""));
	assert_true(kmln_strv_has(&settings, "HostKeyAlias gw.net"));
	assert_true(kmln_strv_has(&settings, "StrictHostKeyChecking accept-new"));
}

/* ---- what a hostile guest names ---- */

static void paths(void **state)
{
	static const char *const inside[] = {"a", "a/b", "...", ".a", "..a/b", "\xff\n", "a b"};
	static const char *const outside[] = {
		"", "/a", "a/", "a//b", ".", "..", "../x", "a/..", "a/../b", "./a", "a/."};
	char long_name[300];

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(inside); i++)
		assert_true(kmln_path_stays_inside(inside[i]));
	for (size_t i = 0; i < KMLN_COUNT(outside); i++)
		assert_false(kmln_path_stays_inside(outside[i]));
	memset(long_name, 'x', sizeof(long_name));
	long_name[299] = '\0';
	assert_false(kmln_path_stays_inside(long_name));
	long_name[255] = '\0';
	assert_true(kmln_path_stays_inside(long_name));
}

static int read_entry(const char *line, struct kmln_guest_entry *entry, struct kmln_error *err)
{
	static struct kmln_buf texts[2];
	int r;

	kmln_buf_fini(&texts[0]);
	kmln_buf_fini(&texts[1]);
	r = line ? kmln_guest_entry_read(line, strlen(line), texts, entry, err) : 0;
	return r;
}

static void entries(void **state)
{
	struct kmln_guest_entry e;
	struct kmln_error err;

	(void)state;
	assert_ok(
		read_entry("{\"path\": \"a/b\", \"kind\": \"file\", \"mode\": 33261, \"size\": 7}",
			&e, &err),
		err);
	assert_true(e.kind == KMLN_GUEST_FILE && kmln_eq(e.path, "a/b") && !e.target);
	assert_true(e.mode == 0755 && e.size == 7);
	assert_ok(
		read_entry("{\"bytes\": \"ff0A\", \"kind\": \"link\", \"target_bytes\": \"2ffe\"}",
			&e, &err),
		err);
	assert_true(kmln_eq(e.path, "\xff\n") && kmln_eq(e.target, "/\xfe"));
	assert_ok(read_entry("{\"path\": \"\", \"kind\": \"other\", \"size\": -3, \"mode\": \"x\"}",
			  &e, &err),
		err);
	assert_true(e.kind == KMLN_GUEST_OTHER && e.size == 0 && e.mode == 0);
	assert_fails(read_entry("{\"path\": \"a\"}", &e, &err), err, KMLN_EINVALID);
	assert_fails(read_entry("{\"kind\": \"file\"}", &e, &err), err, KMLN_EINVALID);
	assert_fails(
		read_entry("{\"bytes\": \"6\", \"kind\": \"file\"}", &e, &err), err, KMLN_EINVALID);
	assert_fails(read_entry("{\"bytes\": \"6100\", \"kind\": \"file\"}", &e, &err), err,
		KMLN_EINVALID);
	assert_fails(read_entry("{\"bytes\": \"zz\", \"kind\": \"file\"}", &e, &err), err,
		KMLN_EINVALID);
	assert_fails(
		read_entry("{\"path\": \"a\", \"kind\": \"link\"}", &e, &err), err, KMLN_EINVALID);
	assert_fails(read_entry("[]", &e, &err), err, KMLN_EINVALID);
	read_entry(NULL, &e, &err);
}

/* ---- landing ---- */

static int land(
	struct kmln_landing *landing, const char *path, const char *text, struct kmln_error *err)
{
	KMLN_FD int fd = kmln_landing_file(landing, path, err);

	if (fd < 0)
		return fd;
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return kmln_landing_publish(landing, path, fd, 06755, err);
}

static void landing(void **state)
{
	KMLN_PRIVATE struct kmln_private dir = {0};
	KMLN_FREE char *root_path = NULL, *outside = NULL, *file = NULL;
	KMLN_LANDING struct kmln_landing landing = KMLN_LANDING_AT(-1);
	KMLN_BUF struct kmln_buf text = {0};
	KMLN_FD int root = -1;
	struct kmln_error err;
	struct stat st;

	(void)state;
	assert_ok(kmln_private_open(&dir, &err), err);
	root_path = kmln_printf("%s/in", dir.path);
	outside = kmln_printf("%s/secret", dir.path);
	assert_ok(kmln_make_folders(root_path, &err), err);
	assert_ok(kmln_replace_file(outside, "secret", 6, 0600, &err), err);
	root = kmln_open(root_path, O_RDONLY | O_DIRECTORY, 0, &err);
	landing.root = root;

	assert_fails(land(&landing, "../secret", "x", &err), err, KMLN_EINVALID);
	assert_fails(kmln_landing_folder(&landing, "..", 0755, &err), err, KMLN_EINVALID);
	assert_fails(kmln_landing_link(&landing, "/x", "y", &err), err, KMLN_EINVALID);

	/* a link out, and what is "below" it, or has its name */
	assert_ok(kmln_landing_link(&landing, "out", "..", &err), err);
	assert_fails(land(&landing, "out/secret", "x", &err), err, ENOTDIR);
	assert_fails(kmln_landing_folder(&landing, "out", 0755, &err), err, ENOTDIR);
	assert_ok(kmln_landing_link(&landing, "file", "../secret", &err), err);
	assert_ok(land(&landing, "file", "mine", &err), err);
	assert_ok(kmln_read_file(outside, 100, &text, &err), err);
	assert_string_equal(text.data, "secret");
	assert_true(fstatat(root, "file", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0755);

	/* nothing of ours stays behind, a folder is never replaced, a pipe neither */
	assert_ok(kmln_landing_folder(&landing, "folder", 0555, &err), err);
	assert_ok(land(&landing, "folder/in", "x", &err), err);
	assert_fails(land(&landing, "folder", "x", &err), err, EISDIR);
	file = kmln_printf("%s/pipe", root_path);
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_fails(land(&landing, "pipe", "x", &err), err, EEXIST);
	assert_ok(kmln_landing_finish(&landing, &err), err);
	assert_true(fstatat(root, "folder", &st, 0) == 0 && (st.st_mode & 07777) == 0555);
	assert_int_equal(fchmodat(root, "folder", 0755, 0), 0);
	assert_int_equal(unlinkat(root, "folder/in", 0), 0);
	assert_int_equal(unlinkat(root, "folder", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(root, "pipe", 0), 0);
	assert_int_equal(unlinkat(root, "out", 0), 0);
	assert_int_equal(unlinkat(root, "file", 0), 0);
	assert_int_equal(rmdir(root_path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(words_of_exec),
		cmocka_unit_test(places),
		cmocka_unit_test(settings_of_ssh),
		cmocka_unit_test(paths),
		cmocka_unit_test(entries),
		cmocka_unit_test(landing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
