// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Planning the way back, on made-up guests: lines and paragraphs are found wherever they stand now,
 * two conversions are taken back as well as one, and what a record could be forged to say is not
 * vouched for.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "guest/undo.h"
#include "base/sum.h"

#define HEAD "kmln-record 1 version=0 platform=kvm\n"
#define STATUS1 "Package: a\nVersion: 1\nArchitecture: all\n\n"
#define STATUS2 "Package: linux\nVersion: 6\nArchitecture: all\n\n"
#define STATUS2_LATER "Package: linux\nVersion: 6\nStatus: triggered\nArchitecture: all\n\n"
#define STATUS2_NEW "Package: linux\nVersion: 7\nArchitecture: all\n\n"

static void test_text(void **state)
{
	/* kind; what stood there, what kmln wrote; the text now; what is left, NULL: edited */
	static const struct {
		enum kmln_record_kind kind;
		const char *old, *new, *now, *left;
	} cases[] = {
		{KMLN_RECORD_CHANGE, "", "L\n", "a\nL\n", "a\n"},
		{KMLN_RECORD_CHANGE, "", "L\n", "L\nb\n", "b\n"},
		{KMLN_RECORD_CHANGE, "", "L\n", "a\nL", "a\n"},
		{KMLN_RECORD_CHANGE, "", "L\n", "a\nLL\n", NULL},
		{KMLN_RECORD_CHANGE, "", "L\n", "a\n L\n", NULL},
		{KMLN_RECORD_CHANGE, "", "L\n", "", NULL},
		{KMLN_RECORD_CHANGE, "", "L\n", "L\nb\nL\n", "L\nb\n"},
		{KMLN_RECORD_CHANGE, "a", "a\nL\n", "a\nL\n", "a\n"},
		{KMLN_RECORD_CHANGE, "a", "a\nL\n", "x\nL\nmore\n", "x\nmore\n"},
		{KMLN_RECORD_CHANGE, "/dev/x / e\n", "UUID=1 / e\n", "n\nUUID=1 / e\nm\n",
			"n\n/dev/x / e\nm\n"},
		{KMLN_RECORD_CHANGE, "/dev/x / e\n", "UUID=1 / e\n", "n\nUUID=1 / f\nm\n", NULL},
		{KMLN_RECORD_CHANGE, "/dev/x / e", "UUID=1 / e", "UUID=1 / e\nm\n",
			"/dev/x / e\nm\n"},
		{KMLN_RECORD_APPEND, "", STATUS2, STATUS1 STATUS2, STATUS1},
		{KMLN_RECORD_APPEND, "", STATUS2, STATUS2 STATUS1, STATUS1},
		{KMLN_RECORD_APPEND, "", STATUS2, STATUS1 STATUS2_LATER STATUS1, STATUS1 STATUS1},
		{KMLN_RECORD_APPEND, "", STATUS2, STATUS1 STATUS2_NEW, NULL},
		{KMLN_RECORD_APPEND, "", STATUS2, STATUS1, STATUS1},
		{KMLN_RECORD_APPEND, "", STATUS2 STATUS1, STATUS1 "\n" STATUS2, ""},
		{KMLN_RECORD_APPEND, "", "line\n", "a\nline\nb\n", "a\nb\n"},
		{KMLN_RECORD_APPEND, "", "line\n", "a\nlin\nb\n", NULL},
	};

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(cases); i++) {
		KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
		const struct kmln_record_item item = {.kind = cases[i].kind,
			.old = cases[i].old,
			.old_size = strlen(cases[i].old),
			.new = cases[i].new,
			.new_size = strlen(cases[i].new)};
		size_t size = strlen(cases[i].now);
		const char *why = NULL, *left;

		left = kmln_undo_text(&item, pool, cases[i].now, &size, &why);
		if (!left != !cases[i].left || (left && strcmp(left, cases[i].left) != 0))
			fail_msg("%zu: left '%s', not '%s'", i, left ? left : why, cases[i].left);
		if (left)
			assert_int_equal(size, strlen(left));
		else
			assert_non_null(why);
	}
}

