// SPDX-License-Identifier: GPL-2.0-or-later
/* JSON out of whatever bytes a guest holds. */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/json.h"

/* Takes `value` over. */
static void assert_prints(struct kmln_json *value, const char *wanted)
{
	KMLN_FREE char *text = NULL;
	struct kmln_error err;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	assert_ok(kmln_json_print_free(value, to, &err), err);
	fclose(to);
	assert_string_equal(text, wanted);
}

/* One value between brackets: jansson prints no bare values. */
static struct kmln_json *one(struct kmln_json *value)
{
	struct kmln_json *array = kmln_json_array();

	kmln_json_add(array, value);
	return array;
}

static void test_tree(void **state)
{
	struct kmln_json *root = kmln_json_object(), *list;

	(void)state;
	kmln_json_set(root, "z", kmln_json_text("last letter first"));
	list = kmln_json_set(root, "list", kmln_json_array());
	kmln_json_add(list, kmln_json_number(7));
	kmln_json_add(list, kmln_json_bool(false));
	kmln_json_add(list, kmln_json_text(NULL));
	kmln_json_add(list, kmln_json_real(0.5));
	assert_prints(root,
		"{\n  \"z\": \"last letter first\",\n  \"list\": [\n    7,\n    false,\n    null,\n"
		"    0.5\n  ]\n}\n");
}

static void test_bytes_that_are_no_utf8(void **state)
{
	static const struct {
		const char *text, *json;
	} table[] = {
		{"", "\"\""},
		{"gr\xc3\xb6\xc3\x9f"
		 "e",
			"\"gr\xc3\xb6\xc3\x9f"
			"e\""},
		{"latin \xe4", "\"latin \\\\xe4\""},
		{"\xff\xfe", "\"\\\\xff\\\\xfe\""},
		{"cut \xe6\x97", "\"cut \\\\xe6\\\\x97\""},
		{"over \xc0\xaf", "\"over \\\\xc0\\\\xaf\""},
		{"sur \xed\xa0\x80", "\"sur \\\\xed\\\\xa0\\\\x80\""},
		{"\033\n\"\\", "\"\\u001B\\n\\\"\\\\\""},
	};

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(table); i++) {
		KMLN_FREE char *wanted = kmln_printf("[\n  %s\n]\n", table[i].json);

		assert_prints(one(kmln_json_text(table[i].text)), wanted);
	}
}

static void test_keys_may_be_any_bytes(void **state)
{
	struct kmln_json *root = kmln_json_object();

	(void)state;
	kmln_json_set(root, "eth\xff", kmln_json_bool(true));
	assert_prints(root, "{\n  \"eth\\\\xff\": true\n}\n");
}

static void test_numbers_at_the_edge(void **state)
{
	(void)state;
	assert_prints(one(kmln_json_number(INT64_MAX)), "[\n  9223372036854775807\n]\n");
	assert_prints(one(kmln_json_number(UINT64_MAX)), "[\n  9223372036854775807\n]\n");
	assert_prints(one(kmln_json_real(NAN)), "[\n  null\n]\n");
	assert_prints(one(kmln_json_real(INFINITY)), "[\n  null\n]\n");
}

static void test_output_that_fails(void **state)
{
	FILE *to = fopen("/dev/full", "w");
	struct kmln_error err;

	(void)state;
	assert_non_null(to);
	setvbuf(to, NULL, _IONBF, 0);
	assert_fails(kmln_json_print_free(one(kmln_json_number(1)), to, &err), err, EIO);
	fclose(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_bytes_that_are_no_utf8),
		cmocka_unit_test(test_keys_may_be_any_bytes),
		cmocka_unit_test(test_numbers_at_the_edge),
		cmocka_unit_test(test_output_that_fails),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
