// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The record of a conversion: what is written is read again as it was, whatever bytes are in it;
 * and of what kmln did not write nothing is taken for a record, nor does it do any harm.
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "guest/record.h"
#include "base/sum.h"

#define HEAD "kmln-record 1 version=0 platform=kvm\n"
#define SUM16 "0123456789abcdef"
#define SUM SUM16 SUM16 SUM16 SUM16 SUM16 SUM16 SUM16 SUM16
#define PUT "put path=/a by=s mode=644 uid=0 gid=0 size=1 "
#define BEFORE "was-mode=100644 was-uid=0 was-gid=0 was-size=2 was-time=5.000000001 was-sum=" SUM

static void add(struct kmln_edits *edits, struct kmln_edit edit)
{
	struct kmln_error err;

	edit.by = "step";
	assert_ok(kmln_edits_add(edits, &edit, &err), err);
}

static void test_again(void **state)
{
	static const char bytes[] = "boot\0\n\\\xff code";
	static const char old[] = "one\ntwo\nthree\nfour",
			  new[] = "one\n2\\\x01\n\nthree\nfour\n5\n";
	static const char path[] = "/odd \x01\xff\\path\n";
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_EDITS struct kmln_edits edits = {0};
	KMLN_BUF struct kmln_buf text = {0};
	struct kmln_record record;
	const struct kmln_record_item *i;
	struct kmln_error err;

	(void)state;
	kmln_edits_init(&edits, pool);
	add(&edits, (struct kmln_edit){.kind = KMLN_EDIT_SHIFT, .offset = 1 << 20});
	add(&edits, (struct kmln_edit){.kind = KMLN_EDIT_BYTES,
			    .offset = 512,
			    .data = bytes,
			    .size = sizeof(bytes),
			    .replaces = bytes,
			    .replaces_size = sizeof(bytes)});
	add(&edits, (struct kmln_edit){.kind = KMLN_EDIT_MKDIR,
			    .path = path,
			    .mode = 01755,
			    .uid = 4294967295u,
			    .why = "two words\n"});
	add(&edits, (struct kmln_edit){.kind = KMLN_EDIT_PUT,
			    .path = "/kit",
			    .from = "/kit",
			    .size = 7,
			    .mtime = -5,
			    .mtime_ns = 3,
			    .replaces = ""});
	add(&edits, (struct kmln_edit){.kind = KMLN_EDIT_PUT,
			    .path = "/new",
			    .data = new,
			    .size = strlen(new),
			    .replaces = old,
			    .replaces_size = strlen(old),
			    .replaces_mode = 0100600,
			    .replaces_gid = 9,
			    .replaces_mtime = 1,
			    .replaces_mtime_ns = 999999999});
	add(&edits, (struct kmln_edit){.kind = KMLN_EDIT_PUT,
			    .path = "/lines",
			    .data = new,
			    .size = strlen(new),
			    .replaces = old,
			    .replaces_size = strlen(old),
			    .replaces_mode = 0100600,
			    .shared = true});
	add(&edits, (struct kmln_edit){.kind = KMLN_EDIT_SYMLINK,
			    .path = "/link",
			    .data = "to =",
			    .replaces = "from"});
	add(&edits, (struct kmln_edit){.kind = KMLN_EDIT_RESIZE, .size = 9, .replaces_size = 8});
	kmln_record_write(&text, &edits, "kvm");
	assert_ok(kmln_record_parse(text.data, text.size, pool, &record, &err), err);
	assert_string_equal(record.platform, "kvm");
	assert_int_equal(record.count, edits.count);
	i = record.items;
	assert_int_equal(i[0].offset, 1 << 20);
	assert_int_equal(i[1].was, KMLN_WAS_KEPT);
	assert_int_equal(i[1].old_size, sizeof(bytes));
	assert_memory_equal(i[1].old, bytes, sizeof(bytes));
	assert_string_equal(i[2].path, path);
	assert_string_equal(i[2].why, "two words\n");
	assert_int_equal(i[2].mode, 01755);
	assert_int_equal(i[2].uid, 4294967295u);
	assert_true(i[3].timed && i[3].mtime == -5 && i[3].mtime_ns == 3 && !i[3].sum);
	assert_int_equal(i[3].was, KMLN_WAS_UNKNOWN);
	assert_string_equal(i[4].old, old);
	assert_string_equal(i[4].sum, kmln_sum(pool, new, strlen(new)));
	assert_int_equal(i[4].was_mtime_ns, 999999999);
	assert_string_equal(i[5].old, "two\nthree\nfour");
	assert_string_equal(i[5].new, "2\\\x01\n\nthree\nfour\n5\n");
	assert_string_equal(i[6].target, "to =");
	assert_string_equal(i[6].old, "from");
	assert_int_equal(i[7].was_size, 8);
}

