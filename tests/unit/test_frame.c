// SPDX-License-Identifier: GPL-2.0-or-later
/* Frames in pieces of any size, what is none, and the window of a line that stalls when flooded. */
#include "unit.h"

#include <string.h>

#include "channel/frame.h"

static void test_pieces(void **state)
{
	KMLN_BUF struct kmln_buf all = {0};

	(void)state;
	kmln_frame_put(&all, KMLN_FRAME_DATA, 0x01020304, "hello", 5);
	kmln_frame_put_number(&all, KMLN_FRAME_ACK, 0, 0xfffefdfc);
	kmln_frame_put(&all, KMLN_FRAME_END, 7, NULL, 0);
	for (size_t piece = 1; piece <= all.size; piece++) {
		struct kmln_frame_reader reader = {0};
		size_t seen = 0;

		for (size_t at = 0; at < all.size; at += piece) {
			size_t size = all.size - at < piece ? all.size - at : piece;
			const char *data = all.data + at;

			while (kmln_frame_take(&reader, &data, &size)) {
				const struct kmln_frame *f = &reader.frame;

				if (seen == 0) {
					assert_int_equal(f->type, KMLN_FRAME_DATA);
					assert_int_equal(f->stream, 0x01020304);
					assert_string_equal(f->data, "hello");
				} else if (seen == 1) {
					assert_int_equal(kmln_frame_number(f), 0xfffefdfc);
				} else {
					assert_int_equal(f->size, 0);
				}
				seen++;
			}
			assert_int_equal(size, 0);
		}
		assert_int_equal(seen, 3);
		assert_false(reader.broken);
		kmln_buf_fini(&reader.bytes);
	}
}

static void test_what_is_none(void **state)
{
	static const struct {
		const char *bytes;
		size_t size, left; /* that are not looked at */
	} table[] = {
		{"\xff{", 2, 2}, {"K\x00\0\0\0\0\0\0rest", 12, 4}, /* no such type */
		{"K\x09\0\0\0\0\0\0rest", 12, 4},
		{"K\x02\x01\x40\0\0\0\0rest", 12, 4}, /* a byte too long */
	};

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(table); i++) {
		struct kmln_frame_reader reader = {0};
		const char *data = table[i].bytes;
		size_t size = table[i].size;

		assert_false(kmln_frame_take(&reader, &data, &size));
		assert_true(reader.broken);
		assert_int_equal(size, table[i].left);
		assert_ptr_equal(data, table[i].bytes + table[i].size - size);
		assert_false(kmln_frame_take(&reader, &data, &size));
		kmln_buf_fini(&reader.bytes);
	}
}

static void test_window(void **state)
{
	/* the counts run over in the middle */
	struct kmln_window window = {2048, UINT32_MAX - 999, UINT32_MAX - 999};
	struct kmln_window_reader reader = {2048, UINT32_MAX - 999, UINT32_MAX - 999};

	(void)state;
	assert_int_equal(kmln_window_room(&window), 2048);
	kmln_window_sent(&window, 2048);
	assert_int_equal(kmln_window_room(&window), 0);
	assert_false(kmln_window_take(&reader, 1023));
	assert_true(kmln_window_take(&reader, 1));
	assert_int_equal(reader.taken, 24);
	assert_true(kmln_window_taken(&window, reader.taken));
	assert_int_equal(kmln_window_room(&window), 1024);
	/* told twice; then of more than was sent */
	assert_true(kmln_window_taken(&window, reader.taken));
	assert_true(kmln_window_taken(&window, 1048));
	assert_false(kmln_window_taken(&window, 1049));
	assert_false(kmln_window_taken(&window, 24));
	assert_int_equal(kmln_window_room(&window), 2048);
}

static void test_no_window(void **state)
{
	struct kmln_window window = {0};
	struct kmln_window_reader reader = {0}, one = {.size = 1};

	(void)state;
	kmln_window_sent(&window, 1 << 30);
	assert_true(kmln_window_room(&window) > 1 << 30);
	assert_false(kmln_window_take(&reader, 100));
	assert_true(kmln_window_take(&reader, 1 << 20));
	assert_false(kmln_window_take(&one, 0));
	assert_true(kmln_window_take(&one, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_no_window),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
