// SPDX-License-Identifier: GPL-2.0-or-later
/* Programs that only kmln starts are found beside the running one, and nowhere in PATH. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/helper.h"

static void test_beside_the_running_program(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_error err;
	const char *path;

	(void)state;
	assert_ok(kmln_find_helper(pool, "test_helper", &path, &err), err);
	assert_int_equal(path[0], '/');
	assert_true(kmln_ends(path, "/tests/unit/test_helper"));
	assert_int_equal(access(path, X_OK), 0);
}

static void test_not_in_path(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_error err;
	const char *path;

	(void)state;
	assert_int_equal(access("/bin/sh", X_OK), 0);
	assert_fails(kmln_find_helper(pool, "sh", &path, &err), err, KMLN_ELACK);
	assert_non_null(strstr(err.text, "sh is neither beside kmln nor in /"));
	/* a folder is no program */
	assert_fails(kmln_find_helper(pool, "", &path, &err), err, KMLN_ELACK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_beside_the_running_program),
		cmocka_unit_test(test_not_in_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
