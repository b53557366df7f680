// SPDX-License-Identifier: GPL-2.0-or-later
/* VMDK: its descriptor, a text of its own or one inside a sparse file, and the sparse file's head.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "image/formats-private.h"

#define SECTOR 512

static int refuse_extent(struct kmln_error *err)
{
	return kmln_fail(err, KMLN_EINVALID,
		"one extent of a split VMDK; the small text file beside it names them all. "
		"Make one file of them: qemu-img convert -O qcow2 DESCRIPTOR NEW");
}

static int refuse_split(struct kmln_error *err)
{
	return kmln_fail(err, KMLN_EINVALID,
		"its extents are sparse files of their own, which kmln does not join; make one file "
		"of them: qemu-img convert -O qcow2 FILE NEW");
}

/* Takes a word off the front of *text and ends it; NULL where there is none. */
static char *word(char **text)
{
	char *start = *text + strspn(*text, " \t");
	char *end = start + strcspn(start, " \t");

	*text = *end ? end + 1 : end;
	*end = '\0';
	return *start ? start : NULL;
}

static bool sectors(const char *text, uint64_t *bytes)
{
	char *end;

	errno = 0;
	*bytes = text && *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
	return text && *text >= '0' && *text <= '9' && !*end && !errno &&
	       !kmln_mul_overflow(*bytes, SECTOR, bytes) && *bytes <= INT64_MAX;
}

/* RW 2048 FLAT "name" 0: the line behind its first word. */
static int extent(char *line, bool read_only, struct kmln_pool *pool, struct kmln_header *header,
	struct kmln_error *err)
{
	struct kmln_vmdk_extent e = {.read_only = read_only}, *slot;
	const char *size = word(&line), *type = word(&line);
	char *name = strchr(line, '"'), *end = name ? strchr(name + 1, '"') : NULL;
	const char *start;

	if (!type || !sectors(size, &e.size) || !e.size)
		return kmln_fail(err, KMLN_EINVALID, "damaged: an extent without size or type");
	if (strcasecmp(type, "ZERO") == 0)
		return kmln_fail(err, KMLN_EINVALID,
			"it has an extent of zeroes without a file, which QEMU would leave out of "
			"the disk; put a file of that size there");
	if (strcasecmp(type, "SPARSE") == 0 || strcasecmp(type, "VMFSSPARSE") == 0)
		return refuse_split(err);
	if (strcasecmp(type, "FLAT") != 0 && strcasecmp(type, "VMFS") != 0)
		return kmln_fail(err, KMLN_EINVALID,
			"it has an extent of the kind %s, which kmln does not read", type);
	if (!end || end == name + 1)
		return kmln_fail(err, KMLN_EINVALID, "damaged: an extent without a file");
	*end++ = '\0';
	e.name = kmln_pool_strdup(pool, name + 1);
	start = word(&end);
	if (start && !sectors(start, &e.start))
		return kmln_fail(err, KMLN_EINVALID,
			"damaged: an extent that begins at '%s' in its file", start);
	if (header->extent_count == KMLN_VMDK_EXTENTS_MAX)
		return kmln_fail(
			err, KMLN_EINVALID, "it has more than %d extents", KMLN_VMDK_EXTENTS_MAX);
	slot = kmln_pool_append(pool, &header->extents, &header->extent_count, sizeof(*slot));
	*slot = e;
	return 0;
}

/* The text behind `key =`, without quotes; NULL: another key. */
static char *value(char *line, const char *key)
{
	size_t n = strlen(key);
	char *text, *end;

	if (strncasecmp(line, key, n) != 0)
		return NULL;
	text = line + n + strspn(line + n, " \t");
	if (*text++ != '=')
		return NULL;
	text += strspn(text, " \t");
	if (*text != '"') {
		text[strcspn(text, " \t")] = '\0';
		return text;
	}
	end = strchr(++text, '"');
	if (end)
		*end = '\0';
	return text;
}

static int check_whole(struct kmln_header *header, const char *type, bool embedded, bool has_parent,
	struct kmln_error *err)
{
	uint64_t total = 0;

