// SPDX-License-Identifier: GPL-2.0-or-later
/* The map of inode numbers, against a plain array; and finding names in listings. */
#include "tree/numbers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tree/listing.h"
#include "unit.h"

static void test_against_an_array(void **state)
{
	KMLN_NUMBERS struct kmln_numbers numbers = {0};
	uint64_t plain[3000] = {0};
	unsigned seed = 1;

	(void)state;
	assert_null(kmln_numbers_find(&numbers, 1));
	kmln_numbers_remove(&numbers, 1);
	for (int round = 0; round < 200000; round++) {
		size_t key = 1 + (size_t)rand_r(&seed) % (KMLN_COUNT(plain) - 1);
		const uint64_t *found = kmln_numbers_find(&numbers, key);

		assert_int_equal(found ? *found : 0, plain[key]);
		/* longer spells of filling and of emptying */
		if (rand_r(&seed) % 8 < (round / 20000 % 2 ? 2 : 6)) {
			plain[key] = (uint64_t)round + 1;
			kmln_numbers_set(&numbers, key, plain[key]);
		} else {
			plain[key] = 0;
			kmln_numbers_remove(&numbers, key);
		}
	}
	for (size_t key = 1; key < KMLN_COUNT(plain); key++) {
		const uint64_t *found = kmln_numbers_find(&numbers, key);

		assert_int_equal(found ? *found : 0, plain[key]);
	}
}

static void test_names(void **state)
{
	static const char *const names[] = {"b", "ab", "a", "\xff", "abc", "a b", "\x01", "aB"};
	KMLN_LISTING struct kmln_listing *listing = NULL;
	struct kmln_tree tree = {0};
	struct kmln_error err;

	(void)state;
	listing = kmln_listing_new(&tree);
	for (uint32_t i = 0; i < KMLN_COUNT(names); i++)
		assert_ok(kmln_listing_add(listing, names[i], i + 1, &err), err);
	kmln_listing_publish(listing, &tree);
	for (size_t i = 1; i < listing->count; i++)
		assert_true(strcmp(kmln_listing_name(listing, i - 1),
				    kmln_listing_name(listing, i)) < 0);
	for (uint32_t i = 0; i < KMLN_COUNT(names); i++) {
		ssize_t at = kmln_listing_find(listing, names[i], strlen(names[i]));

		assert_true(at >= 0);
		assert_int_equal(listing->entries[at].inode, i + 1);
	}
	/* the length counts, not the NUL */
	assert_true(kmln_listing_find(listing, "abcd", 3) >= 0);
	assert_int_equal(kmln_listing_find(listing, "abcd", 4), -1);
	assert_int_equal(kmln_listing_find(listing, "", 0), -1);
	assert_int_equal(kmln_listing_find(listing, "zz", 2), -1);
	assert_true(tree.held > 0);
	kmln_listings_forget(&tree);
	assert_int_equal(tree.held, 0);
	assert_null(tree.listings);
	/* it is still its holder's */
	assert_int_equal(listing->count, KMLN_COUNT(names));
}

static void test_too_many_names(void **state)
{
	KMLN_LISTING struct kmln_listing *listing = NULL;
	struct kmln_tree tree = {.held = KMLN_LISTING_MAX - 40};
	struct kmln_error err;

	(void)state;
	listing = kmln_listing_new(&tree);
	assert_ok(kmln_listing_add(listing, "first", 1, &err), err);
	assert_ok(kmln_listing_add(listing, "second", 2, &err), err);
	assert_fails(kmln_listing_add(listing, "third", 3, &err), err, KMLN_EINVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_an_array),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_too_many_names),
	};

	return cmocka_run_group_tests_name("numbers", tests, NULL, NULL);
}
