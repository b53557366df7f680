// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * FAT in memory: what was put in is read back, a full one says so, and thousands of damaged ones
 * are refused or read without a byte outside of them. That others understand them is for
 * tests/convert/test_forms.py.
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "image/fat.h"

#define SIZE (4u << 20)
#define PATH "/EFI/BOOT/BOOTX64.EFI"

static char content[300000];

static void fill_content(void)
{
	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (char)(i * 7 + i / 251);
}

/* A disk of 1 MiB more, with the pieces at 512 KiB. */
static struct kmln_device *disk_of(const struct kmln_pieces *pieces)
{
	struct kmln_device *device = kmln_device_memory(SIZE + (1u << 20));
	struct kmln_error err = {0};

	for (size_t i = 0; i < pieces->count; i++)
		assert_ok(kmln_device_write(device, pieces->items[i].data, pieces->items[i].size,
				  (512u << 10) + pieces->items[i].offset, &err),
			err);
	return device;
}

static const struct kmln_range place = {512u << 10, SIZE};

static void assert_content(struct kmln_fat *fat, const char *path, size_t size)
{
	KMLN_BUF struct kmln_buf bytes = {0};
	struct kmln_error err = {0};
	uint64_t found = 0;

	assert_ok(kmln_fat_find(fat, path, &found, &err), err);
	assert_int_equal(found, size);
	assert_ok(kmln_fat_load(fat, path, size, &bytes, &err), err);
	assert_int_equal(bytes.size, size);
	assert_memory_equal(bytes.data ? bytes.data : "", content, size);
	if (size)
		assert_fails(kmln_fat_load(fat, path, size - 1, &bytes, &err), err, EFBIG);
}

static struct kmln_device *make(struct kmln_pool *pool)
{
	static const size_t sizes[] = {0, 1, 512, 513, 70000};
	struct kmln_error err = {0};
	struct kmln_pieces pieces;
	struct kmln_fat *fat;

	assert_ok(kmln_fat_new(SIZE, 2048, 0x12345678, pool, &fat, &err), err);
	for (size_t i = 0; i < KMLN_COUNT(sizes); i++)
		assert_ok(kmln_fat_put(fat, kmln_pool_printf(pool, "/A/FILE%zu.BIN", i), content,
				  sizes[i], &err),
			err);
	assert_ok(kmln_fat_put(fat, PATH, content, sizeof(content), &err), err);
	assert_ok(kmln_fat_pieces(fat, &pieces, &err), err);
	/* sorted, and apart */
	for (size_t i = 1; i < pieces.count; i++)
		assert_true(pieces.items[i - 1].offset + pieces.items[i - 1].size <=
			    pieces.items[i].offset);
	return disk_of(&pieces);
}

static void test_round_trip(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_DEVICE struct kmln_device *disk = make(pool);
	struct kmln_error err = {0};
	struct kmln_pieces pieces;
	struct kmln_fat *fat;
	uint64_t size;

	(void)state;
	assert_ok(kmln_fat_open(disk, &place, pool, &fat, &err), err);
	assert_content(fat, "/A/FILE0.BIN", 0);
	assert_content(fat, "/A/FILE3.BIN", 513);
	assert_content(fat, "/a/file4.bin", 70000);
	assert_content(fat, PATH, sizeof(content));
	assert_fails(kmln_fat_find(fat, "/A/FILE9.BIN", &size, &err), err, ENOENT);
	assert_fails(kmln_fat_find(fat, "/A", &size, &err), err, ENOENT);
	assert_fails(kmln_fat_find(fat, "/A/FILE0.BIN/X", &size, &err), err, ENOENT);

	/* replaced by a shorter one, and a folder that grows over many clusters */
	assert_ok(kmln_fat_put(fat, PATH, content, 1000, &err), err);
	for (int i = 0; i < 200; i++)
		assert_ok(
			kmln_fat_put(fat, kmln_pool_printf(pool, "/A/N%d", i), content, 600, &err),
			err);
	assert_ok(kmln_fat_pieces(fat, &pieces, &err), err);
	for (size_t i = 0; i < pieces.count; i++)
		assert_ok(kmln_device_write(disk, pieces.items[i].data, pieces.items[i].size,
				  place.offset + pieces.items[i].offset, &err),
			err);
	assert_ok(kmln_fat_open(disk, &place, pool, &fat, &err), err);
	assert_content(fat, PATH, 1000);
	assert_content(fat, "/A/FILE4.BIN", 70000);
	for (int i = 0; i < 200; i++)
		assert_content(fat, kmln_pool_printf(pool, "/A/N%d", i), 600);
	/* nothing to be done is no piece */
	assert_ok(kmln_fat_open(disk, &place, pool, &fat, &err), err);
	assert_ok(kmln_fat_pieces(fat, &pieces, &err), err);
	assert_int_equal(pieces.count, 0);
}