	if (has_parent && !header->backing)
		return kmln_fail(err, KMLN_EINVALID,
			"it builds on another image, and does not say on which");
	if (!has_parent)
		header->backing = NULL;
	if (embedded && !type)
		return refuse_extent(err);
	if (embedded) {
		if (strcasecmp(type, "streamOptimized") == 0)
			header->read_only =
				"it is a stream-optimized VMDK, which is written only once; copy it "
				"with qemu-img convert";
		return 0;
	}
	header->driver = NULL;
	if (has_parent)
		return kmln_fail(err, KMLN_EINVALID,
			"a flat VMDK that builds on another image, which kmln does not read; make "
			"one file of them: qemu-img convert -O qcow2 FILE NEW");
	if (!header->extent_count)
		return kmln_fail(err, KMLN_EINVALID, "damaged: a descriptor without extents");
	for (size_t i = 0; i < header->extent_count; i++) {
		if (kmln_add_overflow(total, header->extents[i].size, &total) || total > INT64_MAX)
			return kmln_fail(err, KMLN_EINVALID,
				"damaged: its extents are longer than a disk can be");
		if (header->extents[i].read_only)
			header->read_only = "its descriptor allows only reading (RDONLY)";
	}
	return 0;
}

int kmln_vmdk_parse(const void *text, size_t size, bool embedded, struct kmln_pool *pool,
	struct kmln_header *header, struct kmln_error *err)
{
	char *rest = kmln_pool_memdup(pool, text, size);
	const char *type = NULL;
	bool has_parent = false;
	int r = 0;

	*header = (struct kmln_header){.format = "vmdk", .driver = "vmdk"};
	for (char *line; r == 0 && (line = strsep(&rest, "\r\n"));) {
		char *found;

		line += strspn(line, " \t");
		if ((found = value(line, "createType")))
			type = found;
		else if ((found = value(line, "parentCID")))
			has_parent = strcasecmp(found, "ffffffff") != 0;
		else if ((found = value(line, "parentFileNameHint")) && *found)
			header->backing = kmln_pool_strdup(pool, found);
		else if (embedded)
			continue; /* its own grains are the disk, whatever it names there */
		else if (strncasecmp(line, "RW ", 3) == 0)
			r = extent(line + 3, false, pool, header, err);
		else if (strncasecmp(line, "RDONLY ", 7) == 0)
			r = extent(line + 7, true, pool, header, err);
		else if (strncasecmp(line, "NOACCESS ", 9) == 0)
			r = kmln_fail(err, KMLN_EINVALID,
				"it has an extent that may not be read (NOACCESS)");
	}
	return r < 0 ? r : check_whole(header, type, embedded, has_parent, err);
}

/* Little-endian. QEMU opens the extents that an embedded descriptor names where the capacity is 0:
 * such a file is refused. */
static int sparse(const struct kmln_bytes *b, struct kmln_pool *pool, struct kmln_header *header,
	struct kmln_error *err)
{
	uint64_t capacity = kmln_field(b, 12, 8, false);
	uint64_t offset = kmln_field(b, 28, 8, false), size = kmln_field(b, 36, 8, false), end;
	int r;

	if (b->size < SECTOR || !capacity || capacity > INT64_MAX / SECTOR)
		return kmln_fail(err, KMLN_EINVALID, "damaged: its header cannot be");
	if (!offset || !size)
		return refuse_extent(err);
	if (kmln_mul_overflow(offset, SECTOR, &offset) || kmln_mul_overflow(size, SECTOR, &size) ||
		kmln_add_overflow(offset, size, &end) || end > b->size)
		return kmln_fail(
			err, KMLN_EINVALID, "damaged: its descriptor lies outside its header");
	r = kmln_vmdk_parse(b->data + offset, (size_t)size, true, pool, header, err);
	if (r == 0 && kmln_field(b, 8, 4, false) & (1u << 16) && !header->read_only)
		header->read_only = "its contents are compressed; copy it with qemu-img convert";
	return r;
}

int kmln_vmdk_header(const struct kmln_bytes *b, struct kmln_pool *pool, struct kmln_header *header,
	struct kmln_error *err)
{
	if (memcmp(b->data, "KDMV", 4) == 0)
		return sparse(b, pool, header, err);
	return kmln_vmdk_parse(b->data, b->size, false, pool, header, err);
}
