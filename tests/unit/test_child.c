// SPDX-License-Identifier: GPL-2.0-or-later
/* Helper programs: statuses, words, descriptors and surroundings, with real children. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/file.h"

static int shell(const char *script, struct kmln_buf *out, struct kmln_buf *errors)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	struct kmln_error err;
	int status = kmln_child_run(&(struct kmln_child){.argv = argv}, out, errors, &err);

	assert_true(status >= 0);
	return status;
}

static void test_statuses(void **state)
{
	(void)state;
	assert_int_equal(shell("exit 0", NULL, NULL), 0);
	assert_int_equal(shell("exit 42", NULL, NULL), 42);
	assert_int_equal(shell("kill -TERM $$", NULL, NULL), 128 + SIGTERM);
	assert_int_equal(shell("kill -KILL $$", NULL, NULL), 128 + SIGKILL);
}

static void test_words_of_both_streams(void **state)
{
	KMLN_BUF struct kmln_buf out = {0}, errors = {0};

	(void)state;
	kmln_buf_str(&out, "before ");
	/* far more than a pipe holds, on both, so that reading only one would hang */
	assert_int_equal(shell("head -c 300000 /dev/zero | tr '\\0' o; "
			       "head -c 300000 /dev/zero | tr '\\0' e >&2; echo end",
				 &out, &errors),
		0);
	assert_int_equal(out.size, 7 + 300000 + 4);
	assert_memory_equal(out.data, "before ooo", 10);
	assert_int_equal(errors.size, 300000);
	kmln_buf_fini(&out);
	/* a flood is read to its end, and not kept */
	assert_int_equal(shell("head -c 20000000 /dev/zero", &out, NULL), 0);
	assert_in_range(out.size, 1 << 20, (1 << 20) + (1 << 16));
}

static void test_missing_programs(void **state)
{
	const char *const none[] = {"kmln-no-such-program", NULL};
	const char *const folder[] = {"/usr/bin/", NULL};
	struct kmln_error err;

	(void)state;
	assert_fails(kmln_child_run(&(struct kmln_child){.argv = none, .package = "some-package"},
			     NULL, NULL, &err),
		err, KMLN_ELACK);
	assert_string_equal(
		err.text, "kmln-no-such-program is not installed (Debian package some-package)");
	assert_fails(kmln_child_run(&(struct kmln_child){.argv = none}, NULL, NULL, &err), err,
		KMLN_ELACK);
	assert_fails(kmln_child_run(&(struct kmln_child){.argv = folder}, NULL, NULL, &err), err,
		KMLN_ELACK);
}

static void test_must_tells_the_last_words(void **state)
{
	const char *const bad[] = {
		"sh", "-c", "echo out; echo one >&2; echo two >&2; exit 3", NULL};
	const char *const quiet[] = {"sh", "-c", "exit 4", NULL};
	const char *const only_out[] = {"sh", "-c", "echo out; exit 5", NULL};
	KMLN_BUF struct kmln_buf out = {0};
	struct kmln_error err;

	(void)state;
	assert_fails(kmln_child_must(&(struct kmln_child){.argv = bad}, &out, &err), err, EIO);
	assert_string_equal(err.text, "sh failed (status 3): one | two");
	assert_string_equal(out.data, "out\n");
	assert_fails(kmln_child_must(&(struct kmln_child){.argv = quiet}, NULL, &err), err, EIO);
	assert_string_equal(err.text, "sh failed (status 4): no words");
	assert_fails(kmln_child_must(&(struct kmln_child){.argv = only_out}, NULL, &err), err, EIO);
	assert_string_equal(err.text, "sh failed (status 5): out");
}

static void test_input_and_surroundings(void **state)
{
	static const char script[] = "cat; echo $LC_ALL,$ADDED,$CHANGED,$GONE,$KEPT";
	const char *const argv[] = {"sh", "-c", script, NULL};
	const char *const env[] = {"ADDED=1", "CHANGED=new", NULL};
	const char *const unset[] = {"GONE", NULL};
	struct kmln_child child = {.argv = argv, .input = "in\n", .env = env, .unset = unset};
	KMLN_BUF struct kmln_buf out = {0};
	struct kmln_error err;

	(void)state;
	setenv("CHANGED", "old", 1);
	setenv("GONE", "here", 1);
	setenv("KEPT", "kept", 1);
	setenv("LC_ALL", "de_DE.UTF-8", 1);
	assert_ok(kmln_child_must(&child, &out, &err), err);
	assert_string_equal(out.data, "in\nC,1,new,,kept\n");
	child.input = NULL;
	kmln_buf_fini(&out);
	assert_ok(kmln_child_must(&child, &out, &err), err);
	assert_string_equal(out.data, "C,1,new,,kept\n");
}

static void test_only_the_kept_descriptor_is_inherited(void **state)
{
	const char *const argv[] = {"sh", "-c", "ls /proc/self/fd", NULL};
	KMLN_FD int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	/* both numbers out of the way of ls's own descriptor, which is the lowest free one */
	KMLN_FD int kept = fcntl(zero, F_DUPFD_CLOEXEC, 50);
	KMLN_FD int other = fcntl(zero, F_DUPFD_CLOEXEC, 60);
	KMLN_BUF struct kmln_buf out = {0};
	KMLN_FREE char *wanted = kmln_printf("\n%d\n", kept);
	KMLN_FREE char *unwanted = kmln_printf("\n%d\n", other);
	struct kmln_error err;

	(void)state;
	assert_ok(kmln_child_must(&(struct kmln_child){.argv = argv, .keep_fd = kept}, &out, &err),
		err);
	assert_non_null(strstr(out.data, wanted));
	assert_null(strstr(out.data, unwanted));
	/* and it is still ours alone afterwards */
	assert_int_equal(fcntl(kept, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

static void test_signals_are_as_new(void **state)
{
	sigset_t blocked, before;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	/* neither blocked nor ignored in the child: both end it */
	assert_int_equal(shell("kill -TERM $$; exit 0", NULL, NULL), 128 + SIGTERM);
	assert_int_equal(shell("kill -PIPE $$; exit 0", NULL, NULL), 128 + SIGPIPE);
	sigprocmask(SIG_SETMASK, &before, NULL);
	signal(SIGPIPE, SIG_DFL);
}

static void test_start_and_wait(void **state)
{
	const char *const argv[] = {"sh", "-c", "echo piece; exit 7", NULL};
	KMLN_FD int out = -1;
	struct kmln_error err;
	char text[32] = "";
	int pid = kmln_child_start(&(struct kmln_child){.argv = argv}, &out, 2, &err);

	(void)state;
	assert_true(pid > 0);
	assert_int_equal(read(out, text, sizeof(text) - 1), 6);
	assert_string_equal(text, "piece\n");
	assert_int_equal(kmln_child_wait(pid, &err), 7);
	assert_fails(kmln_child_wait(pid, &err), err, ECHILD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_words_of_both_streams),
		cmocka_unit_test(test_missing_programs),
		cmocka_unit_test(test_must_tells_the_last_words),
		cmocka_unit_test(test_input_and_surroundings),
		cmocka_unit_test(test_only_the_kept_descriptor_is_inherited),
		cmocka_unit_test(test_signals_are_as_new),
		cmocka_unit_test(test_start_and_wait),
	};

	return cmocka_run_group_tests_name("child", tests, NULL, NULL);
}
