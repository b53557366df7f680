// SPDX-License-Identifier: GPL-2.0-or-later
/* tar streams, compressed files and initramfs archives. */
#include "unit.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "guest/archive.h"
#include "tar.h"

/* ---- tar ---- */

static void add_pax(struct kmln_buf *tar, const struct kmln_buf *records)
{
	tar_add(tar, &(struct tar_header){.name = "pax",
			     .type = 'x',
			     .mode = 0644,
			     .data = records->data,
			     .size = records->size});
}

/* What the walk gave, as text: one line for each entry. */
static int describe(void *data, const struct kmln_tar_entry *e, struct kmln_tar *content,
	struct kmln_error *err)
{
	struct kmln_buf *to = data;
	char piece[16];
	ssize_t n;

	kmln_buf_printf(to, "%s %o %u:%u %lld.%09u", e->path, e->mode, e->uid, e->gid,
		(long long)e->mtime, e->mtime_ns);
	if (e->dev_major || e->dev_minor)
		kmln_buf_printf(to, " dev %u:%u", e->dev_major, e->dev_minor);
	if (e->hardlink)
		kmln_buf_printf(to, " same as %s", e->hardlink);
	if (e->symlink)
		kmln_buf_printf(to, " -> %s", e->symlink);
	for (size_t i = 0; i < e->xattr_count; i++) {
		kmln_buf_printf(to, " %s=", e->xattrs[i].name);
		for (size_t k = 0; k < e->xattrs[i].size; k++)
			kmln_buf_printf(to, "%02x", (unsigned char)e->xattrs[i].value[k]);
	}
	if (e->size)
		kmln_buf_printf(to, " %llu: ", (unsigned long long)e->size);
	while ((n = kmln_tar_read(content, piece, sizeof(piece), err)) > 0)
		kmln_buf_add(to, piece, (size_t)n);
	kmln_buf_str(to, "\n");
	return n < 0 ? (int)n : 0;
}

static int walk(const void *bytes, size_t size, struct kmln_buf *said, struct kmln_error *err)
{
	KMLN_FD int fd = memfd_create("tar", MFD_CLOEXEC);

	if (size)
		assert_int_equal(kmln_pwrite_all(fd, bytes, size, 0, err), 0);
	return kmln_tar_walk(fd, describe, said, err);
}

static void test_kinds(void **state)
{
	KMLN_BUF struct kmln_buf tar = {0}, said = {0};
	struct kmln_error err;

	(void)state;
	tar_add(&tar, &(struct tar_header){.name = "./", .type = '5', .mode = 0755, .mtime = 1});
	tar_add(&tar, &(struct tar_header){.name = "./bin//su",
			      .type = '0',
			      .mode = 04755,
			      .uid = 0,
			      .gid = 5,
			      .mtime = 2,
			      .data = "content",
			      .size = 7});
	tar_add(&tar, &(struct tar_header){.name = "sh",
			      .type = '2',
			      .mode = 0777,
			      .link = "/usr/../bin/dash",
			      .mtime = 3});
	tar_add(&tar,
		&(struct tar_header){.name = "./h", .type = '1', .mode = 0644, .link = "./bin/su"});
	tar_add(&tar,
		&(struct tar_header){
			.name = "/dev/null", .type = '3', .mode = 0666, .major = 1, .minor = 3});
	tar_add(&tar, &(struct tar_header){
			      .name = "dev/sda", .type = '4', .mode = 0660, .gid = 6, .major = 8});
	tar_add(&tar, &(struct tar_header){.name = "fifo", .type = '6', .mode = 0600});
	tar_add(&tar, &(struct tar_header){.name = "caf\xe9", .type = '0', .mode = 0644});
	tar_end(&tar);
	assert_int_equal(walk(tar.data, tar.size, &said, &err), 0);
	assert_string_equal(said.data, "/ 40755 0:0 1.000000000\n"
				       "/bin/su 104755 0:5 2.000000000 7: content\n"
				       "/sh 120777 0:0 3.000000000 -> /usr/../bin/dash\n"
				       "/h 644 0:0 0.000000000 same as /bin/su\n"
				       "/dev/null 20666 0:0 0.000000000 dev 1:3\n"
				       "/dev/sda 60660 0:6 0.000000000 dev 8:0\n"
				       "/fifo 10600 0:0 0.000000000\n"
				       "/caf\xe9 100644 0:0 0.000000000\n");
}