/* A guest in a wrapped disk. */
struct made {
	struct kmln_pool *pool;
	struct kmln_facts facts;
	struct kmln_filesystem root;
	struct kmln_partition partition;
	struct kmln_record records[2];
	struct kmln_undo undo;
	struct kmln_edits edits;
	struct kmln_strv edited;
	char *head;
};

static void add_file(struct made *m, const char *path, const char *real, uint32_t mode)
{
	struct kmln_known_file *f =
		kmln_pool_append(m->pool, &m->facts.files, &m->facts.file_count, sizeof(*f));

	*f = (struct kmln_known_file){.path = path, .real = real, .mode = mode};
}

static void make(struct made *m)
{
	*m = (struct made){.pool = kmln_pool_new()};
	m->root = (struct kmln_filesystem){.partition = 1, .range = {1 << 20, 64 << 20}};
	m->partition = (struct kmln_partition){.number = 1, .range = m->root.range};
	m->head = kmln_pool_alloc(m->pool, 1 << 20);
	m->facts = (struct kmln_facts){.pool = m->pool,
		.table = "mbr",
		.root = &m->root,
		.head = m->head,
		.head_size = 1 << 20,
		.size = 65 << 20,
		.partitions = &m->partition,
		.partition_count = 1};
	add_file(m, "/etc/fstab", "/etc/fstab", S_IFREG | 0644);
	add_file(m, "/etc/inittab", "/etc/inittab", 0);
	add_file(m, "/etc/securetty", "/etc/securetty", S_IFREG | 0644);
	add_file(m, "/boot", "/srv/boot", S_IFDIR | 0755);
	add_file(m, "/boot/grub", "/srv/boot/grub", S_IFDIR | 0755);
	add_file(m, "/boot/grub/grub.cfg", "/srv/boot/grub/grub.cfg", S_IFREG | 0644);
	add_file(m, "/lib", "/usr/lib", S_IFDIR | 0755);
	add_file(m, "/lib/modules", "/usr/lib/modules", S_IFDIR | 0755);
	add_file(m, "/etc/kmln", "/etc/kmln", 0);
	add_file(m, "/etc/kmln/boot.conf", NULL, 0);
	add_file(m, "/var", "/var", S_IFDIR | 0755);
	add_file(m, "/var/lib", "/var/lib", S_IFDIR | 0755);
	add_file(m, KMLN_RECORD_FOLDER, KMLN_RECORD_FOLDER, S_IFDIR | 0755);
	kmln_edits_init(&m->edits, m->pool);
	m->undo = (struct kmln_undo){
		.facts = &m->facts,
		.records = m->records,
		.edits = &m->edits,
		.edited = &m->edited,
	};
}

static void fini(struct made *m)
{
	kmln_edits_fini(&m->edits);
	kmln_strv_fini(&m->edited);
	kmln_pool_free(m->pool);
}

/* Records are added from the newest to the oldest. */
static void add_record(struct made *m, const char *lines)
{
	char *text = kmln_pool_printf(m->pool, HEAD "%s", lines);
	size_t i = m->undo.record_count++;
	struct kmln_error err;

	assert_ok(kmln_record_parse(text, strlen(text), m->pool, &m->records[i], &err), err);
	m->records[i].file = kmln_pool_printf(m->pool, KMLN_RECORD_FOLDER "/conversion-%zu", 2 - i);
}

static struct kmln_state *state_of(struct made *m, const char *path)
{
	for (size_t i = 0; i < m->undo.state_count; i++)
		if (kmln_eq(m->undo.states[i].path, path))
			return &m->undo.states[i];
	fail_msg("%s is not asked for", path);
	return NULL;
}

static void is_file(struct made *m, const char *path, const char *data)
{
	struct kmln_state *s = state_of(m, path);

	s->mode = S_IFREG | 0644;
	s->data = data;
	s->size = strlen(data);
	s->mtime = 50;
}

static void is_folder(struct made *m, const char *path, const char *const *names)
{
	struct kmln_state *s = state_of(m, path);

	s->mode = S_IFDIR | 0755;
	s->names = names;
}

