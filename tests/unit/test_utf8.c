// SPDX-License-Identifier: GPL-2.0-or-later
/* What counts as UTF-8, and what may go to a terminal. */
#include "unit.h"

#include <stdbool.h>

#include "base/utf8.h"

static void test_length(void **state)
{
	static const struct {
		const char *text;
		size_t length;
	} table[] = {
		{"a", 1},
		{"\xc3\xa4", 2},
		{"\xe6\x97\xa5", 3},
		{"\xf0\x9f\x90\xa7", 4},
		{"\xf4\x8f\xbf\xbf", 4},
		{"\x80", 0}, /* a continuation alone */
		{"\xc3", 0}, /* cut short by the end */
		{"\xe6\x97", 0},
		{"\xf0\x9f\x90", 0},
		{"\xc3(", 0},
		{"\xc0\xaf", 0}, /* overlong */
		{"\xe0\x80\xaf", 0},
		{"\xf0\x80\x80\xaf", 0},
		{"\xed\xa0\x80", 0}, /* a surrogate */
		{"\xf4\x90\x80\x80", 0}, /* beyond Unicode */
		{"\xff", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(kmln_utf8_length(table[i].text), table[i].length);
}

static void test_printable(void **state)
{
	static const struct {
		const char *text;
		bool printable;
	} table[] = {
		{" ", true},
		{"~", true},
		{"\n", false},
		{"\t", false},
		{"\033[2J", false},
		{"\x7f", false},
		{"\x9b", false},
		{"\xc2\x9b", false}, /* CSI as one character */
		{"\xc2\xa0", true},
		{"\xe2\x80\xae", false}, /* right to left from here */
		{"\xe2\x81\xa6", false},
		{"\xe2\x82\xac", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(kmln_utf8_printable(table[i].text) > 0, table[i].printable);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_printable),
	};

	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
