// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writing the record of a plan; see record.h for its form. What is written here, record.c reads;
 * nothing of the clock and nothing of the host is in it.
 */
#include "guest/record.h"

#include <string.h>

#include "base/sum.h"

static bool plain(unsigned char c)
{
	return c > 0x20 && c < 0x7f && c != '\\';
}

static void escape(struct kmln_buf *out, const char *text, size_t size, bool blanks)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (plain(c) || (blanks && (c == ' ' || c == '\t')))
			kmln_buf_add(out, &text[i], 1);
		else
			kmln_buf_printf(out, "\\x%02x", c);
	}
}

static void write_text(struct kmln_buf *out, const char *name, const char *value)
{
	kmln_buf_printf(out, " %s=", name);
	escape(out, value, strlen(value), false);
}

static void write_time(struct kmln_buf *out, const char *name, int64_t seconds, uint32_t ns)
{
	kmln_buf_printf(out, " %s=%lld.%09u", name, (long long)seconds, ns);
}

static void write_lines(struct kmln_buf *out, char sign, const char *text, size_t size)
{
	while (size) {
		const char *nl = memchr(text, '\n', size);
		size_t n = nl ? (size_t)(nl - text) : size;

		kmln_buf_add(out, &sign, 1);
		escape(out, text, n, true);
		kmln_buf_str(out, nl ? "\n" : "\\\n");
		n += nl ? 1 : 0;
		text += n;
		size -= n;
	}
}

static void write_before(struct kmln_buf *out, const struct kmln_edit *e)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();

	kmln_buf_printf(out, " was=%s",
		kmln_record_was_name(!e->replaces	? KMLN_WAS_ABSENT
				     : e->replaces_mode ? KMLN_WAS_KEPT
							: KMLN_WAS_UNKNOWN));
	if (!e->replaces || !e->replaces_mode)
		return;
	kmln_buf_printf(out, " was-mode=%o was-uid=%u was-gid=%u was-size=%llu", e->replaces_mode,
		e->replaces_uid, e->replaces_gid, (unsigned long long)e->replaces_size);
	write_time(out, "was-time", e->replaces_mtime, e->replaces_mtime_ns);
	write_text(out, "was-sum", kmln_sum(pool, e->replaces, e->replaces_size));
}

static void write_why(struct kmln_buf *out, const struct kmln_edit *e)
{
	if (e->why) {
		kmln_buf_str(out, " why=");
		escape(out, e->why, strlen(e->why), true);
	}
	kmln_buf_str(out, "\n");
}

static void write_head(struct kmln_buf *out, enum kmln_record_kind kind, const struct kmln_edit *e)
{
	kmln_buf_str(out, kmln_record_kind_name(kind));
	if (e->path)
		write_text(out, "path", e->path);
	write_text(out, "by", e->by);
}

static size_t common_lines(const char *a, size_t a_size, const char *b, size_t b_size)
{
	size_t end = 0;

	for (size_t i = 0; i < a_size && i < b_size && a[i] == b[i]; i++)
		if (a[i] == '\n')
			end = i + 1;
	return end;
}

/* Whole lines from the end that both have, and that begin a line in both. */
static size_t common_tail(const char *a, size_t a_size, const char *b, size_t b_size)
{
	size_t n = 0, tail = 0;

	while (n < a_size && n < b_size && a[a_size - 1 - n] == b[b_size - 1 - n]) {
		n++;
		if ((n == a_size || a[a_size - 1 - n] == '\n') &&
			(n == b_size || b[b_size - 1 - n] == '\n'))
			tail = n;
	}
	return tail;
}

static void write_change(struct kmln_buf *out, const struct kmln_edit *e)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	const char *old = e->replaces ? e->replaces : "";
	size_t old_size = e->replaces ? e->replaces_size : 0;
	size_t head = common_lines(old, old_size, e->data, e->size);
	size_t tail = common_tail(old + head, old_size - head, e->data + head, e->size - head);

	write_head(out, KMLN_RECORD_CHANGE, e);
	kmln_buf_printf(out, " size=%llu", (unsigned long long)e->size);
	write_text(out, "sum", kmln_sum(pool, e->data, e->size));
	write_before(out, e);
	write_why(out, e);
	write_lines(out, '-', old + head, old_size - head - tail);
	write_lines(out, '+', e->data + head, e->size - head - tail);
}

static void write_put(struct kmln_buf *out, const struct kmln_edit *e)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();

	write_head(out, KMLN_RECORD_PUT, e);
	kmln_buf_printf(out, " mode=%o uid=%u gid=%u size=%llu", e->mode, e->uid, e->gid,
		(unsigned long long)e->size);
	if (e->from)
		write_time(out, "time", e->mtime, e->mtime_ns);
	else
		write_text(out, "sum", kmln_sum(pool, e->data, e->size));
	write_before(out, e);
	write_why(out, e);
	if (e->replaces && e->replaces_mode)
		write_lines(out, '-', e->replaces, e->replaces_size);
}

