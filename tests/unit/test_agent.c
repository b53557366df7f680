// SPDX-License-Identifier: GPL-2.0-or-later
/* What kmln-agent reads: lines, requests, base64, users. */
#include "unit.h"

#include <string.h>

#include "agent/agent.h"
#include "text/base64.h"

static void test_lines(void **state)
{
	static const char text[] = "rubbish\xff{\"a\":1}\n\n\r\nlast\nnot whole";
	static const char *const wanted[] = {"{\"a\":1}", "\r", "last"};
	struct agent_lines lines = {0};
	const char *data = text;
	size_t size = sizeof(text) - 1;

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(wanted); i++) {
		assert_true(agent_lines_take(&lines, &data, &size));
		assert_string_equal(lines.text.data, wanted[i]);
	}
	assert_false(agent_lines_take(&lines, &data, &size));
	assert_int_equal(size, 0);
	kmln_buf_fini(&lines.text);
}

static void test_long_line(void **state)
{
	KMLN_BUF struct kmln_buf text = {0};
	struct agent_lines lines = {0};
	const char *data;
	size_t size;

	(void)state;
	memset(kmln_buf_grow(&text, AGENT_LINE_MAX + 1), 'x', AGENT_LINE_MAX + 1);
	kmln_buf_str(&text, "\nshort\n");
	data = text.data;
	size = text.size;
	assert_true(agent_lines_take(&lines, &data, &size));
	assert_string_equal(lines.text.data, "short");
	kmln_buf_fini(&lines.text);
}

static void test_base64(void **state)
{
	static const struct {
		const char *bytes, *text;
	} table[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
		{"\xff\xfe\xfd", "//79"}};
	static const char *const bad[] = {
		"Zg=", "Zg", "Z===", "====", "Z=g=", "Zg==Zg==", "Z\xff=="};

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(table); i++) {
		KMLN_BUF struct kmln_buf text = {0}, bytes = {0};

		kmln_base64_add(&text, table[i].bytes, strlen(table[i].bytes));
		assert_string_equal(text.data, table[i].text);
		assert_true(kmln_base64_read(table[i].text, &bytes));
		assert_int_equal(bytes.size, strlen(table[i].bytes));
		assert_memory_equal(bytes.data ? bytes.data : "", table[i].bytes, bytes.size);
	}
	for (size_t i = 0; i < KMLN_COUNT(bad); i++) {
		KMLN_BUF struct kmln_buf bytes = {0};

		assert_false(kmln_base64_read(bad[i], &bytes));
	}
}

static void test_users(void **state)
{
	static const char passwd[] = "# comment\nroot:x:0:0:root:/root:/bin/sh\nbroken:x:y:1\n"
				     "ada:x:1000:100:Ada:/home/ada:/bin/bash\nbare:x:7:7";
	static const char group[] = "root:x:0:\nusers:x:100:ada\nkvm:x:105:bob,ada\nlab:x:9:adam";
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct agent_user user;

	(void)state;
	assert_true(agent_user_find(passwd, group, "ada", pool, &user));
	assert_int_equal(user.uid, 1000);
	assert_int_equal(user.group_count, 2);
	assert_int_equal(user.groups[0], 100);
	assert_int_equal(user.groups[1], 105);
	assert_string_equal(user.shell, "/bin/bash");
	assert_true(agent_user_find(passwd, group, "1000", pool, &user));
	assert_string_equal(user.name, "ada");
	assert_true(agent_user_find(passwd, group, "bare", pool, &user));
	assert_string_equal(user.home, "/");
	assert_string_equal(user.shell, "/bin/sh");
	assert_false(agent_user_find(passwd, group, "broken", pool, &user));
	assert_false(agent_user_find(passwd, group, "", pool, &user));
	assert_false(agent_user_find("", "", "root", pool, &user));
}

static void test_paths(void **state)
{
	static const struct {
		const char *request, *path;
	} table[] = {{"{\"path\":\"/a b\"}", "/a b"}, {"{\"bytes\":\"2fFF\"}", "/\xff"},
		{"{\"path\":\"a\"}", NULL}, {"{\"bytes\":\"2f0\"}", NULL},
		{"{\"bytes\":\"2f00\"}", NULL}, {"{\"bytes\":\"\"}", NULL}, {"{}", NULL}};

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(table); i++) {
		KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
		KMLN_JSON struct kmln_json *request = NULL;
		struct kmln_error err;
		const char *path;

		assert_ok(
			kmln_json_parse(table[i].request, strlen(table[i].request), &request, &err),
			err);
		if (!table[i].path) {
			assert_fails(agent_path(request, pool, &path, &err), err, EINVAL);
			continue;
		}
		assert_ok(agent_path(request, pool, &path, &err), err);
		assert_string_equal(path, table[i].path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests_name("agent", tests, NULL, NULL);
}
