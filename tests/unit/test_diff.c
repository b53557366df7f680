// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The unified diff of plans: golden texts, and random ones held against diff(1) and against an
 * applier of hunks, so that what a plan shows is what would happen.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/child.h"
#include "base/file.h"
#include "plan/diff.h"

static void assert_diff(const char *old, const char *new, const char *wanted)
{
	KMLN_BUF struct kmln_buf out = {0};

	kmln_buf_str(&out, "");
	kmln_diff(&out, old, strlen(old), new, strlen(new));
	assert_string_equal(out.data, wanted);
}

static void test_golden(void **state)
{
	(void)state;
	assert_diff("a\nb\n", "a\nb\n", "");
	assert_diff("", "", "");
	assert_diff("", "a\n", "        @@ -0,0 +1,1 @@\n        +a\n");
	assert_diff("a\n", "", "        @@ -1,1 +0,0 @@\n        -a\n");
	assert_diff("/dev/ubda / ext4 defaults 0 1\nproc /proc proc\n",
		"UUID=1 / ext4 defaults 0 1\nproc /proc proc\n",
		"        @@ -1,2 +1,2 @@\n"
		"        -/dev/ubda / ext4 defaults 0 1\n"
		"        +UUID=1 / ext4 defaults 0 1\n"
		"         proc /proc proc\n");
	assert_diff("1\n2\n3\n4\n5\n", "1\n2\n3\n4\n5\n6\n",
		"        @@ -3,3 +3,4 @@\n         3\n         4\n         5\n        +6\n");
}

static void test_last_newline_counts(void **state)
{
	(void)state;
	assert_diff("a", "a\n",
		"        @@ -1,1 +1,1 @@\n"
		"        -a\n"
		"        \\ No newline at end of file\n"
		"        +a\n");
	assert_diff("x\na", "y\na",
		"        @@ -1,2 +1,2 @@\n"
		"        -x\n"
		"        +y\n"
		"         a\n"
		"        \\ No newline at end of file\n");
}

static void test_controls_are_escaped(void **state)
{
	(void)state;
	assert_diff("", "a\033[2Jb\n", "        @@ -0,0 +1,1 @@\n        +a\\x1b[2Jb\n");
}

/* A few distinct lines, so that random texts have much in common. */
static void random_text(struct kmln_buf *out, unsigned lines, unsigned kinds)
{
	kmln_buf_str(out, "");
	for (unsigned i = 0; i < lines; i++)
		kmln_buf_printf(out, "line %ld\n", random() % kinds);
	if (out->size && random() % 4 == 0)
		out->data[--out->size] = '\0';
}

/* A copy of old with some lines taken out, changed and added. */
static void mutate(struct kmln_buf *out, const char *old)
{
	kmln_buf_str(out, "");
	while (*old) {
		size_t n = strcspn(old, "\n");
		long choice = random() % 20;

		if (choice == 1)
			kmln_buf_printf(out, "new %ld\n", random() % 5);
		if (choice != 0)
			kmln_buf_printf(out, "%.*s\n", (int)n, old);
		old += n + (old[n] == '\n');
	}
}

/* Appends up to and with the newline at *text; returns what was appended without it. */
static size_t copy_line(struct kmln_buf *out, const char **text)
{
	size_t n = strcspn(*text, "\n");

	kmln_buf_add(out, *text, n + ((*text)[n] == '\n'));
	*text += n + ((*text)[n] == '\n');
	return n;
}

/* Applies our hunks to old: each ' ' and '-' line must stand there. */
static void apply(const char *hunks, const char *old, struct kmln_buf *out)
{
	unsigned long at = 1;

	kmln_buf_str(out, "");
	while (*hunks) {
		size_t n = strcspn(hunks, "\n");
		const char *line = hunks + 8;
		bool open = strncmp(hunks + n + 1, "        \\ No", 12) == 0;

		assert_memory_equal(hunks, "        ", 8);
		if (*line == '@') {
			unsigned long from = 0, count = 0;

			assert_int_equal(sscanf(line, "@@ -%lu,%lu ", &from, &count), 2);
			for (from += count == 0; at < from; at++)
				copy_line(out, &old);
		} else if (*line == '+') {
			kmln_buf_add(out, line + 1, n - 9);
			if (!open)
				kmln_buf_str(out, "\n");
		} else if (*line != '\\') {
			KMLN_BUF struct kmln_buf skipped = {0};
			size_t length = copy_line(*line == ' ' ? out : &skipped, &old);

			assert_int_equal(length, n - 9);
			assert_memory_equal(old - length - (old[-1] == '\n'), line + 1, length);
			at++;
		}
		hunks += n + 1;
	}
	kmln_buf_str(out, old);
}

