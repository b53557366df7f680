// SPDX-License-Identifier: GPL-2.0-or-later
/* Errors: filled once, wrapped on the way up, harmless to a terminal, never longer than their room.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

static void test_text_and_code(void **state)
{
	struct kmln_error err = {0};

	(void)state;
	assert_int_equal(kmln_fail(&err, ENOENT, "no %s", "root"), -ENOENT);
	assert_string_equal(err.text, "no root");
	assert_int_equal(kmln_fail_sys(&err, EACCES, "%s", "/x"), -EACCES);
	assert_string_equal(err.text, "/x: Permission denied");
	assert_int_equal(kmln_wrap(&err, "read %d", 7), -EACCES);
	assert_string_equal(err.text, "read 7: /x: Permission denied");
	assert_int_equal(err.code, EACCES);
}

static void test_controls_are_escaped(void **state)
{
	struct kmln_error err = {0};

	(void)state;
	kmln_fail(&err, EIO, "a\033[31m\x7f\tb\nc\x01");
	assert_string_equal(err.text, "a\\x1b[31m\\x7f\tb | c\\x01");
	kmln_wrap(&err, "\033]0;x");
	assert_string_equal(err.text, "\\x1b]0;x: a\\x1b[31m\\x7f\tb | c\\x01");
}

static void test_long_texts_are_cut(void **state)
{
	struct kmln_error err = {0};
	char text[2000];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	kmln_fail(&err, EIO, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	kmln_wrap(&err, "outer");
	assert_int_equal(strncmp(err.text, "outer: xxx", 10), 0);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	memset(text, '\033', sizeof(text) - 1);
	kmln_fail_sys(&err, EIO, "%s", text);
	for (const char *c = err.text; *c; c++)
		assert_true(*c >= 0x20);
}

static void test_exit_statuses(void **state)
{
	static const struct {
		int code, status;
	} table[] = {{0, 0}, {EIO, 1}, {KMLN_EUSAGE, 2}, {KMLN_EINVALID, 3}, {KMLN_ENO, 4},
		{KMLN_ELACK, 5}};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct kmln_error err = {.code = table[i].code};

		assert_int_equal(kmln_exit_status(&err), table[i].status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_and_code),
		cmocka_unit_test(test_controls_are_escaped),
		cmocka_unit_test(test_long_texts_are_cut),
		cmocka_unit_test(test_exit_statuses),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
