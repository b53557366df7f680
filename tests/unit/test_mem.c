// SPDX-License-Identifier: GPL-2.0-or-later
/* Pools, buffers, string vectors, checked arithmetic. Sanitizer builds see what leaks or overlaps.
 */
#include "unit.h"

#include <string.h>

#include "base/mem.h"

static void test_pool_objects_are_zeroed_aligned_and_apart(void **state)
{
	static const size_t sizes[] = {1, 7, 16, 100, 4095, 4096, 5000, 20000, 0, 3};
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	unsigned char *objects[300];

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(objects); i++) {
		size_t size = sizes[i % KMLN_COUNT(sizes)];

		objects[i] = kmln_pool_alloc(pool, size);
		assert_int_equal((uintptr_t)objects[i] % _Alignof(max_align_t), 0);
		for (size_t j = 0; j < size; j++)
			assert_int_equal(objects[i][j], 0);
		memset(objects[i], (int)(i % 255 + 1), size);
	}
	for (size_t i = 0; i < KMLN_COUNT(objects); i++)
		for (size_t j = 0; j < sizes[i % KMLN_COUNT(sizes)]; j++)
			assert_int_equal(objects[i][j], i % 255 + 1);
	assert_null(kmln_pool_free(NULL));
}

static void test_pool_strings(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	char *copy = kmln_pool_memdup(pool, "a\0b", 3);

	(void)state;
	assert_null(kmln_pool_strdup(pool, NULL));
	assert_string_equal(kmln_pool_strdup(pool, ""), "");
	assert_string_equal(kmln_pool_printf(pool, "%s-%d", "x", 7), "x-7");
	assert_memory_equal(copy, "a\0b\0", 4);
}

static void test_pool_append_keeps_what_was_there(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	size_t *items = NULL, count = 0;

	(void)state;
	for (size_t i = 0; i < 1000; i++) {
		size_t *item = kmln_pool_append(pool, &items, &count, sizeof(*items));

		assert_int_equal(*item, 0);
		*item = i;
		/* something else from the pool in between */
		memset(kmln_pool_alloc(pool, 8), 0xff, 8);
	}
	assert_int_equal(count, 1000);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(items[i], i);
}

static void test_buffer(void **state)
{
	KMLN_BUF struct kmln_buf buf = {0};

	(void)state;
	kmln_buf_add(&buf, NULL, 0);
	assert_non_null(buf.data);
	assert_string_equal(buf.data, "");
	kmln_buf_str(&buf, "abc");
	kmln_buf_printf(&buf, "-%05d", 42);
	kmln_buf_add(&buf, "\0z", 2);
	assert_int_equal(buf.size, 11);
	assert_memory_equal(buf.data, "abc-00042\0z\0", 12);
	memset(kmln_buf_grow(&buf, 5000), 'g', 5000);
	assert_int_equal(buf.size, 5011);
	assert_int_equal(buf.data[5011], '\0');
	assert_memory_equal(buf.data, "abc-00042\0z", 11);
	kmln_buf_fini(&buf);
	assert_null(buf.data);
	kmln_buf_str(&buf, "again");
	assert_string_equal(buf.data, "again");
}

static void test_strv(void **state)
{
	KMLN_STRV struct kmln_strv v = {0};

	(void)state;
	assert_false(kmln_strv_has(&v, "a"));
	kmln_strv_adds(&v, "a", "b", NULL);
	kmln_strv_printf(&v, "%c%d", 'c', 1);
	assert_int_equal(v.count, 3);
	assert_string_equal(v.items[2], "c1");
	assert_null(v.items[3]);
	assert_true(kmln_strv_has(&v, "b"));
	assert_false(kmln_strv_has(&v, "c"));
}

static void test_overflow_is_seen(void **state)
{
	uint64_t sum;
	uint32_t product;

	(void)state;
	assert_true(kmln_add_overflow(UINT64_MAX, 1, &sum));
	assert_false(kmln_add_overflow(UINT64_MAX - 1, 1, &sum));
	assert_int_equal(sum, UINT64_MAX);
	assert_true(kmln_mul_overflow(65536u, 65536u, &product));
}

static void test_prefix_and_suffix(void **state)
{
	(void)state;
	assert_true(kmln_starts("ttyS0", "tty") && kmln_starts("x", ""));
	assert_false(kmln_starts("tt", "tty"));
	assert_true(kmln_ends("a.ko.xz", ".xz") && kmln_ends("x", ""));
	assert_false(kmln_ends("xz", ".xz"));
	assert_false(kmln_eq(NULL, NULL));
	assert_true(kmln_eq("a", "a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pool_objects_are_zeroed_aligned_and_apart),
		cmocka_unit_test(test_pool_strings),
		cmocka_unit_test(test_pool_append_keeps_what_was_there),
		cmocka_unit_test(test_buffer),
		cmocka_unit_test(test_strv),
		cmocka_unit_test(test_overflow_is_seen),
		cmocka_unit_test(test_prefix_and_suffix),
	};

	return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