/* Lines of a diff that begin with one of two signs, behind `skip` bytes. */
static size_t count_changes(const char *diff, size_t skip)
{
	size_t count = 0;

	while (*diff) {
		size_t n = strcspn(diff, "\n");

		count += n > skip && (diff[skip] == '+' || diff[skip] == '-');
		diff += n + (diff[n] == '\n');
	}
	return count;
}

static void compare_with_diff(const char *old, const char *new, const char *hunks)
{
	const char *const argv[] = {"diff", "--minimal", "-u", "old", "new", NULL};
	KMLN_BUF struct kmln_buf theirs = {0};
	struct kmln_error err;
	size_t heads = 0, their_heads = 0;
	int status;

	assert_ok(kmln_replace_file("old", old, strlen(old), 0600, &err), err);
	assert_ok(kmln_replace_file("new", new, strlen(new), 0600, &err), err);
	status = kmln_child_run(&(struct kmln_child){.argv = argv}, &theirs, NULL, &err);
	assert_int_equal(status, strcmp(old, new) != 0);
	if (!theirs.size) {
		assert_string_equal(hunks, "");
		return;
	}
	/* theirs has two head lines that begin with --- and +++ */
	assert_int_equal(count_changes(hunks, 8), count_changes(theirs.data, 0) - 2);
	for (const char *c = hunks; (c = strstr(c, "@@ -")); c++)
		heads++;
	for (const char *c = theirs.data; (c = strstr(c, "@@ -")); c++)
		their_heads++;
	/* of several smallest differences each may choose another, with other gaps between */
	if (heads > their_heads + 1 || their_heads > heads + 1)
		fail_msg("%zu hunks, not %zu:\n%s\n%s", heads, their_heads, hunks, theirs.data);
}

static void test_random_texts(void **state)
{
	(void)state;
	srandom(1);
	for (unsigned round = 0; round < 400; round++) {
		KMLN_BUF struct kmln_buf old = {0}, new = {0}, hunks = {0}, result = {0};

		random_text(&old, (unsigned)random() % 60, 2 + (unsigned)random() % 30);
		if (round % 2)
			mutate(&new, old.data);
		else
			random_text(&new, (unsigned)random() % 60, 2 + (unsigned)random() % 30);
		kmln_buf_str(&hunks, "");
		kmln_diff(&hunks, old.data, old.size, new.data, new.size);
		apply(hunks.data, old.data, &result);
		assert_string_equal(result.data, new.data);
		if (round < 120)
			compare_with_diff(old.data, new.data, hunks.data);
	}
}

static void test_too_big_for_the_table(void **state)
{
	KMLN_BUF struct kmln_buf old = {0}, new = {0}, hunks = {0}, result = {0};

	(void)state;
	kmln_buf_str(&old, "head\n");
	kmln_buf_str(&new, "head\n");
	for (unsigned i = 0; i < 3000; i++) {
		kmln_buf_printf(&old, "old %u\n", i);
		kmln_buf_printf(&new, "new %u\n", i);
	}
	kmln_diff(&hunks, old.data, old.size, new.data, new.size);
	assert_int_equal(count_changes(hunks.data, 8), 6000);
	apply(hunks.data, old.data, &result);
	assert_string_equal(result.data, new.data);
}

static void test_is_text(void **state)
{
	(void)state;
	assert_true(kmln_is_text("a\tb\r\n\xff", 6));
	assert_true(kmln_is_text(NULL, 0));
	assert_false(kmln_is_text("a\0b", 3));
	assert_false(kmln_is_text("\x7f"
				  "ELF\x02",
		5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_last_newline_counts),
		cmocka_unit_test(test_controls_are_escaped),
		cmocka_unit_test(test_random_texts),
		cmocka_unit_test(test_too_big_for_the_table),
		cmocka_unit_test(test_is_text),
	};

	return cmocka_run_group_tests_name("diff", tests, NULL, NULL);
}
