// SPDX-License-Identifier: GPL-2.0-or-later
/* The parts of the language that are functions of a text: addresses, sizes, names, quoting. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "project/derive.h"
#include "project/names.h"
#include "project/types.h"

static void assert_ip(const struct kmln_ip *ip, bool bits, const char *expected)
{
	char text[KMLN_IP_TEXT];

	kmln_ip_text(text, ip, bits);
	assert_string_equal(text, expected);
}

static void test_addresses(void **state)
{
	static const char *const wrong[] = {"", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.4/",
		"1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/8x", "::/129", "fd00:::1", " 1.2.3.4", "x"};
	struct kmln_ip ip, net, start, last;
	unsigned bits;

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(wrong); i++)
		assert_false(kmln_ip_parse(wrong[i], &ip));
	assert_true(kmln_ip_parse("10.1.2.200/26", &ip));
	start = kmln_ip_net(&ip);
	last = kmln_ip_broadcast(&ip);
	assert_ip(&start, true, "10.1.2.192/26");
	assert_ip(&last, false, "10.1.2.255");
	assert_true(kmln_ip_parse("fd00:1::ff/121", &net));
	start = kmln_ip_net(&net);
	assert_ip(&start, true, "fd00:1::80/121");
	assert_false(kmln_ip_inside(&ip, &net));
	assert_true(kmln_ip_parse("fd00:1::7f", &ip));
	assert_false(kmln_ip_inside(&ip, &net));
	assert_true(kmln_ip_count(&ip, 1));
	assert_true(kmln_ip_inside(&ip, &net));
	assert_true(kmln_ip_parse("10.0.255.250", &ip));
	assert_true(kmln_ip_count(&ip, 6));
	assert_ip(&ip, false, "10.1.0.0");
	assert_true(kmln_ip_parse("255.255.255.250", &ip));
	assert_false(kmln_ip_count(&ip, 6));
	assert_true(kmln_ip_parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &ip));
	assert_false(kmln_ip_count(&ip, 1));
	assert_true(kmln_ip_mask("255.255.254.0", &bits));
	assert_int_equal(bits, 23);
	assert_true(kmln_ip_mask("0.0.0.0", &bits));
	assert_int_equal(bits, 0);
	assert_false(kmln_ip_mask("255.0.255.0", &bits));
}

static void test_given_out(void **state)
{
	struct kmln_ip net, ip;
	uint64_t count;

	(void)state;
	assert_true(kmln_ip_parse("10.0.0.0/29", &net));
	ip = kmln_derive_address(&net, 0, &count);
	assert_int_equal(count, 6);
	assert_ip(&ip, true, "10.0.0.1/29");
	ip = kmln_derive_address(&net, 5, &count);
	assert_ip(&ip, true, "10.0.0.6/29");
	ip = kmln_derive_address(&net, 6, &count);
	assert_ip(&ip, true, "10.0.0.1/29");
	assert_true(kmln_ip_parse("10.0.0.0/31", &net));
	kmln_derive_address(&net, 0, &count);
	assert_int_equal(count, 0);
	assert_true(kmln_ip_parse("::/0", &net));
	kmln_derive_address(&net, UINT64_MAX, &count);
	assert_true(count == ((uint64_t)1 << 63) - 2);
}

static void test_values(void **state)
{
	static const struct {
		enum kmln_type type;
		const char *text;
		uint64_t number;
		const char *instead; /* NULL: it is right */
	} cases[] = {
		{KMLN_TYPE_SIZE, "64M", 64 << 20, NULL},
		{KMLN_TYPE_SIZE, "3b", 1536, NULL},
		{KMLN_TYPE_SIZE, "2kB", 2000, NULL},
		{KMLN_TYPE_SIZE, "1.5K", 1536, NULL},
		{KMLN_TYPE_SIZE, "2GB", 2000000000, NULL},
		{KMLN_TYPE_SIZE, "0", 0, NULL},
		{KMLN_TYPE_SIZE, "64", 0, "64M"},
		{KMLN_TYPE_SIZE, "64mb", 0, "64MB"},
		{KMLN_TYPE_SIZE, "0.3K", 0, ""},
		{KMLN_TYPE_SIZE, "9999999999T", 0, ""},
		{KMLN_TYPE_SIZE, "-1M", 0, ""},
		{KMLN_TYPE_TIME, "1.5s", 1500000, NULL},
		{KMLN_TYPE_TIME, "250us", 250, NULL},
		{KMLN_TYPE_TIME, "61s", 0, ""},
		{KMLN_TYPE_SHARE, "0.1%", 1000, NULL},
		{KMLN_TYPE_SHARE, "101%", 0, ""},
		{KMLN_TYPE_RATE, "10Mbit", 10000000, NULL},
		{KMLN_TYPE_RATE, "0bit", 0, ""},
		{KMLN_TYPE_MODE, "0644", 0644, NULL},
		{KMLN_TYPE_MODE, "889", 0, ""},
		{KMLN_TYPE_NET, "10.1.2.3/24", 0, "10.1.2.0/24"},
		{KMLN_TYPE_HOST_NAME, "web_1", 0, "web-1"},
		{KMLN_TYPE_INSIDE, "a/..b/c", 0, NULL},
		{KMLN_TYPE_INSIDE, "a/../b", 0, ""},
		{KMLN_TYPE_INSIDE, "..", 0, ""},
		{KMLN_TYPE_INSIDE, "/a", 0, ""},
		{KMLN_TYPE_GUEST_PATH, "/a/..", 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(cases); i++) {
		const struct kmln_column column = {.name = "x", .type = cases[i].type};
		KMLN_BUF struct kmln_buf why = {0}, instead = {0};
		uint64_t number;
		bool right = kmln_type_check(&column, cases[i].text, &number, &why, &instead);

		assert_int_equal(right, !cases[i].instead);
		if (right)
			assert_true(number == cases[i].number);
		else
			assert_string_equal(instead.data ? instead.data : "", cases[i].instead);
	}
}

