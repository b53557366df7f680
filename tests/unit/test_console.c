/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of a console: cleaned whatever its pieces are, searched line by line, bounded. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "run/console.h"

static void add(struct kmln_console *console, const char *text)
{
	kmln_console_add(console, text, strlen(text));
}

static bool match(struct kmln_console *console, const char *pattern)
{
	regex_t regex;
	bool found;

	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED), 0);
	found = kmln_console_match(console, &regex);
	regfree(&regex);
	return found;
}

static void test_controls_are_taken_out(void **state)
{
	static const char bytes[] = "a\033[1;31mb\033]0;title\007c\033]8;;x\033\\d\033(Be\0f\r\ag"
				    "\033Ph\033\\i\n";

	(void)state;
	/* in one piece, and byte by byte */
	for (size_t piece = sizeof(bytes) - 1; piece; piece = piece > 1 ? 1 : 0) {
		KMLN_CONSOLE struct kmln_console console = {0};

		for (size_t i = 0; i < sizeof(bytes) - 1; i += piece)
			kmln_console_add(&console, bytes + i, piece);
		assert_string_equal(console.text.data, "abcdefgi\n");
	}
}

static void test_a_sequence_without_end_is_ended_by_the_line(void **state)
{
	KMLN_CONSOLE struct kmln_console console = {0};

	(void)state;
	add(&console, "x\033]0;never closed\ny\033[12\nz");
	assert_string_equal(console.text.data, "x\ny\nz");
}

static void test_lines_and_anchors(void **state)
{
	KMLN_CONSOLE struct kmln_console console = {0};

	(void)state;
	add(&console, "one two\nthree\nbox log");
	assert_false(match(&console, "e\nt"));
	assert_false(match(&console, "^two"));
	add(&console, "in: ");
	assert_true(match(&console, "login: $"));
	assert_false(match(&console, "login:"));
	add(&console, "root\n$ ");
	assert_false(match(&console, "^root"));
	assert_true(match(&console, "^\\$ "));
}

static void test_search_goes_on_behind_the_match(void **state)
{
	KMLN_CONSOLE struct kmln_console console = {0};

	(void)state;
	add(&console, "ab ab\nab\n");
	assert_true(match(&console, "ab"));
	assert_true(match(&console, "ab"));
	assert_true(match(&console, "^ab"));
	assert_false(match(&console, "ab"));
}

static void test_empty_matches_end(void **state)
{
	KMLN_CONSOLE struct kmln_console console = {0};
	int found = 0;

	(void)state;
	add(&console, "a\n\nb\n");
	while (match(&console, "^$"))
		assert_true(++found < 10);
	assert_int_equal(found, 1);
}

static void test_endless_line_is_bounded(void **state)
{
	KMLN_CONSOLE struct kmln_console console = {0};
	KMLN_BUF struct kmln_buf tail = {0};

	(void)state;
	for (int i = 0; i < 300000; i++) {
		kmln_console_add(&console, "x", 1);
		if (i % 1000 == 0)
			assert_false(match(&console, "y"));
		assert_true(console.text.size < KMLN_CONSOLE_WINDOW);
		assert_true(console.mark <= console.text.size);
	}
	/* the line is as long as the window: its begin was forgotten, so this is none */
	assert_false(match(&console, "^x"));
	add(&console, "y");
	assert_true(match(&console, "y"));
	kmln_console_tail(&console, 3, &tail);
	assert_int_equal(tail.size, KMLN_CONSOLE_LINE + 1);
}

static void test_many_lines_are_bounded(void **state)
{
	KMLN_CONSOLE struct kmln_console console = {0};
	KMLN_BUF struct kmln_buf tail = {0};
	char line[32];

	(void)state;
	for (int i = 0; i < 50000; i++) {
		snprintf(line, sizeof(line), "line %d\n", i);
		add(&console, line);
		assert_true(console.text.size < KMLN_CONSOLE_WINDOW);
	}
	assert_true(match(&console, "^line 49998$"));
	assert_true(match(&console, "^line 49999$"));
	kmln_console_tail(&console, 2, &tail);
	assert_string_equal(tail.data, "line 49998\nline 49999\n");
}

static void test_panic_is_the_kernels_own_line(void **state)
{
	KMLN_CONSOLE struct kmln_console console = {0};
	KMLN_BUF struct kmln_buf tail = {0};

	(void)state;
	add(&console, "grep 'Kernel panic - not syncing' /var/log/messages\n");
	add(&console, "[abc] Kernel panic - not syncing: quoted\n");
	assert_string_equal(console.panic, "");
	add(&console, "before\n[    1.234567] Kernel panic - not ");
	assert_string_equal(console.panic, "");
	add(&console, "syncing: VFS\r\nCPU: 0\n");
	assert_string_equal(console.panic, "Kernel panic - not syncing: VFS");
	kmln_console_tail(&console, 2, &tail);
	assert_string_equal(tail.data, "before\n[    1.234567] Kernel panic - not syncing: VFS\n");
	add(&console, "Failed to lock '/kmln/disk0', err = 11\n");
	assert_string_equal(console.locked, "Failed to lock '/kmln/disk0', err = 11");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_controls_are_taken_out),
		cmocka_unit_test(test_a_sequence_without_end_is_ended_by_the_line),
		cmocka_unit_test(test_lines_and_anchors),
		cmocka_unit_test(test_search_goes_on_behind_the_match),
		cmocka_unit_test(test_empty_matches_end),
		cmocka_unit_test(test_endless_line_is_bounded),
		cmocka_unit_test(test_many_lines_are_bounded),
		cmocka_unit_test(test_panic_is_the_kernels_own_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