static void test_full(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_error err = {0};
	struct kmln_fat *fat;
	int r = 0, n = 0;

	(void)state;
	assert_ok(kmln_fat_new(SIZE, 0, 0, pool, &fat, &err), err);
	while (r == 0)
		r = kmln_fat_put(fat, kmln_pool_printf(pool, "/N%d", n++), content, 300000, &err);
	assert_fails(r, err, ENOSPC);
	assert_in_range(n, 13, 14);
	assert_fails(kmln_fat_new(1 << 20, 0, 0, pool, &fat, &err), err, EFBIG);
	/* the root of a FAT16 cannot grow */
	assert_ok(kmln_fat_new(SIZE, 0, 0, pool, &fat, &err), err);
	for (n = 0, r = 0; r == 0; n++)
		r = kmln_fat_put(fat, kmln_pool_printf(pool, "/N%d", n), content, 1, &err);
	assert_fails(r, err, ENOSPC);
	assert_int_equal(n, 513);
	/* what is to go in is enough for what it is asked for, whatever that is */
	for (uint64_t size = 1; size < 600u << 20; size = size * 3 + 11) {
		assert_ok(kmln_fat_new(kmln_fat_size_for(size), 0, 0, pool, &fat, &err), err);
		if (size < sizeof(content))
			assert_ok(kmln_fat_put(fat, "/A/B/C", content, (size_t)size, &err), err);
	}
}

/* Bytes changed in what describes the rest: no crash, no endless chain, no place outside. */
static void test_damaged(void **state)
{
	KMLN_POOL struct kmln_pool *made = kmln_pool_new();
	KMLN_DEVICE struct kmln_device *good = make(made);
	static char head[96 << 10], bytes[sizeof(head)];
	struct kmln_error err = {0};
	unsigned opened = 0;

	(void)state;
	srand(1);
	assert_ok(kmln_device_read(good, head, sizeof(head), place.offset, &err), err);
	for (int round = 0; round < 3000; round++) {
		KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
		KMLN_BUF struct kmln_buf out = {0};
		struct kmln_pieces pieces;
		struct kmln_fat *fat;

		memcpy(bytes, head, sizeof(head));
		for (int i = rand() % 8; i >= 0; i--) {
			/* the first sector, the table's first one, folders */
			size_t where = (size_t)rand() % (i % 3 ? 64 : i % 2 ? 2048 : sizeof(bytes));

			bytes[where] = (char)(rand() % 2 ? rand() : "\xff\0\x01\x02"[rand() % 4]);
		}
		assert_ok(kmln_device_write(good, bytes, sizeof(bytes), place.offset, &err), err);
		if (kmln_fat_open(good, &place, pool, &fat, &err) < 0)
			continue;
		opened++;
		kmln_fat_load(fat, PATH, 1 << 20, &out, &err);
		if (kmln_fat_put(fat, PATH, content, 200000, &err) < 0 ||
			kmln_fat_pieces(fat, &pieces, &err) < 0)
			continue;
		for (size_t i = 0; i < pieces.count; i++)
			assert_true(pieces.items[i].offset + pieces.items[i].size <= SIZE);
	}
	assert_in_range(opened, 100, 2900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_damaged),
	};

	fill_content();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