static const struct kmln_edit *edit_of(const struct made *m, const char *path)
{
	for (size_t i = 0; i < m->edits.count; i++)
		if (kmln_eq(m->edits.items[i].path, path))
			return &m->edits.items[i];
	return NULL;
}

#define UUID "UUID=01234567-0123-0123-0123-0123456789ab"
#define INITRAMFS "/srv/boot/initrd.img-6.1"

static char *put(struct made *m, const char *path, const char *by, const char *data)
{
	return kmln_pool_printf(m->pool,
		"put path=%s by=%s mode=644 uid=0 gid=0 size=%zu sum=%s was=absent\n", path, by,
		strlen(data), kmln_sum(m->pool, data, strlen(data)));
}

/* The second conversion replaced what the first had put in. */
static void test_two(void **state)
{
	static const char *const names[] = {"conversion-1", "conversion-2", NULL};
	struct made m;
	struct kmln_error err;
	char second_lines[400], *first;

	(void)state;
	make(&m);
	first = put(&m, INITRAMFS, "initramfs", "one");
	snprintf(second_lines, sizeof(second_lines),
		"put path=%s by=initramfs mode=644 uid=0 gid=0 size=3 sum=%s was=unknown\n",
		INITRAMFS, kmln_sum(m.pool, "two", 3));
	add_record(&m, second_lines);
	add_record(&m, first);
	assert_ok(kmln_undo_vouch(&m.undo, &err), err);
	kmln_undo_ask(&m.undo, m.pool);
	assert_int_equal(m.undo.state_count, 4);
	is_folder(&m, KMLN_RECORD_FOLDER, names);
	is_file(&m, KMLN_RECORD_FOLDER "/conversion-1", "");
	is_file(&m, KMLN_RECORD_FOLDER "/conversion-2", "");
	is_file(&m, INITRAMFS, "two");
	assert_ok(kmln_plan_undo(&m.undo, &err), err);
	/* what the second replaced is not known, and it was the first's */
	assert_int_equal(m.edited.count, 0);
	assert_int_equal(edit_of(&m, INITRAMFS)->kind, KMLN_EDIT_REMOVE);
	assert_non_null(edit_of(&m, KMLN_RECORD_FOLDER));
	fini(&m);

	/* without the first it was the guest's, and is lost */
	make(&m);
	add_record(&m, second_lines);
	kmln_undo_ask(&m.undo, m.pool);
	is_folder(&m, KMLN_RECORD_FOLDER, names);
	is_file(&m, KMLN_RECORD_FOLDER "/conversion-2", "");
	is_file(&m, INITRAMFS, "two");
	assert_ok(kmln_plan_undo(&m.undo, &err), err);
	assert_int_equal(m.edited.count, 1);
	assert_null(edit_of(&m, INITRAMFS));
	fini(&m);
}

static void test_folders(void **state)
{
	static const char *const records[] = {"conversion-2", "mine", NULL};
	static const char *const modules[] = {"modules.dep", "modules.weakdep", "a.ko", NULL};
	static const char *const more[] = {"modules.dep", "modules.weakdep", "a.ko", "b.ko", NULL};
	static const char lines[] =
		"mkdir path=/usr/lib/modules/6 by=kernel mode=755 uid=0 gid=0\n"
		"put path=/usr/lib/modules/6/a.ko by=kernel mode=644 uid=0 gid=0 size=1 "
		"time=50.000000000 was=absent\n"
		"put path=/usr/lib/modules/6/modules.dep by=kernel mode=644 uid=0 gid=0 size=9 "
		"time=1.000000000 was=absent\n";

	(void)state;
	for (int others = 0; others < 2; others++) {
		struct made m;
		struct kmln_error err;

		make(&m);
		add_record(&m, lines);
		assert_ok(kmln_undo_vouch(&m.undo, &err), err);
		kmln_undo_ask(&m.undo, m.pool);
		is_folder(&m, KMLN_RECORD_FOLDER, records);
		is_file(&m, KMLN_RECORD_FOLDER "/conversion-2", "");
		is_folder(&m, "/usr/lib/modules/6", others ? more : modules);
		is_file(&m, "/usr/lib/modules/6/a.ko", "m");
		is_file(&m, "/usr/lib/modules/6/modules.dep", "written again by depmod");
		assert_ok(kmln_plan_undo(&m.undo, &err), err);
		assert_int_equal(m.edited.count, 0);
		assert_non_null(edit_of(&m, "/usr/lib/modules/6/a.ko"));
		assert_non_null(edit_of(&m, "/usr/lib/modules/6/modules.dep"));
		assert_int_equal(!edit_of(&m, "/usr/lib/modules/6/modules.weakdep"), others);
		assert_int_equal(!edit_of(&m, "/usr/lib/modules/6"), others);
		assert_non_null(edit_of(&m, KMLN_RECORD_FOLDER "/conversion-2"));
		assert_null(edit_of(&m, KMLN_RECORD_FOLDER));
		assert_int_equal(m.edits.note_count, 1 + others);
		fini(&m);
	}
}

