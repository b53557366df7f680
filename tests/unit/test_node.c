// SPDX-License-Identifier: GPL-2.0-or-later
/* The pure parts of kmln-node: its command line, what a screen keeps, base64. */
#include "unit.h"

#include <string.h>

#include "node/options.h"
#include "node/screen.h"
#include "text/base64.h"

static void test_options(void **state)
{
	static const char *const words[] = {"kmln-node", "--name", "host-a", "--run", "/r", "--log",
		"/l", "--channel", "virtio", "--ready", "port 22", "--restart", "on-failure",
		"--type-ahead", "7", "--folder-link", "disk=/x=y", "--fresh", "/f", "--serve", "1",
		"/bin/serve", "--spawn", "4", "A=1", "B_2=", "/bin/x", "C=3"};
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_node_options o;
	struct kmln_error err = {0};

	(void)state;
	assert_int_equal(kmln_node_options(&o, pool, KMLN_COUNT(words), (char **)words, &err), 0);
	assert_string_equal(o.name, "host-a");
	assert_int_equal(o.channel, KMLN_CHANNEL_VIRTIO);
	assert_int_equal(o.spawn.channels, 2);
	assert_int_equal(o.ready, KMLN_NODE_READY_PORT);
	assert_int_equal(o.ready_port, 22);
	assert_string_equal(o.waits_for, "port 22");
	assert_int_equal(o.restart, KMLN_NODE_RESTART_ON_FAILURE);
	assert_int_equal(o.spawn.type_ahead, 7);
	assert_int_equal(o.spawn.link_count, 1);
	assert_string_equal(o.spawn.links[0].name, "disk");
	assert_string_equal(o.spawn.links[0].target, "/x=y");
	assert_string_equal(o.fresh.items[0], "/f");
	assert_string_equal(o.serve.argv[0], "/bin/serve");
	assert_null(o.serve.argv[1]);
	assert_null(o.serve.env[0]);
	/* its environment ends where its vector begins */
	assert_string_equal(o.spawn.env[0], "A=1");
	assert_string_equal(o.spawn.env[1], "B_2=");
	assert_null(o.spawn.env[2]);
	assert_string_equal(o.spawn.argv[0], "/bin/x");
	assert_string_equal(o.spawn.argv[1], "C=3");
	assert_null(o.spawn.argv[2]);
	kmln_strv_fini(&o.fresh);
}

static void test_screen(void **state)
{
	struct kmln_screen screen = {0};
	KMLN_BUF struct kmln_buf line = {0};
	char bytes[1000], got[1000];
	uint64_t at;

	(void)state;
	assert_int_equal(kmln_screen_from(&screen, 100), 0);
	kmln_screen_show(&screen, "one\ntwo\n\n", 9, 0);
	kmln_screen_last_line(&screen, &line);
	assert_string_equal(line.data, "two");
	at = kmln_screen_from(&screen, 5);
	assert_int_equal(kmln_screen_read(&screen, &at, got, 3), 3);
	assert_memory_equal(got, "two", 3);
	assert_int_equal(kmln_screen_read(&screen, &at, got, sizeof(got)), 2);
	assert_int_equal(kmln_screen_read(&screen, &at, got, sizeof(got)), 0);
	/* a reader that was away for long begins where something is left */
	memset(bytes, 'x', sizeof(bytes));
	for (int i = 0; i < 100; i++)
		kmln_screen_show(&screen, bytes, sizeof(bytes), 0);
	kmln_screen_show(&screen, "end", 3, 0);
	at = 0;
	assert_int_equal(kmln_screen_read(&screen, &at, got, 10), 10);
	assert_int_equal(at, screen.end - KMLN_SCREEN_KEPT + 10);
	at = kmln_screen_from(&screen, 4);
	assert_int_equal(kmln_screen_read(&screen, &at, got, sizeof(got)), 4);
	assert_memory_equal(got, "xend", 4);
	assert_int_equal(kmln_screen_from(&screen, UINT64_MAX), screen.end - KMLN_SCREEN_KEPT);
	kmln_screen_fini(&screen);
}

static void test_base64(void **state)
{
	static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="},
		{"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}, {"\xff\xfe\xfd\x01", "//79AQ=="}};
	static const char *const wrong[] = {
		"Z", "Zg", "Zg=", "Zg==Zg==", "Z===", "====", "Zm9 ", "Zm9v\n", "Zg=v", "Zm9v=AAA"};

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(pairs); i++) {
		KMLN_BUF struct kmln_buf text = {0}, bytes = {0};

		kmln_base64_add(&text, pairs[i][0], strlen(pairs[i][0]));
		kmln_buf_str(&text, "");
		assert_string_equal(text.data, pairs[i][1]);
		assert_true(kmln_base64_read(text.data, &bytes));
		kmln_buf_str(&bytes, "");
		assert_string_equal(bytes.data, pairs[i][0]);
	}
	for (size_t i = 0; i < KMLN_COUNT(wrong); i++) {
		KMLN_BUF struct kmln_buf bytes = {0};

		if (kmln_base64_read(wrong[i], &bytes))
			fail_msg("'%s' was read", wrong[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_screen),
		cmocka_unit_test(test_base64),
	};

	return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
