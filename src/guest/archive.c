// SPDX-License-Identifier: GPL-2.0-or-later
/* libarchive's edges: readers, errors, paths. */
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