static void test_pax(void **state)
{
	static const char capability[] = "\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0";
	KMLN_BUF struct kmln_buf tar = {0}, pax = {0}, said = {0};
	const char *long_name = "./a-name-of-more-than-one-hundred-bytes/"
				"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx/"
				"\xc3\xa9-and-\xf0\x9f\x90\xa7";
	struct kmln_error err;

	(void)state;
	pax_add(&pax, "path", long_name, strlen(long_name));
	pax_add(&pax, "mtime", "2208988800.123456789", 20);
	pax_add(&pax, "uid", "4000000000", 10);
	pax_add(&pax, "SCHILY.xattr.user.z", "a\nb=c", 5);
	pax_add(&pax, "SCHILY.xattr.security.capability", capability, 20);
	add_pax(&tar, &pax);
	tar_add(&tar, &(struct tar_header){.name = "short", .type = '0', .mode = 0755});
	tar_end(&tar);
	assert_int_equal(walk(tar.data, tar.size, &said, &err), 0);
	assert_string_equal(said.data,
		"/a-name-of-more-than-one-hundred-bytes/"
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx/"
		"\xc3\xa9-and-\xf0\x9f\x90\xa7 100755 4000000000:0 2208988800.123456789"
		" security.capability=0100000200200000000000000000000000000000"
		" user.z=610a623d63\n");
}

static void walk_acl(const char *key, const char *text, const char *xattr, size_t size,
	struct kmln_buf *said, int expect)
{
	KMLN_BUF struct kmln_buf tar = {0}, pax = {0};
	struct kmln_error err = {0};

	pax_add(&pax, key, text, strlen(text));
	if (xattr)
		pax_add(&pax, "SCHILY.xattr.system.posix_acl_access", xattr, size);
	add_pax(&tar, &pax);
	tar_add(&tar, &(struct tar_header){.name = "d", .type = '5', .mode = 0770});
	tar_end(&tar);
	assert_int_equal(walk(tar.data, tar.size, said, &err), expect);
}

#define NAMES "user::rwx,user:lisa:r--,group::r-x,mask::rwx,other::---"

static void test_acls(void **state)
{
	KMLN_BUF struct kmln_buf access_list = {0}, default_list = {0}, names = {0};
	KMLN_BUF struct kmln_buf both = {0};

	(void)state;
	/* numbers in the place of names; the mask is what the mode's group bits show */
	walk_acl("SCHILY.acl.access",
		"user::rwx\nuser:1000:r--\ngroup::r-x\nmask::rwx\nother::---\n", NULL, 0,
		&access_list, 0);
	assert_string_equal(access_list.data, "/d 40770 0:0 0.000000000 system.posix_acl_access="
					      "02000000"
					      "01000700ffffffff"
					      "02000400e8030000"
					      "04000500ffffffff"
					      "10000700ffffffff"
					      "20000000ffffffff\n");
	/* as bsdtar and star write it: the number behind the name */
	walk_acl("SCHILY.acl.default",
		"user::rwx,group::r-x,group:staff:rw-:50,user:lisa:r--:7,mask::rwx,other::--x",
		NULL, 0, &default_list, 0);
	assert_string_equal(default_list.data, "/d 40770 0:0 0.000000000 system.posix_acl_default="
					       "02000000"
					       "01000700ffffffff"
					       "0200040007000000"
					       "04000500ffffffff"
					       "0800060032000000"
					       "10000700ffffffff"
					       "20000100ffffffff\n");
	/* names alone say nothing of the guest's numbers */
	walk_acl("SCHILY.acl.access", NAMES, NULL, 0, &names, -KMLN_EINVALID);
	/* unless the attribute itself is there too: GNU tar with --xattrs and --acls */
	walk_acl("SCHILY.acl.access", NAMES, "\2\0\0\0", 4, &both, 0);
	assert_string_equal(
		both.data, "/d 40770 0:0 0.000000000 system.posix_acl_access=02000000\n");
}

static void test_hostile_tars(void **state)
{
	KMLN_BUF struct kmln_buf up = {0}, link = {0}, said = {0};
	struct kmln_error err;
	char name[400];

	(void)state;
	tar_add(&up, &(struct tar_header){.name = "./a/../../etc/passwd", .type = '0'});
	tar_end(&up);
	assert_int_equal(walk(up.data, up.size, &said, &err), -KMLN_EINVALID);
	assert_non_null(strstr(err.text, "'..'"));
	tar_add(&link, &(struct tar_header){.name = "h", .type = '1', .link = "../x"});
	tar_end(&link);
	assert_int_equal(walk(link.data, link.size, &said, &err), -KMLN_EINVALID);
	memset(name, 'n', sizeof(name));
	for (size_t i = 0; i < 3; i++) {
		KMLN_BUF struct kmln_buf tar = {0}, pax = {0};
		/* too long, no UTF-8, no number of a user */
		const char *const values[] = {name, "\xff\xfe", "-5"};

		pax_add(&pax, i < 2 ? "path" : "uid", values[i], i ? 2 : sizeof(name));
		add_pax(&tar, &pax);
		tar_add(&tar, &(struct tar_header){.name = "f", .type = '0'});
		tar_end(&tar);
		assert_int_equal(walk(tar.data, tar.size, &said, &err), -KMLN_EINVALID);
	}
	assert_int_equal(walk("", 0, &said, &err), -KMLN_EINVALID);
	assert_int_equal(walk("hello", 5, &said, &err), -KMLN_EINVALID);
	assert_int_equal(said.size, 0);
}

