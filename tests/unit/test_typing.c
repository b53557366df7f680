/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pace of typing: a prompt lets more through at once, an echo does not, ten silent seconds
 * never add up to what stops a serial line of UML. */
#include "unit.h"

#include <string.h>

#include "run/typing.h"

static const char block[2048] = {[0 ... 2047] = 'x'};

static void test_no_limit(void **state)
{
	struct kmln_typing typing = {0};

	(void)state;
	kmln_typing_typed(&typing, block, 2048, 0);
	assert_true(kmln_typing_room(&typing, false, 0) > 1000000);
}

static void test_prompt_frees(void **state)
{
	struct kmln_typing typing = {.limit = 1024};

	(void)state;
	assert_int_equal(kmln_typing_room(&typing, false, 0), 1024);
	kmln_typing_typed(&typing, block, 1024, 0);
	assert_int_equal(kmln_typing_room(&typing, true, 0), 0);
	kmln_typing_heard(&typing, 1024 + 2, 10);
	/* more may be coming */
	assert_int_equal(kmln_typing_room(&typing, true, 20), 0);
	/* the words of a program that ends its lines are no prompt */
	assert_int_equal(kmln_typing_room(&typing, false, 100), 0);
	kmln_typing_heard(&typing, 2, 110);
	assert_int_equal(kmln_typing_room(&typing, true, 200), 1024);
}

static void test_echo_does_not_free(void **state)
{
	struct kmln_typing typing = {.limit = 1024};

	(void)state;
	kmln_typing_typed(&typing, block, 1022, 0);
	kmln_typing_typed(&typing, "\r\003", 2, 0);
	kmln_typing_heard(&typing, 1022 + 4, 10);
	assert_int_equal(kmln_typing_room(&typing, true, 100), 0);
}

static void test_unread_is_bounded_for_ten_seconds(void **state)
{
	struct kmln_typing typing = {.limit = 1024};
	size_t sent = 0;

	(void)state;
	for (int64_t time = 0; time < 10000; time += 25) {
		size_t room = kmln_typing_room(&typing, true, time);

		room = room < sizeof(block) ? room : sizeof(block);
		if (!room)
			continue;
		kmln_typing_typed(&typing, block, room, time);
		kmln_typing_heard(&typing, room, time + 1);
		sent += room;
	}
	assert_in_range(sent, 3000, 3900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_limit),
		cmocka_unit_test(test_prompt_frees),
		cmocka_unit_test(test_echo_does_not_free),
		cmocka_unit_test(test_unread_is_bounded_for_ten_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
