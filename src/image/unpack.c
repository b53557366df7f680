// SPDX-License-Identifier: GPL-2.0-or-later
/* One compressed file; see unpack.h. libarchive reads it as an archive with one nameless entry. */
#include "image/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>

#define PIECE (1u << 16)

/* The kinds that Debian's kernels and their modules come in, each with its first bytes; the second
 * of lz4 is what kernels use, lz4's own former format. */
static const struct {
	const char *magic;
	size_t size;
	int (*support)(struct archive *archive);
} kinds[] = {
	{"\xfd"
	 "7zXZ",
		6, archive_read_support_filter_xz},
	{"\x1f\x8b", 2, archive_read_support_filter_gzip},
	{"\x28\xb5\x2f\xfd", 4, archive_read_support_filter_zstd},
	{"\x04\x22\x4d\x18", 4, archive_read_support_filter_lz4},
	{"\x02\x21\x4c\x18", 4, archive_read_support_filter_lz4},
};

static void reader_cleanup(struct archive **archive)
{
	archive_free(*archive);
}

static int fail(struct archive *archive, struct kmln_error *err)
{
	const char *words = archive_error_string(archive);

	return kmln_fail(err, KMLN_EINVALID, "%s", words ? words : "cannot be read");
}

/* Only the one filter is there, so that the bytes cannot choose another decoder. */
static bool support(struct archive *archive, const void *bytes, size_t size)
{
	for (size_t i = 0; i < KMLN_COUNT(kinds); i++)
		if (size >= kinds[i].size && memcmp(bytes, kinds[i].magic, kinds[i].size) == 0)
			return kinds[i].support(archive) == ARCHIVE_OK;
	return false;
}

/* The source, as libarchive reads it. */
struct packed {
	kmln_packed_fn source;
	void *data;
	const char *first; /* bytes that were looked at and not yet given; NULL: none */
	size_t first_size;
	struct kmln_error *err;
};

static la_ssize_t give(struct archive *archive, void *data, const void **bytes)
{
	struct packed *packed = data;
	const char *piece = packed->first;
	size_t size = packed->first_size;

	packed->first = NULL;
	if (!piece && packed->source(packed->data, &piece, &size, packed->err) < 0) {
		archive_set_error(archive, packed->err->code, "%s", packed->err->text);
		return ARCHIVE_FATAL;
	}
	*bytes = piece;
	return (la_ssize_t)size;
}

static int unpack(struct packed *packed, struct archive *archive, kmln_unpacked_fn fn, void *data,
	struct kmln_error *err)
{
	KMLN_FREE char *piece = kmln_malloc(PIECE);
	struct archive_entry *entry;
	ssize_t n;
	int r;

	archive_read_support_format_raw(archive);
	archive_read_support_format_empty(archive);
	if (archive_read_open(archive, packed, NULL, give, NULL) != ARCHIVE_OK)
		return fail(archive, err);
	r = archive_read_next_header(archive, &entry);
	if (r == ARCHIVE_EOF)
		return 0;
	if (r != ARCHIVE_OK)
		return fail(archive, err);
	while ((n = archive_read_data(archive, piece, PIECE)) > 0) {
		r = fn(data, piece, (size_t)n, err);
		if (r)
			return r > 0 ? 0 : r;
	}
	return n < 0 ? fail(archive, err) : 0;
}

int kmln_unpack(kmln_packed_fn source, kmln_unpacked_fn fn, void *data, struct kmln_error *err)
{
	KMLN_CLEANUP(reader_cleanup) struct archive *archive = archive_read_new();
	struct kmln_error ignored;
	struct packed packed = {.source = source, .data = data, .err = &ignored};
	int r = source(data, &packed.first, &packed.first_size, err);

	if (!archive)
		abort();
	if (r == 0 && packed.first_size && support(archive, packed.first, packed.first_size))
		return unpack(&packed, archive, fn, data, err);
	while (r == 0 && packed.first_size) {
		r = fn(data, packed.first, packed.first_size, err);
		if (r == 0)
			r = source(data, &packed.first, &packed.first_size, err);
	}
	return r > 0 ? 0 : r;
}

/* All at once. */
struct target {
	const char *bytes;
	size_t size;
	struct kmln_buf *out;
	size_t start, limit;
};

static int take_all(void *data, const char **bytes, size_t *size, struct kmln_error *err)
{
	struct target *of = data;

	(void)err;
	*bytes = of->bytes;
	*size = of->size;
	of->size = 0;
	return 0;
}

static int append(void *data, const char *bytes, size_t size, struct kmln_error *err)
{
	const struct target *to = data;

	if (size > to->limit || to->out->size - to->start > to->limit - size)
		return kmln_fail(err, EFBIG, "longer than %zu bytes", to->limit);
	kmln_buf_add(to->out, bytes, size);
	return 0;
}

int kmln_decompress(
	const void *bytes, size_t size, size_t limit, struct kmln_buf *out, struct kmln_error *err)
{
	struct target target = {bytes, size, out, out->size, limit};

	return kmln_unpack(take_all, append, &target, err);
}
