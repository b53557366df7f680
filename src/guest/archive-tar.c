// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Walking a tar stream. What the walk promises beyond libarchive: clean paths, POSIX ACLs in the
 * kernel's own form beside the other attributes, and that a plain stream was complete.
 */
#include "guest/archive-private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PIECE (1u << 16)
#define TAIL 1024 /* a tar ends in two empty blocks */
#define XATTRS_MAX 256

struct kmln_tar {
	struct archive *archive;
	int fd;
	int read_error; /* errno of a read that failed, or 0 */
	char piece[PIECE];
	char tail[TAIL]; /* the last bytes of the stream */
};

static la_ssize_t read_stream(struct archive *archive, void *data, const void **bytes)
{
	struct kmln_tar *tar = data;
	ssize_t n;

	do
		n = read(tar->fd, tar->piece, PIECE);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		tar->read_error = errno;
		archive_set_error(archive, errno, "read: %s", strerror(errno));
		return -1;
	}
	if (n >= TAIL) {
		memcpy(tar->tail, tar->piece + n - TAIL, TAIL);
	} else {
		memmove(tar->tail, tar->tail + n, (size_t)(TAIL - n));
		memcpy(tar->tail + TAIL - n, tar->piece, (size_t)n);
	}
	*bytes = tar->piece;
	return n;
}

static int fail(struct kmln_tar *tar, struct kmln_error *err)
{
	int r = kmln_reader_fail(tar->archive, err);

	if (tar->read_error) {
		err->code = tar->read_error;
		r = -tar->read_error;
	}
	return r;
}

ssize_t kmln_tar_read(void *content, char *bytes, size_t room, struct kmln_error *err)
{
	struct kmln_tar *tar = content;
	la_ssize_t n = archive_read_data(tar->archive, bytes, room);

	return n < 0 ? fail(tar, err) : n;
}

/* ---- attributes ---- */

static void put16(unsigned char *to, unsigned value)
{
	to[0] = (unsigned char)value;
	to[1] = (unsigned char)(value >> 8);
}

static void put32(unsigned char *to, uint32_t value)
{
	put16(to, value & 0xffff);
	put16(to + 2, value >> 16);
}

struct acl_line {
	unsigned tag, permissions;
	uint32_t id;
};

