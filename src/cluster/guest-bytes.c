// SPDX-License-Identifier: GPL-2.0-or-later
/* Bytes of any kind in JSON, lines of lists, and copying between descriptors; see guest.h. */
#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/utf8.h"
#include "cluster/guest.h"

#define PIECE (1u << 20)

static bool is_utf8(const char *text)
{
	for (size_t n; *text; text += n) {
		n = kmln_utf8_length(text);
		if (!n)
			return false;
	}
	return true;
}

void kmln_guest_set_bytes(
	struct kmln_json *object, const char *key, const char *hex_key, const char *bytes)
{
	KMLN_BUF struct kmln_buf hex = {0};

	if (is_utf8(bytes)) {
		kmln_json_set(object, key, kmln_json_text(bytes));
		return;
	}
	for (; *bytes; bytes++)
		kmln_buf_printf(&hex, "%02x", (unsigned char)*bytes);
	kmln_json_set(object, hex_key, kmln_json_text(hex.data));
}

struct kmln_json *kmln_guest_request(const char *what, const char *path)
{
	struct kmln_json *request = kmln_json_object();

	kmln_json_set(request, "do", kmln_json_text(what));
	kmln_guest_set_bytes(request, "path", "bytes", path);
	return request;
}

/* Appends what the digits stand for; false where they are none, or stand for a NUL. */
static bool read_hex(const char *hex, struct kmln_buf *out)
{
	static const char digits[] = "0123456789abcdef";

	for (; *hex; hex += 2) {
		const char *high = strchr(digits, tolower((unsigned char)hex[0]));
		const char *low = hex[1] ? strchr(digits, tolower((unsigned char)hex[1])) : NULL;
		char byte = high && low ? (char)((high - digits) * 16 + (low - digits)) : '\0';

		if (!byte)
			return false;
		kmln_buf_add(out, &byte, 1);
	}
	return true;
}

/* A text under one of two names; false where it is under none. */
static bool read_bytes(
	const struct kmln_json *object, const char *key, const char *hex_key, struct kmln_buf *out)
{
	const char *text = kmln_json_get(object, key), *hex = kmln_json_get(object, hex_key);

	out->size = 0;
	kmln_buf_add(out, "", 0);
	if (!text)
		return hex && read_hex(hex, out);
	kmln_buf_str(out, text);
	return true;
}

static bool read_kind(const char *text, enum kmln_guest_kind *kind)
{
	static const char *const kinds[] = {"file", "folder", "link", "other"};

	for (size_t i = 0; i < KMLN_COUNT(kinds); i++)
		if (kmln_eq(kinds[i], text)) {
			*kind = (enum kmln_guest_kind)i;
			return true;
		}
	return false;
}

int kmln_guest_entry_read(const char *line, size_t size, struct kmln_buf texts[2],
	struct kmln_guest_entry *entry, struct kmln_error *err)
{
	KMLN_JSON struct kmln_json *object = NULL;
	int64_t bytes;
	int r = kmln_json_parse(line, size, &object, err);

	if (r < 0)
		return r;
	bytes = kmln_json_integer(object, "size", 0);
	*entry = (struct kmln_guest_entry){
		.mode = (mode_t)kmln_json_integer(object, "mode", 0) & 07777,
		.size = bytes > 0 ? (uint64_t)bytes : 0,
	};
	if (!read_kind(kmln_json_get(object, "kind"), &entry->kind) ||
		!read_bytes(object, "path", "bytes", &texts[0]))
		return kmln_fail(err, KMLN_EINVALID, "what it says is no line of a list");
	entry->path = texts[0].data;
	if (entry->kind != KMLN_GUEST_LINK)
		return 0;
	if (!read_bytes(object, "target", "target_bytes", &texts[1]) || !texts[1].size)
		return kmln_fail(err, KMLN_EINVALID, "what it says is no link");
	entry->target = texts[1].data;
	return 0;
}

static void tell(const struct kmln_copied *copied, size_t bytes)
{
	if (copied && copied->tell)
		copied->tell(copied->data, bytes);
}

/* The kernel's way: 1 where it knows none for these two. */
static int copy_inside(
	int from, int to, uint64_t *limit, const struct kmln_copied *copied, struct kmln_error *err)
{
	bool any = false;

	while (*limit) {
		ssize_t n = copy_file_range(
			from, NULL, to, NULL, *limit < 8 * PIECE ? *limit : 8 * PIECE, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && !any &&
			(errno == EXDEV || errno == EINVAL || errno == ENOSYS ||
				errno == EOPNOTSUPP || errno == EBADF || errno == EPERM))
			return 1;
		if (n < 0)
			return kmln_fail_sys(err, errno, "copying");
		/* files of /proc say that they are empty, and have to be read */
		if (n == 0)
			return any ? 0 : 1;
		any = true;
		*limit -= (uint64_t)n;
		tell(copied, (size_t)n);
	}
	return 0;
}

int kmln_copy_bytes(
	int from, int to, uint64_t limit, const struct kmln_copied *copied, struct kmln_error *err)
{
	KMLN_FREE char *piece = NULL;
	int r = copy_inside(from, to, &limit, copied, err);

	if (r <= 0)
		return r;
	piece = kmln_malloc(PIECE);
	while (limit) {
		ssize_t n = read(from, piece, limit < PIECE ? limit : PIECE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return kmln_fail_sys(err, errno, "reading");
		if (n == 0)
			break;
		r = kmln_write_all(to, piece, (size_t)n, err);
		if (r < 0)
			return r;
		limit -= (uint64_t)n;
		tell(copied, (size_t)n);
	}
	return 0;
}