/* The disk is made a bare filesystem again only where its table is the one that wrapping makes. */
static void test_disk(void **state)
{
	(void)state;
	for (int variant = 0; variant < 5; variant++) {
		static const char *const names[] = {"conversion-2", NULL};
		struct kmln_partition two[2];
		struct made m;
		struct kmln_error err;

		make(&m);
		memset(m.head, 'b', 512);
		add_record(&m, kmln_pool_printf(m.pool,
				       "shift by=wrap offset=1048576\n"
				       "bytes by=loader offset=0 size=512 sum=%s was=absent\n",
				       kmln_record_bytes_sum(m.pool, 0, m.head, 512)));
		assert_ok(kmln_undo_vouch(&m.undo, &err), err);
		two[0] = two[1] = m.partition;
		switch (variant) {
		case 1:
			m.facts.partitions = two;
			m.facts.partition_count = 2;
			break;
		case 2:
			m.head[5] = 'x';
			break;
		case 3:
			m.facts.table = NULL;
			m.facts.head = NULL;
			m.facts.head_size = 0;
			break;
		case 4:
			/* another id, another type of the partition: not the boot loader's */
			memset(m.head + KMLN_TABLE_START, 'x', 10);
			break;
		default:
			break;
		}
		kmln_undo_ask(&m.undo, m.pool);
		is_folder(&m, KMLN_RECORD_FOLDER, names);
		is_file(&m, KMLN_RECORD_FOLDER "/conversion-2", "");
		assert_ok(kmln_plan_undo(&m.undo, &err), err);
		assert_int_equal(m.edited.count, variant == 1 || variant == 2);
		assert_int_equal(m.edits.count, variant == 0 || variant == 4 ? 3 : 2);
		fini(&m);
	}
}