static int compare_lines(const void *a, const void *b)
{
	const struct acl_line *x = a, *y = b;

	if (x->tag != y->tag)
		return x->tag < y->tag ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* The kernel's tags, in the order in which it wants them. */
static unsigned acl_tag(int tag)
{
	switch (tag) {
	case ARCHIVE_ENTRY_ACL_USER_OBJ:
		return 0x01;
	case ARCHIVE_ENTRY_ACL_USER:
		return 0x02;
	case ARCHIVE_ENTRY_ACL_GROUP_OBJ:
		return 0x04;
	case ARCHIVE_ENTRY_ACL_GROUP:
		return 0x08;
	case ARCHIVE_ENTRY_ACL_MASK:
		return 0x10;
	case ARCHIVE_ENTRY_ACL_OTHER:
		return 0x20;
	default:
		return 0;
	}
}

/* The bytes of a system.posix_acl_* attribute: version 2, then lines of tag, permissions, id. */
static char *acl_bytes(
	const struct acl_line *lines, size_t count, struct kmln_pool *pool, size_t *size)
{
	unsigned char *bytes;

	*size = 4 + 8 * count;
	bytes = kmln_pool_alloc(pool, *size);
	put32(bytes, 2);
	for (size_t i = 0; i < count; i++) {
		put16(bytes + 4 + 8 * i, lines[i].tag);
		put16(bytes + 6 + 8 * i, lines[i].permissions);
		put32(bytes + 8 + 8 * i, lines[i].id);
	}
	return (char *)bytes;
}

/*
 * Where a file has an access list, the group bits of its mode are the list's mask; libarchive has
 * put the group's own permissions there.
 */
static void mask_mode(struct archive_entry *from, uint32_t *mode)
{
	const int type = ARCHIVE_ENTRY_ACL_TYPE_ACCESS;
	int kind, permissions, tag, id;
	const char *who;

	if (!archive_entry_acl_reset(from, type))
		return;
	while (archive_entry_acl_next(from, type, &kind, &permissions, &tag, &id, &who) ==
		ARCHIVE_OK)
		if (tag == ARCHIVE_ENTRY_ACL_MASK)
			*mode = (*mode & ~070u) | ((uint32_t)permissions & 7) << 3;
}

static int add_acl(struct archive_entry *from, int type, const char *name,
	struct kmln_tar_xattr *xattr, struct kmln_pool *pool, struct kmln_error *err)
{
	int count = archive_entry_acl_reset(from, type), kind, permissions, tag, id;
	struct acl_line *lines;
	const char *who;
	size_t used = 0;

	lines = kmln_pool_array(pool, (size_t)count + 1, sizeof(*lines));
	while (used < (size_t)count && archive_entry_acl_next(from, type, &kind, &permissions, &tag,
					       &id, &who) == ARCHIVE_OK) {
		unsigned own = acl_tag(tag);
		bool named = own == 0x02 || own == 0x08;

		if (!own || (named && id < 0))
			return kmln_fail(err, KMLN_EINVALID,
				"an access list with the name '%s', which has no number",
				who ? who : "");
		lines[used++] = (struct acl_line){
			own, (unsigned)permissions & 7, named ? (uint32_t)id : UINT32_MAX};
	}
	qsort(lines, used, sizeof(*lines), compare_lines);
	xattr->name = name;
	xattr->value = acl_bytes(lines, used, pool, &xattr->size);
	return 0;
}

static bool has_xattr(const struct kmln_tar_entry *entry, const char *name)
{
	for (size_t i = 0; i < entry->xattr_count; i++)
		if (strcmp(entry->xattrs[i].name, name) == 0)
			return true;
	return false;
}

static int compare_xattrs(const void *a, const void *b)
{
	return strcmp(
		((const struct kmln_tar_xattr *)a)->name, ((const struct kmln_tar_xattr *)b)->name);
}

static int add_xattrs(struct archive_entry *from, struct kmln_tar_entry *entry,
	struct kmln_pool *pool, struct kmln_error *err)
{
	static const struct {
		int type;
		const char *name;
	} acls[] = {
		{ARCHIVE_ENTRY_ACL_TYPE_ACCESS, "system.posix_acl_access"},
		{ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, "system.posix_acl_default"},
	};
	int count = archive_entry_xattr_reset(from);
	struct kmln_tar_xattr *xattrs;
	const char *name;
	const void *value;
	size_t size;

	if (count > XATTRS_MAX)
		return kmln_fail(err, KMLN_EINVALID, "%d extended attributes", count);
	xattrs = kmln_pool_array(pool, (size_t)count + 2, sizeof(*xattrs));
	entry->xattrs = xattrs;
	while (archive_entry_xattr_next(from, &name, &value, &size) == ARCHIVE_OK)
		if (name && !has_xattr(entry, name))
			xattrs[entry->xattr_count++] = (struct kmln_tar_xattr){name, value, size};
	for (size_t i = 0; i < sizeof(acls) / sizeof(acls[0]); i++) {
		int r;

		if (!archive_entry_acl_count(from, acls[i].type) || has_xattr(entry, acls[i].name))
			continue;
		r = add_acl(
			from, acls[i].type, acls[i].name, &xattrs[entry->xattr_count], pool, err);
		if (r < 0)
			return r;
		entry->xattr_count++;
	}
	mask_mode(from, &entry->mode);
	qsort(xattrs, entry->xattr_count, sizeof(*xattrs), compare_xattrs);
	return 0;
}

/* ---- entries ---- */

/* User and group numbers of a tar are wide and signed; those of a filesystem are not. */
static int check_id(la_int64_t id, uint32_t *to, struct kmln_error *err)
{
	if (id < 0 || id >= UINT32_MAX)
		return kmln_fail(err, KMLN_EINVALID, "the owner %lld", (long long)id);
	*to = (uint32_t)id;
	return 0;
}

static int fill(struct archive_entry *from, struct kmln_tar_entry *entry, struct kmln_pool *pool,
	struct kmln_buf *path, struct kmln_buf *link, struct kmln_error *err)
{
	const char *hardlink = archive_entry_hardlink(from);
	int r = kmln_archive_path(archive_entry_pathname(from), path, err);

	if (r < 0)
		return r;
	*entry = (struct kmln_tar_entry){
		.path = path->data,
		.mode = archive_entry_mode(from),
		.mtime = archive_entry_mtime(from),
		.mtime_ns = (uint32_t)archive_entry_mtime_nsec(from),
	};
	r = check_id(archive_entry_uid(from), &entry->uid, err);
	if (r == 0)
		r = check_id(archive_entry_gid(from), &entry->gid, err);
	if (r == 0 && hardlink)
		r = kmln_archive_path(hardlink, link, err);
	if (r < 0)
		return r;
	if (hardlink) {
		entry->hardlink = link->data;
		entry->mode &= 07777;
		return 0;
	}
	switch (entry->mode & S_IFMT) {
	case S_IFREG:
		entry->size = (uint64_t)archive_entry_size(from);
		break;
	case S_IFLNK:
		entry->symlink = archive_entry_symlink(from);
		if (!entry->symlink || !*entry->symlink)
			return kmln_fail(err, KMLN_EINVALID, "a link to nothing");
		break;
	case S_IFCHR:
	case S_IFBLK:
		entry->dev_major = (uint32_t)archive_entry_rdevmajor(from);
		entry->dev_minor = (uint32_t)archive_entry_rdevminor(from);
		break;
	case S_IFDIR:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	default:
		return kmln_fail(err, KMLN_EINVALID, "an entry of an unknown type");
	}
	return add_xattrs(from, entry, pool, err);
}

static int one_entry(struct kmln_tar *tar, struct archive_entry *from, kmln_tar_fn fn, void *data,
	struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_BUF struct kmln_buf path = {0}, link = {0};
	struct kmln_tar_entry entry;
	int r = fill(from, &entry, pool, &path, &link, err);

	if (r == 0)
		return fn(data, &entry, tar, err);
	return path.size ? kmln_wrap(err, "%s", path.data) : r;
}

/* Reads what is left, so that the writer is not cut off, and looks at the end. */
static int check_end(struct kmln_tar *tar, struct kmln_error *err)
{
	const void *bytes;
	la_ssize_t n;

	do
		n = read_stream(tar->archive, tar, &bytes);
	while (n > 0);
	if (n < 0)
		return fail(tar, err);
	/* compression brings its own check of completeness */
	if (archive_filter_count(tar->archive) > 1)
		return 0;
	for (size_t i = 0; i < TAIL; i++)
		if (tar->tail[i])
			return kmln_fail(err, KMLN_EINVALID, "the stream ends too early");
	return 0;
}

int kmln_tar_walk(int fd, kmln_tar_fn fn, void *data, struct kmln_error *err)
{
	KMLN_LETTERS;
	KMLN_READER struct archive *archive = kmln_reader_tar();
	KMLN_FREE struct kmln_tar *tar = kmln_malloc(sizeof(*tar));
	struct archive_entry *entry;
	int r;

	tar->archive = archive;
	tar->fd = fd;
	tar->read_error = 0;
	memset(tar->tail, 1, sizeof(tar->tail));
	if (archive_read_open(archive, tar, NULL, read_stream, NULL) != ARCHIVE_OK)
		return fail(tar, err);
	while ((r = archive_read_next_header(archive, &entry)) == ARCHIVE_OK) {
		r = one_entry(tar, entry, fn, data, err);
		if (r)
			return r < 0 ? r : 0;
	}
	return r == ARCHIVE_EOF ? check_end(tar, err) : fail(tar, err);
}