static void test_lines(void **state)
{
	/* old, new; the lines that differ */
	static const char *const cases[][4] = {{"a\nb\nc\n", "a\nB\nc\n", "b\n", "B\n"},
		{"", "a\n", "", "a\n"}, {"a\n", "a\nb\n", "", "b\n"},
		{"a", "a\nb\n", "a", "a\nb\n"}, {"x\nx\n", "x\nx\nx\n", "", "x\n"},
		{"a\nb", "A\nb", "a\n", "A\n"}};

	(void)state;
	for (size_t c = 0; c < KMLN_COUNT(cases); c++) {
		KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
		KMLN_EDITS struct kmln_edits edits = {0};
		KMLN_BUF struct kmln_buf text = {0};
		struct kmln_record record;
		struct kmln_error err;

		kmln_edits_init(&edits, pool);
		add(&edits, (struct kmln_edit){.kind = KMLN_EDIT_PUT,
				    .path = "/f",
				    .shared = true,
				    .data = cases[c][1],
				    .size = strlen(cases[c][1]),
				    .replaces = cases[c][0],
				    .replaces_size = strlen(cases[c][0]),
				    .replaces_mode = 0100644});
		kmln_record_write(&text, &edits, "kvm");
		assert_ok(kmln_record_parse(text.data, text.size, pool, &record, &err), err);
		assert_string_equal(record.items[0].old, cases[c][2]);
		assert_string_equal(record.items[0].new, cases[c][3]);
	}
}

static void test_bad(void **state)
{
	static const char *const texts[] = {
		"",
		"kmln-record 2 version=0 platform=kvm\n",
		"kmln-record 1 version=0 platform=kvm",
		HEAD "\n",
		HEAD "what path=/a\n",
		HEAD "-text\n",
		HEAD "shift by=s offset=1\n+text\n",
		HEAD "shift by=s\n",
		HEAD "shift offset=1\n",
		HEAD "shift by=s offset=1 offset=1\n",
		HEAD "shift by=s offset=01\n",
		HEAD "shift by=s offset=-1\n",
		HEAD "shift by=s offset=99999999999999999999999\n",
		HEAD "shift by=s offset=9223372036854775808\n",
		HEAD "shift by=s  offset=1\n",
		HEAD "shift by=s offset=1 path=/a\n",
		HEAD "shift by=s offset=1 \n",
		HEAD "shift by= offset=1\n",
		HEAD "mkdir path=a by=s mode=755 uid=0 gid=0\n",
		HEAD "mkdir path=/ by=s mode=755 uid=0 gid=0\n",
		HEAD "mkdir path=/a/../b by=s mode=755 uid=0 gid=0\n",
		HEAD "mkdir path=/a/. by=s mode=755 uid=0 gid=0\n",
		HEAD "mkdir path=/a//b by=s mode=755 uid=0 gid=0\n",
		HEAD "mkdir path=/a/ by=s mode=755 uid=0 gid=0\n",
		HEAD "mkdir path=/a\\x00b by=s mode=755 uid=0 gid=0\n",
		HEAD "mkdir path=/a\\x2fb\\x2f.. by=s mode=755 uid=0 gid=0\n",
		HEAD "mkdir path=/a\\x by=s mode=755 uid=0 gid=0\n",
		HEAD "mkdir path=/a\x01 by=s mode=755 uid=0 gid=0\n",
		HEAD "mkdir path=/a by=s mode=20000 uid=0 gid=0\n",
		HEAD "mkdir path=/a by=s mode=758 uid=0 gid=0\n",
		HEAD "mkdir path=/a by=s mode=755 uid=4294967296 gid=0\n",
		HEAD PUT "was=absent\n",
		HEAD PUT "sum=" SUM "\n",
		HEAD PUT "sum=" SUM "0 was=absent\n",
		HEAD PUT "sum=" SUM16 " was=absent\n",
		HEAD PUT "sum=" SUM " time=1.000000000 was=absent\n",
		HEAD PUT "time=1.0 was=absent\n",
		HEAD PUT "time=1 was=absent\n",
		HEAD PUT "time=.000000000 was=absent\n",
		HEAD PUT "time=99999999999999.000000000 was=absent\n",
		HEAD PUT "sum=" SUM " was=zero\n",
		HEAD PUT "sum=" SUM " was=else\n",
		HEAD PUT "sum=" SUM " was=kept\n",
		HEAD PUT "sum=" SUM " was=absent " BEFORE "\n",
		HEAD PUT "sum=" SUM " was=absent\n-text\n",
		HEAD PUT "sum=" SUM " was=kept " BEFORE "\n-too long\n",
		HEAD PUT "sum=" SUM " was=kept " BEFORE "\n-\\x00\\\n-a\n",
		HEAD PUT "sum=" SUM " was=kept " BEFORE "\n-\\x00\n",
		HEAD PUT "sum=" SUM " was=kept " BEFORE "\n-\x7f\n",
		HEAD "append path=/a by=s size=3 was-size=0 was-time=1.000000000\n+a\n",
		HEAD "bytes by=s offset=0 size=2 sum=" SUM " was=kept\n-abc\\\n",
		HEAD "bytes by=s offset=0 size=2 sum=" SUM " was=unknown\n-x\\\n",
	};
	static const char *const good[] = {
		HEAD,
		HEAD PUT "sum=" SUM " was=kept " BEFORE "\n-a\n",
		HEAD PUT "sum=" SUM " was=unknown why=\n",
		HEAD PUT "time=-1.000000000 was=absent why= two  words \n",
		HEAD "append path=/a by=s size=2 was-size=0 was-time=1.000000000\n+a\n",
		HEAD "bytes by=s offset=0 size=2 sum=" SUM " was=kept\n-ab\\\n",
	};
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_record record;
	struct kmln_error err;

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(texts); i++)
		if (kmln_record_parse(texts[i], strlen(texts[i]), pool, &record, &err) !=
			-KMLN_EINVALID)
			fail_msg("taken for a record: %s", texts[i]);
	for (size_t i = 0; i < KMLN_COUNT(good); i++)
		assert_ok(kmln_record_parse(good[i], strlen(good[i]), pool, &record, &err), err);
}