/* Each is a record that can be read, and tells of what no step does. */
static void test_forged(void **state)
{
	static const char sum[] = "00000000000000000000000000000000000000000000000000000000"
				  "00000000000000000000000000000000000000000000000000000000"
				  "0000000000000000";
	static const char *const lines[] = {
		"put path=/etc/shadow by=kernel mode=644 uid=0 gid=0 size=1 time=1.000000000 "
		"was=absent\n",
		"put path=/etc/shadow by=grub mode=644 uid=0 gid=0 size=1 sum=SUM was=absent\n",
		"put path=/etc/passwd by=nobody mode=644 uid=0 gid=0 size=1 sum=SUM was=absent\n",
		"put path=/boot/vmlinuz-6 by=kernel mode=644 uid=0 gid=0 size=1 time=1.000000000 "
		"was=absent\n",
		"put path=/srv/boot/other by=kernel mode=644 uid=0 gid=0 size=1 time=1.000000000 "
		"was=absent\n",
		"put path=/srv/boot/vmlinuz-a\\x20b by=kernel mode=644 uid=0 gid=0 size=1 "
		"time=1.000000000 was=absent\n",
		"put path=/srv/boot/vmlinuz-6 by=kernel mode=644 uid=0 gid=0 size=1 sum=SUM "
		"was=absent\n",
		"put path=/srv/boot/initrd.img-6 by=initramfs mode=644 uid=0 gid=0 size=1 sum=SUM "
		"was=kept was-mode=100644 was-uid=0 was-gid=0 was-size=0 was-time=1.000000000 "
		"was-sum=SUM\n",
		"mkdir path=/etc by=kernel mode=755 uid=0 gid=0\n",
		"mkdir path=/srv/boot by=kernel mode=4777 uid=0 gid=0\n",
		"mkdir path=/lib/modules/6 by=kernel mode=755 uid=0 gid=0\n",
		"symlink path=/etc/mtab by=kernel target=x uid=0 gid=0 was=absent\n",
		"change path=/etc/passwd by=fstab size=1 sum=SUM was=absent\n+" UUID
		" / ext4 errors=remount-ro 0 1\n",
		"change path=/etc/fstab by=fstab size=1 sum=SUM was=absent\n+evil / ext4 defaults 0 "
		"1\n",
		"change path=/etc/fstab by=fstab size=1 sum=SUM was=absent\n+" UUID
		" /home ext4 errors=remount-ro 0 1\n",
		"change path=/etc/fstab by=fstab size=1 sum=SUM was=kept was-mode=100644 was-uid=0 "
		"was-gid=0 was-size=0 was-time=1.000000000 was-sum=SUM\n-/dev/a / ext4 suid 0 1\n+" UUID
		" / ext4 nosuid 0 1\n",
		"change path=/etc/fstab by=fstab size=1 sum=SUM was=kept was-mode=100644 was-uid=0 "
		"was-gid=0 was-size=0 was-time=1.000000000 was-sum=SUM\n-/dev/a / x\n-/dev/b /b x\n+" UUID
		" / x\n",
		"change path=/etc/securetty by=login size=1 sum=SUM was=absent\n+ttyS0\n",
		"change path=/etc/securetty by=login size=1 sum=SUM was=kept was-mode=100644 "
		"was-uid=0 was-gid=0 was-size=0 was-time=1.000000000 was-sum=SUM\n+tty1\n",
		"change path=/etc/inittab by=login size=1 sum=SUM was=absent\n+T0:2345:respawn:/bin/sh\n",
		"change path=/etc/inittab by=login size=1 sum=SUM was=absent\n-x:1:y\n+T0:2345:respawn:"
		"/sbin/getty -L ttyS0 115200 vt100\n",
		"shift by=wrap offset=4096\n",
		"shift by=loader offset=1048576\n",
		"bytes by=loader offset=0 size=513 sum=SUM was=zero\n",
		"bytes by=loader offset=1048577 size=512 sum=SUM was=zero\n",
		"bytes by=loader offset=512 size=511 sum=SUM was=zero\n",
		"bytes by=loader offset=512 size=9223372036854775296 sum=SUM was=zero\n",
		"resize by=resize size=1 was-size=2\n",
		"extend by=wrap size=4294967296\n",
		"append path=/etc/passwd by=login size=2 was-size=1 was-time=1.000000000\n+x\n",
		"mkdir path=/srv/boot by=kernel mode=755 uid=0 gid=0\n"
		"mkdir path=/srv/boot by=grub mode=755 uid=0 gid=0\n",
	};

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(lines); i++) {
		KMLN_BUF struct kmln_buf text = {0};
		struct made m;
		struct kmln_error err;

		make(&m);
		for (const char *p = lines[i]; *p;) {
			const char *mark = strstr(p, "SUM");
			size_t n = mark ? (size_t)(mark - p) : strlen(p);

			kmln_buf_add(&text, p, n);
			kmln_buf_str(&text, mark ? sum : "");
			p += n + (mark ? 3 : 0);
		}
		add_record(&m, text.data);
		if (kmln_undo_vouch(&m.undo, &err) != -KMLN_EINVALID)
			fail_msg("vouched for: %s", lines[i]);
		fini(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_two),
		cmocka_unit_test(test_folders),
		cmocka_unit_test(test_disk),
		cmocka_unit_test(test_forged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
