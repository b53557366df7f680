// SPDX-License-Identifier: GPL-2.0-or-later
/* libarchive's edges: readers, errors, paths; single compressed files; initramfs archives. */
#include "guest/archive-private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_LIMIT 4095
#define NAME_LIMIT 255

struct kmln_letters kmln_letters_begin(void)
{
	struct kmln_letters letters = {newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), 0};

	/* without it all that is lost is names beyond ASCII, with an error */
	if (letters.own)
		letters.before = uselocale(letters.own);
	return letters;
}

void kmln_letters_end(struct kmln_letters *letters)
{
	if (!letters->own)
		return;
	uselocale(letters->before);
	freelocale(letters->own);
}

void kmln_reader_cleanup(struct archive **archive)
{
	if (*archive)
		archive_free(*archive);
	*archive = NULL;
}

struct archive *kmln_reader_new(void)
{
	struct archive *archive = archive_read_new();

	if (!archive)
		abort();
	return archive;
}

struct archive *kmln_reader_tar(void)
{
	struct archive *archive = kmln_reader_new();

	archive_read_support_format_tar(archive);
	archive_read_support_filter_gzip(archive);
	archive_read_support_filter_xz(archive);
	archive_read_support_filter_zstd(archive);
	/* a name is bytes: without this libarchive translates pax names into the locale's letters
	 */
	archive_read_set_options(archive, "tar:hdrcharset=BINARY");
	return archive;
}

int kmln_reader_fail(struct archive *archive, struct kmln_error *err)
{
	const char *words = archive_error_string(archive);

	return kmln_fail(err, KMLN_EINVALID, "%s", words ? words : "cannot be read");
}

int kmln_reader_next(struct archive *archive, struct archive_entry **entry, struct kmln_error *err)
{
	int r = archive_read_next_header(archive, entry);

	if (r == ARCHIVE_EOF)
		return 0;
	return r == ARCHIVE_OK ? 1 : kmln_reader_fail(archive, err);
}

int kmln_archive_path(const char *raw, struct kmln_buf *to, struct kmln_error *err)
{
	size_t start = to->size;

	if (!raw || !*raw)
		return kmln_fail(err, KMLN_EINVALID, "an entry without a name");
	for (const char *p = raw; *p;) {
		size_t length = strcspn(p, "/");

		if (length == 2 && p[0] == '.' && p[1] == '.')
			return kmln_fail(err, KMLN_EINVALID, "the path '%s' has a '..'", raw);
		if (length > NAME_LIMIT || to->size - start + length + 1 > PATH_LIMIT)
			return kmln_fail(err, KMLN_EINVALID, "the path '%s' is too long", raw);
		if (length && !(length == 1 && p[0] == '.')) {
			kmln_buf_str(to, "/");
			kmln_buf_add(to, p, length);
		}
		p += length + (p[length] == '/');
	}
	if (to->size == start)
		kmln_buf_str(to, "/");
	return 0;
}

/* ---- one compressed file ---- */

static bool starts_with(const void *bytes, size_t size, const char *magic, size_t length)
{
	return size >= length && memcmp(bytes, magic, length) == 0;
}

/* Only the one filter is there, so that the bytes cannot choose another decoder. */
static bool support_filter(struct archive *archive, const void *bytes, size_t size)
{
	if (starts_with(bytes, size,
		    "\xfd"
		    "7zXZ",
		    6))
		return archive_read_support_filter_xz(archive) == ARCHIVE_OK;
	if (starts_with(bytes, size, "\x1f\x8b", 2))
		return archive_read_support_filter_gzip(archive) == ARCHIVE_OK;
	if (starts_with(bytes, size, "\x28\xb5\x2f\xfd", 4))
		return archive_read_support_filter_zstd(archive) == ARCHIVE_OK;
	return false;
}

static int check_limit(size_t size, size_t limit, struct kmln_error *err)
{
	return size > limit ? kmln_fail(err, EFBIG, "longer than %zu bytes", limit) : 0;
}

int kmln_decompress(
	const void *bytes, size_t size, size_t limit, struct kmln_buf *out, struct kmln_error *err)
{
	KMLN_READER struct archive *archive = kmln_reader_new();
	KMLN_FREE char *piece = kmln_malloc(1 << 16);
	size_t start = out->size;
	struct archive_entry *entry;
	ssize_t n;
	int r;

	if (!support_filter(archive, bytes, size)) {
		r = check_limit(size, limit, err);
		if (r == 0)
			kmln_buf_add(out, bytes, size);
		return r;
	}
	archive_read_support_format_raw(archive);
	archive_read_support_format_empty(archive);
	if (archive_read_open_memory(archive, bytes, size) != ARCHIVE_OK)
		return kmln_reader_fail(archive, err);
	r = kmln_reader_next(archive, &entry, err);
	if (r <= 0)
		return r;
	while ((n = archive_read_data(archive, piece, 1 << 16)) > 0) {
		r = check_limit(out->size - start + (size_t)n, limit, err);
		if (r < 0)
			return r;
		kmln_buf_add(out, piece, (size_t)n);
	}
	return n < 0 ? kmln_reader_fail(archive, err) : 0;
}