static bool all_zero(const char *bytes, size_t size)
{
	return !size || (!bytes[0] && memcmp(bytes, bytes + 1, size - 1) == 0);
}

char *kmln_record_bytes_sum(struct kmln_pool *pool, uint64_t offset, const char *bytes, size_t size)
{
	char *copy = kmln_pool_memdup(pool, bytes, size);

	for (uint64_t at = KMLN_TABLE_START; at < KMLN_TABLE_END; at++)
		if (at >= offset && at - offset < size)
			copy[at - offset] = 0;
	return kmln_sum(pool, copy, size);
}

static void write_bytes(struct kmln_buf *out, const struct kmln_edit *e)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	bool known = e->replaces && e->replaces_size;
	bool zero = known && all_zero(e->replaces, e->size);

	write_head(out, KMLN_RECORD_BYTES, e);
	kmln_buf_printf(out, " offset=%llu size=%llu", (unsigned long long)e->offset,
		(unsigned long long)e->size);
	write_text(out, "sum", kmln_record_bytes_sum(pool, e->offset, e->data, e->size));
	write_text(out, "was",
		kmln_record_was_name(!e->replaces ? KMLN_WAS_ABSENT
				     : !known	  ? KMLN_WAS_UNKNOWN
				     : zero	  ? KMLN_WAS_ZERO
						  : KMLN_WAS_KEPT));
	write_why(out, e);
	if (known && !zero)
		write_lines(out, '-', e->replaces, e->size);
}

static void write_one(struct kmln_buf *out, const struct kmln_edit *e)
{
	switch (e->kind) {
	case KMLN_EDIT_SHIFT:
		write_head(out, KMLN_RECORD_SHIFT, e);
		kmln_buf_printf(out, " offset=%llu", (unsigned long long)e->offset);
		break;
	case KMLN_EDIT_EXTEND:
		write_head(out, KMLN_RECORD_EXTEND, e);
		kmln_buf_printf(out, " size=%llu", (unsigned long long)e->size);
		break;
	case KMLN_EDIT_RESIZE:
		write_head(out, KMLN_RECORD_RESIZE, e);
		kmln_buf_printf(out, " size=%llu was-size=%llu", (unsigned long long)e->size,
			(unsigned long long)e->replaces_size);
		break;
	case KMLN_EDIT_MKDIR:
		write_head(out, KMLN_RECORD_MKDIR, e);
		kmln_buf_printf(out, " mode=%o uid=%u gid=%u", e->mode, e->uid, e->gid);
		break;
	case KMLN_EDIT_SYMLINK:
		write_head(out, KMLN_RECORD_SYMLINK, e);
		write_text(out, "target", e->data);
		kmln_buf_printf(out, " uid=%u gid=%u was=%s", e->uid, e->gid,
			kmln_record_was_name(e->replaces ? KMLN_WAS_KEPT : KMLN_WAS_ABSENT));
		if (e->replaces)
			write_time(out, "was-time", e->replaces_mtime, e->replaces_mtime_ns);
		write_why(out, e);
		if (e->replaces)
			write_lines(out, '-', e->replaces, strlen(e->replaces));
		return;
	case KMLN_EDIT_APPEND:
		write_head(out, KMLN_RECORD_APPEND, e);
		kmln_buf_printf(out, " size=%llu was-size=%llu", (unsigned long long)e->size,
			(unsigned long long)e->replaces_size);
		write_time(out, "was-time", e->replaces_mtime, e->replaces_mtime_ns);
		write_why(out, e);
		write_lines(out, '+', e->data, e->size);
		return;
	case KMLN_EDIT_PUT:
		(e->shared ? write_change : write_put)(out, e);
		return;
	case KMLN_EDIT_BYTES:
		write_bytes(out, e);
		return;
	case KMLN_EDIT_COLLAPSE:
		write_head(out, KMLN_RECORD_CUT, e);
		kmln_buf_printf(out, " offset=%llu size=%llu was-size=%llu",
			(unsigned long long)e->offset, (unsigned long long)e->size,
			(unsigned long long)e->replaces_size);
		break;
	case KMLN_EDIT_KEEP:
		write_head(out, KMLN_RECORD_KEEP, e);
		kmln_buf_printf(out, " offset=%llu size=%llu\n", (unsigned long long)e->offset,
			(unsigned long long)e->size);
		write_lines(out, '-', e->data, e->size);
		return;
	case KMLN_EDIT_REMOVE: /* only undoing plans it */
	case KMLN_EDIT_MERGE: /* only for a copy */
	case KMLN_EDIT_KINDS:
		return;
	}
	write_why(out, e);
}

void kmln_record_write(struct kmln_buf *out, const struct kmln_edits *edits, const char *platform)
{
	kmln_buf_printf(out, "kmln-record 1 version=%s platform=%s\n", KMLN_VERSION, platform);
	for (size_t i = 0; i < edits->count; i++)
		write_one(out, &edits->items[i]);
}