/* A text that goes on and on is given up before it costs much. */
static void test_endless(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_BUF struct kmln_buf text = {0};
	struct kmln_record record;
	struct kmln_error err;

	(void)state;
	kmln_buf_str(&text, HEAD);
	for (unsigned i = 0; i <= KMLN_RECORD_ITEMS_MAX; i++)
		kmln_buf_str(&text, "shift by=s offset=1\n");
	assert_fails(
		kmln_record_parse(text.data, text.size, pool, &record, &err), err, KMLN_EINVALID);
	memset(kmln_buf_grow(&text, KMLN_RECORD_MAX), '\n', KMLN_RECORD_MAX);
	assert_fails(
		kmln_record_parse(text.data, text.size, pool, &record, &err), err, KMLN_EINVALID);
}

/* Good records with some bytes changed: each is read or refused, and nothing else happens. */
static void test_mutated(void **state)
{
	static const char text[] =
		HEAD PUT "sum=" SUM " was=kept " BEFORE "\n-a\n"
			 "mkdir path=/a/b by=s mode=755 uid=0 gid=0 why=x\n"
			 "change path=/c by=s size=1 sum=" SUM " was=absent\n-o\\\n+\\x5c\n"
			 "bytes by=s offset=0 size=2 sum=" SUM " was=kept\n-ab\\\n";
	char copy[sizeof(text)];
	unsigned seed = 1, read = 0;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
		struct kmln_record record;
		struct kmln_error err;
		size_t size = sizeof(text) - 1;

		memcpy(copy, text, sizeof(text));
		for (unsigned n = (unsigned)rand_r(&seed) % 4; n-- > 0;)
			copy[(size_t)rand_r(&seed) % size] = (char)rand_r(&seed);
		if (rand_r(&seed) % 8 == 0)
			size = (size_t)rand_r(&seed) % size;
		read += kmln_record_parse(copy, size, pool, &record, &err) == 0;
	}
	assert_in_range(read, 1000, 19000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_endless),
		cmocka_unit_test(test_mutated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