static void test_names(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_names names = {.pool = pool}, any = {.pool = pool, .any_case = true};
	static int things[5000];

	(void)state;
	assert_null(kmln_names_find(&names, "x", 1));
	for (unsigned i = 0; i < KMLN_COUNT(things); i++) {
		char *name = kmln_pool_printf(pool, "n%u", i);

		assert_null(kmln_names_add(&names, name, strlen(name), &things[i]));
		assert_ptr_equal(
			kmln_names_add(&names, name, strlen(name), &things[0]), &things[i]);
	}
	assert_ptr_equal(kmln_names_find(&names, "n4321", 5), &things[4321]);
	assert_null(kmln_names_find(&names, "N4321", 5));
	assert_null(kmln_names_find(&names, "n43210", 6));
	assert_null(kmln_names_add(&any, "Web", 3, &things[1]));
	assert_ptr_equal(kmln_names_add(&any, "wEB", 3, &things[2]), &things[1]);
}

/* The longest name of a bridge that Linux takes stays; longer ones do not fall together. */
static void test_bridges(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	const char *a = kmln_derive_bridge(pool, "switch", "projects1"),
		   *b = kmln_derive_bridge(pool, "switch", "projects2");

	(void)state;
	assert_string_equal(kmln_derive_bridge(pool, "switch", "project1"), "switch.project1");
	assert_int_equal(strlen(a), 15);
	assert_string_not_equal(a, b);
}

static void test_words_are_one_table(void **state)
{
	bool seen[KMLN_KEYWORDS_MAX] = {false};

	(void)state;
	for (const struct kmln_keyword *k = NULL; (k = kmln_keyword_next(k));) {
		unsigned number = kmln_keyword_number(k);

		assert_true(number < KMLN_KEYWORDS_MAX && !seen[number]);
		seen[number] = true;
		assert_true(k->help && k->in);
		assert_true((k->standing < KMLN_STANDING_IDLE) == !k->why);
		/* columns behind one that may be absent may be absent too */
		for (const struct kmln_column *c = k->columns; c && c->name; c++)
			assert_false(c->optional && c[1].name && !c[1].optional);
		for (enum kmln_block b = 0; b < KMLN_BLOCK_KINDS; b++)
			if (k->in & (1u << b))
				assert_ptr_equal(
					kmln_keyword_find(b, k->name, k->shape >= KMLN_SHAPE_ROWS),
					k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_given_out),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_bridges),
		cmocka_unit_test(test_words_are_one_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