static void test_cut_tar(void **state)
{
	KMLN_BUF struct kmln_buf tar = {0}, said = {0};
	struct kmln_error err;
	char content[1500];

	(void)state;
	memset(content, 'c', sizeof(content));
	for (int i = 0; i < 2; i++)
		tar_add(&tar, &(struct tar_header){.name = i ? "b" : "a",
				      .type = '0',
				      .data = content,
				      .size = sizeof(content)});
	for (size_t size = 0; size <= tar.size + 512; size += 128) {
		KMLN_BUF struct kmln_buf cut = {0};

		kmln_buf_add(&cut, tar.data, size < tar.size ? size : tar.size);
		kmln_buf_grow(&cut, size - cut.size);
		assert_int_equal(walk(cut.data, cut.size, &said, &err), -KMLN_EINVALID);
	}
	tar_end(&tar);
	assert_int_equal(walk(tar.data, tar.size, &said, &err), 0);
	/* as tar pads to its record size */
	kmln_buf_grow(&tar, 8192);
	assert_int_equal(walk(tar.data, tar.size, &said, &err), 0);
}

static int stop(void *data, const struct kmln_tar_entry *e, struct kmln_tar *content,
	struct kmln_error *err)
{
	(void)e;
	(void)content;
	return ++*(int *)data == 2 ? 1 : *(int *)data == 12 ? kmln_fail(err, EDOM, "stop") : 0;
}

static void test_callback_ends_the_walk(void **state)
{
	KMLN_BUF struct kmln_buf tar = {0};
	struct kmln_error err;
	int count = 0;

	(void)state;
	for (int i = 0; i < 5; i++)
		tar_add(&tar, &(struct tar_header){.name = "a", .type = '0'});
	tar_end(&tar);
	for (int i = 0; i < 2; i++) {
		KMLN_FD int fd = memfd_create("tar", MFD_CLOEXEC);

		assert_int_equal(kmln_pwrite_all(fd, tar.data, tar.size, 0, &err), 0);
		assert_int_equal(kmln_tar_walk(fd, stop, &count, &err), i ? -EDOM : 0);
		assert_int_equal(count, i ? 12 : 2);
		count = 10;
	}
}

/* ---- one compressed file ---- */

static void compress(const struct kmln_buf *plain, const char *filter, struct kmln_buf *out)
{
	size_t room = plain->size + 4096, used = 0;
	struct archive *archive = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	char *bytes = kmln_malloc(room);

	assert_int_equal(archive_write_set_format_raw(archive), ARCHIVE_OK);
	assert_int_equal(archive_write_add_filter_by_name(archive, filter), ARCHIVE_OK);
	assert_int_equal(archive_write_set_bytes_in_last_block(archive, 1), ARCHIVE_OK);
	assert_int_equal(archive_write_open_memory(archive, bytes, room, &used), ARCHIVE_OK);
	archive_entry_set_filetype(entry, AE_IFREG);
	assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
	assert_int_equal(archive_write_data(archive, plain->data, plain->size), plain->size);
	archive_entry_free(entry);
	assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
	archive_write_free(archive);
	kmln_buf_add(out, bytes, used);
	free(bytes);
}

static void test_decompress(void **state)
{
	static const char *const filters[] = {"xz", "gzip", "zstd"};
	KMLN_BUF struct kmln_buf plain = {0};
	struct kmln_error err;

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		kmln_buf_printf(&plain, "%x", i * 2654435761u);
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		KMLN_BUF struct kmln_buf packed = {0}, out = {0}, cut = {0}, small = {0};

		compress(&plain, filters[i], &packed);
		assert_true(packed.size < plain.size);
		kmln_buf_str(&out, "head");
		assert_int_equal(
			kmln_decompress(packed.data, packed.size, plain.size, &out, &err), 0);
		assert_int_equal(out.size, plain.size + 4);
		assert_memory_equal(out.data + 4, plain.data, plain.size);
		assert_int_equal(
			kmln_decompress(packed.data, packed.size, plain.size - 1, &small, &err),
			-EFBIG);
		assert_true(small.size < plain.size);
		for (size_t size = 12; size < packed.size; size += packed.size / 7) {
			cut.size = 0;
			assert_int_equal(kmln_decompress(packed.data, size, plain.size, &cut, &err),
				-KMLN_EINVALID);
		}
	}
}

static void test_plain_bytes_pass(void **state)
{
	KMLN_BUF struct kmln_buf out = {0};
	struct kmln_error err;

	(void)state;
	assert_int_equal(kmln_decompress("\177ELF", 4, 4, &out, &err), 0);
	assert_int_equal(kmln_decompress("", 0, 0, &out, &err), 0);
	assert_string_equal(out.data, "\177ELF");
	assert_int_equal(kmln_decompress("\177ELF", 4, 3, &out, &err), -EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_pax),
		cmocka_unit_test(test_acls),
		cmocka_unit_test(test_hostile_tars),
		cmocka_unit_test(test_cut_tar),
		cmocka_unit_test(test_callback_ends_the_walk),
		cmocka_unit_test(test_decompress),
		cmocka_unit_test(test_plain_bytes_pass),
	};

	return cmocka_run_group_tests_name("archive", tests, NULL, NULL);
}
