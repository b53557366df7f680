// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The journal's file, and carrying it out. A header says how long the image is before and after:
 * its present length tells whether the moving is done, so each part is done once or harmlessly
 * again. Normal work and recovery are the same code: both read the file.
 */
#include "image/journal.h"

#include <endian.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/output.h"
#include "image/overlay.h"

#define SUFFIX ".kmln-journal"
#define MAGIC "kmln journal 1\n"
#define PIECE (1u << 20)
#define NAME_MAX_BYTES 255
#define TEMP_NAME_BYTES 24 /* what output.c puts behind a name meanwhile */

/* All numbers little-endian. */
struct header {
	char magic[16];
	uint64_t inode; /* of the image, so that a journal is not applied to another file */
	uint64_t before, front, cut, after; /* bytes */
};

/* THROUGH: content that is in the image already; there is no data, but a sum. */
enum kind { WRITE = 1, WRITE_AFTER, THROUGH, FILE_NAME, FILE_BYTES, END };

#define SECTOR 512
#define BLOCK_SECTORS (KMLN_OVERLAY_BLOCK / SECTOR)

struct record {
	uint64_t kind, offset, size; /* FILE_NAME: offset is the mode; FILE_BYTES: of that file */
	uint64_t sum; /* THROUGH: of the bytes */
	/* WRITE: of each sector as it was, so that an image that somebody else has changed since,
	 * or has put back from a copy, is not written over */
	uint32_t was[BLOCK_SECTORS];
};

/* Finds mistakes, not attackers: a journal is its owner's. FNV-1a, by words. */
static uint64_t sum_of(const void *data, size_t size)
{
	const char *bytes = data;
	uint64_t sum = 0xcbf29ce484222325ull, word;

	for (; size >= sizeof(word); size -= sizeof(word), bytes += sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		sum = (sum ^ word) * 0x100000001b3ull;
		sum ^= sum >> 29;
	}
	for (; size; size--)
		sum = (sum ^ (unsigned char)*bytes++) * 0x100000001b3ull;
	return sum;
}

/* Beside the file itself, not beside a link to it. NULL: there is no such file. */
static char *name_of(const char *path)
{
	KMLN_FREE char *real = realpath(path, NULL);

	return real ? kmln_printf("%s" SUFFIX, real) : NULL;
}

/* ---- writing it ---- */

static uint32_t sector_sum(const char *block, size_t size, size_t sector)
{
	size_t at = sector * SECTOR, left = size - at;

	return (uint32_t)sum_of(block + at, left < SECTOR ? left : SECTOR);
}

struct writer {
	int fd;
	uint64_t end;
	uint64_t later; /* bytes for which room must be found once the journal is there */
	struct kmln_disk *disk;
};

static int append(struct writer *writer, const void *data, size_t size, struct kmln_error *err)
{
	int r = kmln_pwrite_all(writer->fd, data, size, writer->end, err);

	writer->end += size;
	return r;
}

static int write_record(struct writer *writer, const struct record *record, const void *data,
	struct kmln_error *err)
{
	struct record raw = *record;
	int r;

	raw.kind = htole64(raw.kind);
	raw.offset = htole64(raw.offset);
	raw.size = htole64(raw.size);
	raw.sum = htole64(raw.sum);
	for (size_t i = 0; i < BLOCK_SECTORS; i++)
		raw.was[i] = htole32(raw.was[i]);
	r = append(writer, &raw, sizeof(raw), err);
	return r < 0 || !data ? r : append(writer, data, (size_t)record->size, err);
}

static int write_block(
	void *data, uint64_t offset, const void *bytes, size_t size, struct kmln_error *err)
{
	struct writer *writer = data;
	struct record record = {.kind = WRITE, .offset = offset, .size = size};
	char old[KMLN_OVERLAY_BLOCK];
	uint64_t at;
	int fd, r;

	/* room for it now, so that a full disk is found while the image is still as it was */
	if (kmln_device_file(writer->disk->device, &(struct kmln_range){offset, size}, &fd, &at) &&
		fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)size) < 0 &&
		(errno == ENOSPC || errno == EDQUOT))
		return kmln_fail_sys(err, errno, "make room in the image");
	r = kmln_device_read(writer->disk->device, old, size, offset, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i * SECTOR < size; i++)
		record.was[i] = sector_sum(old, size, i);
	return write_record(writer, &record, bytes, err);
}

/* What was written through must be there still when the work is finished. */
static int write_through(void *data, const struct kmln_range *run, struct kmln_error *err)
{
	struct writer *writer = data;
	struct record record = {.kind = THROUGH, .offset = run->offset, .size = run->size};
	KMLN_FREE char *bytes = kmln_malloc((size_t)run->size);
	int r = kmln_device_read(writer->disk->device, bytes, (size_t)run->size, run->offset, err);

	record.sum = sum_of(bytes, (size_t)run->size);
	return r < 0 ? r : write_record(writer, &record, NULL, err);
}

/* The device's bytes as records of `kind`, shifted by `offset`; runs of zeroes are left out. */
static int write_device(struct writer *writer, enum kind kind, struct kmln_device *device,
	uint64_t offset, struct kmln_error *err)
{
	static const char zeroes[4096];
	char bytes[sizeof(zeroes)];

	for (uint64_t at = 0; at < device->size; at += sizeof(bytes)) {
		uint64_t left = device->size - at;
		struct record record = {.kind = kind,
			.offset = offset + at,
			.size = left < sizeof(bytes) ? left : sizeof(bytes)};
		int r = kmln_device_read(device, bytes, (size_t)record.size, at, err);

		if (r == 0 && memcmp(bytes, zeroes, (size_t)record.size) != 0) {
			r = write_record(writer, &record, bytes, err);
			writer->later += sizeof(bytes);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_file(
	struct writer *writer, const struct kmln_journal_file *file, struct kmln_error *err)
{
	/* the length is one byte at the end, so that holes at the end count */
	const struct record name = {
		.kind = FILE_NAME, .offset = file->mode, .size = strlen(file->name)};
	const struct record last = {.kind = FILE_BYTES, .offset = file->content->size};
	int r = write_record(writer, &name, file->name, err);

	if (r == 0)
		r = write_device(writer, FILE_BYTES, file->content, 0, err);
	return r < 0 ? r : write_record(writer, &last, NULL, err);
}

static int write_all(struct writer *writer, const struct kmln_journal *journal, uint64_t inode,
	struct kmln_error *err)
{
	uint64_t front = journal->front ? journal->front->size : 0;
	struct header header = {
		.inode = htole64(inode),
		.before = htole64(writer->disk->size),
		.front = htole64(front),
		.cut = htole64(journal->cut),
		.after = htole64(journal->size),
	};
	int r;

	memcpy(header.magic, MAGIC, sizeof(MAGIC));
	r = append(writer, &header, sizeof(header), err);
	if (r == 0)
		r = kmln_overlay_each(journal->overlay, write_block, writer, err);
	if (r == 0)
		r = kmln_overlay_each_through(journal->overlay, write_through, writer, err);
	if (r == 0 && front)
		r = write_device(writer, WRITE_AFTER, journal->front, 0, err);
	if (r == 0 && journal->behind)
		r = write_device(writer, WRITE_AFTER, journal->behind,
			journal->size - journal->behind->size, err);
	for (size_t i = 0; r == 0 && i < journal->file_count; i++)
		r = write_file(writer, &journal->files[i], err);
	return r < 0 ? r : write_record(writer, &(struct record){.kind = END}, NULL, err);
}

/* ---- carrying it out ---- */

/* The rounds through the journal: is the image still ours; blocks; after the moving. */
enum round { CHECK, BEFORE, AFTER };

struct reader {
	enum round round;
	int fd;
	uint64_t size; /* of the journal */
	struct header header;
	struct kmln_disk *disk;
	const char *folder; /* where files go */
	struct kmln_output file; /* the one that is being made */
	char name[PATH_MAX];
	char piece[PIECE];
};

static int foreign(struct kmln_error *err)
{
	return kmln_fail(err, KMLN_EINVALID,
		"the image was changed by something else since: if it was put back from a copy, remove "
		"the journal; if a machine ran on it, put it back from a copy");
}

static int bad(struct kmln_error *err)
{
	return kmln_fail(err, KMLN_EINVALID, "it is damaged, or not a journal of kmln's");
}

static int read_header(struct reader *reader, struct kmln_error *err)
{
	struct header *h = &reader->header;
	uint64_t end;
	struct stat st, image;
	int r;

	if (fstat(reader->fd, &st) < 0 || fstat(reader->disk->fd, &image) < 0)
		return kmln_fail_sys(err, errno, "stat");
	reader->size = (uint64_t)st.st_size;
	/* it says which files are to be written: nobody else's is believed, not even for root */
	if (st.st_uid != geteuid() || st.st_nlink != 1 || !S_ISREG(st.st_mode))
		return kmln_fail(err, EPERM,
			"it belongs to somebody else, who must finish the change: any command of "
			"kmln's on the image does");
	if (reader->size < sizeof(*h))
		return bad(err);
	r = kmln_pread_all(reader->fd, h, sizeof(*h), 0, err);
	if (r < 0)
		return r;
	h->inode = le64toh(h->inode);
	h->before = le64toh(h->before);
	h->front = le64toh(h->front);
	h->cut = le64toh(h->cut);
	h->after = le64toh(h->after);
	if (memcmp(h->magic, MAGIC, sizeof(h->magic)) != 0 || (h->front && h->cut) ||
		h->cut > h->before || kmln_add_overflow(h->before, h->front, &end))
		return bad(err);
	if (h->inode != image.st_ino)
		return kmln_fail(err, KMLN_EINVALID,
			"it was made for another file of this name; if the image was put back from a "
			"copy, remove the journal");
	return 0;
}

/* Whatever the kind, a write lies inside the disk as it then is. */
static int do_write(struct reader *reader, const struct record *record, const char *bytes,
	struct kmln_error *err)
{
	uint64_t end;

	if (kmln_add_overflow(record->offset, record->size, &end) ||
		end > (record->kind == WRITE ? reader->header.before : reader->header.after))
		return bad(err);
	if (record->kind == WRITE || reader->header.before == reader->header.after)
		return kmln_device_write(
			reader->disk->device, bytes, (size_t)record->size, record->offset, err);
	return kmln_pwrite_all(reader->disk->fd, bytes, (size_t)record->size, record->offset, err);
}

static int start_file(struct reader *reader, const struct record *record, const char *name,
	struct kmln_error *err)
{
	mode_t mask;

	if (!record->size || record->size > NAME_MAX_BYTES ||
		memchr(name, '/', (size_t)record->size) || memchr(name, 0, (size_t)record->size))
		return bad(err);
	snprintf(reader->name, sizeof(reader->name), "%s/%.*s", reader->folder, (int)record->size,
		name);
	kmln_output_drop(&reader->file);
	if (kmln_output_open(reader->name, true, &reader->file, err) < 0)
		return -err->code;
	umask(mask = umask(0));
	if (fchmod(reader->file.fd, record->offset & 0777 & ~mask) < 0)
		return kmln_fail_sys(err, errno, "%s", reader->name);
	return 0;
}

static int add_to_file(struct reader *reader, const struct record *record, const char *bytes,
	struct kmln_error *err)
{
	if (reader->file.fd < 0)
		return bad(err);
	if (record->size)
		return kmln_pwrite_all(
			reader->file.fd, bytes, (size_t)record->size, record->offset, err);
	if (ftruncate(reader->file.fd, (off_t)record->offset) < 0)
		return kmln_fail_sys(err, errno, "%s", reader->name);
	return kmln_output_publish(&reader->file, true, err);
}

/* Every sector is as it was, or as it is to be; all else is somebody else's work. */
static int check_write(struct reader *reader, const struct record *record, const char *bytes,
	struct kmln_error *err)
{
	char now[KMLN_OVERLAY_BLOCK];
	size_t size = (size_t)record->size;
	int r = size <= sizeof(now)
			? kmln_device_read(reader->disk->device, now, size, record->offset, err)
			: bad(err);

	for (size_t at = 0; r == 0 && at < size; at += SECTOR) {
		size_t n = size - at < SECTOR ? size - at : SECTOR;

		if (memcmp(now + at, bytes + at, n) != 0 &&
			sector_sum(now, size, at / SECTOR) != record->was[at / SECTOR])
			return foreign(err);
	}
	return r;
}

static int check_through(struct reader *reader, const struct record *record, struct kmln_error *err)
{
	KMLN_FREE char *now = NULL;
	int r;

	if (record->size > PIECE)
		return bad(err);
	now = kmln_malloc((size_t)record->size);
	r = kmln_device_read(reader->disk->device, now, (size_t)record->size, record->offset, err);
	return r == 0 && sum_of(now, (size_t)record->size) != record->sum ? foreign(err) : r;
}

static int do_record(struct reader *reader, const struct record *record, const char *bytes,
	struct kmln_error *err)
{
	switch ((enum kind)record->kind) {
	case WRITE:
		if (reader->round == CHECK)
			return check_write(reader, record, bytes, err);
		return do_write(reader, record, bytes, err);
	case THROUGH:
		return check_through(reader, record, err);
	case WRITE_AFTER:
		return do_write(reader, record, bytes, err);
	case FILE_NAME:
		return start_file(reader, record, bytes, err);
	case FILE_BYTES:
		return add_to_file(reader, record, bytes, err);
	case END:
		return 0;
	}
	return bad(err);
}

static bool belongs(uint64_t kind, enum round round)
{
	switch (round) {
	case CHECK:
		return kind == WRITE || kind == THROUGH;
	case BEFORE:
		return kind == WRITE;
	case AFTER:
		return kind != WRITE && kind != THROUGH;
	}
	return false;
}

/* All records of one round. */
static int do_records(struct reader *reader, enum round round, struct kmln_error *err)
{
	struct record record = {0};

	reader->round = round;
	for (uint64_t at = sizeof(struct header); record.kind != END;) {
		uint64_t data;
		int r = reader->size - at < sizeof(record)
				? bad(err)
				: kmln_pread_all(reader->fd, &record, sizeof(record), at, err);

		if (r < 0)
			return r;
		record.kind = le64toh(record.kind);
		record.offset = le64toh(record.offset);
		record.size = le64toh(record.size);
		record.sum = le64toh(record.sum);
		for (size_t i = 0; i < BLOCK_SECTORS; i++)
			record.was[i] = le32toh(record.was[i]);
		at += sizeof(record);
		data = record.kind == THROUGH ? 0 : record.size;
		if (data > sizeof(reader->piece) || data > reader->size - at)
			return bad(err);
		r = kmln_pread_all(reader->fd, reader->piece, (size_t)data, at, err);
		at += data;
		if (r == 0 && belongs(record.kind, round))
			r = do_record(reader, &record, reader->piece, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Front and end of the image's file. Its present length says what is done already. */
static int move(struct reader *reader, struct kmln_error *err)
{
	const struct header *h = &reader->header;
	int fd = reader->disk->fd;
	struct stat st;

	if (h->before == h->after && !h->front && !h->cut)
		return 0;
	if (fstat(fd, &st) < 0)
		return kmln_fail_sys(err, errno, "stat");
	if ((uint64_t)st.st_size == h->before && h->front &&
		fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, (off_t)h->front) < 0)
		return kmln_fail_sys(
			err, errno, "put %llu bytes in front", (unsigned long long)h->front);
	if ((uint64_t)st.st_size == h->before && h->cut &&
		fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, (off_t)h->cut) < 0)
		return kmln_fail_sys(
			err, errno, "take away %llu bytes in front", (unsigned long long)h->cut);
	if (ftruncate(fd, (off_t)h->after) < 0)
		return kmln_fail_sys(err, errno, "change the length");
	return fsync(fd) < 0 ? kmln_fail_sys(err, errno, "sync") : 0;
}

/* `ours`: it was written a moment ago, by who still holds the lock. */
static int carry_out(struct reader *reader, bool ours, struct kmln_error *err)
{
	struct stat st;
	int r = read_header(reader, err);

	if (r < 0)
		return r;
	if (fstat(reader->disk->fd, &st) < 0)
		return kmln_fail_sys(err, errno, "stat");
	/* once the bytes have moved, offsets from before mean nothing */
	if (reader->header.before == reader->header.after ||
		(uint64_t)st.st_size == reader->header.before) {
		if (!ours)
			r = do_records(reader, CHECK, err);
		if (r == 0)
			r = do_records(reader, BEFORE, err);
		if (r == 0)
			r = kmln_device_flush(reader->disk->device, err);
	}
	if (r == 0)
		r = move(reader, err);
	/* the room that was kept for what follows */
	if (r == 0 && ftruncate(reader->fd, (off_t)reader->size) < 0)
		r = kmln_fail_sys(err, errno, "give room back");
	if (r == 0)
		r = do_records(reader, AFTER, err);
	if (r == 0)
		r = kmln_device_flush(reader->disk->device, err);
	return r;
}

static int finish(const char *path, struct kmln_disk *disk, bool ours, struct kmln_error *err)
{
	KMLN_FREE char *name = name_of(path), *copy = kmln_strdup(name ? name : "");
	KMLN_FREE struct reader *reader = kmln_malloc(sizeof(*reader));
	KMLN_FD int fd = -1;
	int r;

	if (!name)
		return kmln_fail_sys(err, errno, "%s", path);
	fd = kmln_open(name, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0, err);
	if (fd < 0)
		return fd;
	reader->fd = fd;
	reader->disk = disk;
	reader->folder = dirname(copy);
	reader->file = (struct kmln_output){.fd = -1};
	r = carry_out(reader, ours, err);
	kmln_output_drop(&reader->file);
	if (r < 0)
		return kmln_wrap(err, "%s", name);
	if (unlink(name) < 0)
		return kmln_fail_sys(err, errno, "%s", name);
	return kmln_sync_parent(name, err);
}

int kmln_journal_finish(const char *path, struct kmln_disk *disk, struct kmln_error *err)
{
	return finish(path, disk, false, err);
}

int kmln_journal_there(const char *path)
{
	KMLN_FREE char *name = name_of(path);

	return name && access(name, F_OK) == 0;
}

/* What would be in the way later is in the way now. */
static int check_targets(
	const char *name, const struct kmln_journal *journal, struct kmln_error *err)
{
	KMLN_FREE char *copy = kmln_strdup(name);
	const char *folder = dirname(copy);

	for (size_t i = 0; i < journal->file_count; i++) {
		KMLN_FREE char *path = kmln_printf("%s/%s", folder, journal->files[i].name);
		struct stat st;

		if (strlen(journal->files[i].name) > NAME_MAX_BYTES - TEMP_NAME_BYTES)
			return kmln_fail_sys(err, ENAMETOOLONG, "%s", path);
		if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
			return kmln_fail(
				err, EEXIST, "%s is there already and is not a file", path);
	}
	return 0;
}

int kmln_journal_commit(const char *path, struct kmln_disk *disk,
	const struct kmln_journal *journal, struct kmln_error *err)
{
	KMLN_FREE char *name = name_of(path);
	KMLN_OUTPUT struct kmln_output output = {.fd = -1};
	struct writer writer = {.disk = disk};
	struct stat st;
	int r;

	if (!name || fstat(disk->fd, &st) < 0)
		return kmln_fail_sys(err, errno, "%s", path);
	r = check_targets(name, journal, err);
	if (r == 0)
		r = kmln_output_open(name, false, &output, err);
	writer.fd = output.fd;
	if (r == 0)
		r = write_all(&writer, journal, st.st_ino, err);
	/* room for what is written once there is no way back; best effort where it is not kept */
	if (r == 0 && writer.later &&
		fallocate(output.fd, FALLOC_FL_KEEP_SIZE, (off_t)writer.end, (off_t)writer.later) <
			0 &&
		(errno == ENOSPC || errno == EDQUOT))
		r = kmln_fail_sys(err, errno, "make room for what comes beside or in front");
	/* content that was written through must last before the journal says that it is there */
	if (r == 0)
		r = kmln_device_flush(disk->device, err);
	if (r == 0)
		r = kmln_output_publish(&output, false, err);
	if (r < 0)
		return kmln_wrap(err, "%s", name);
	r = finish(path, disk, true, err);
	return r < 0 ? kmln_wrap(err,
			       "the change is not finished, and the next kmln command on %s goes on with it",
			       path)
		     : 0;
}

bool kmln_can_shift(int fd)
{
	const off_t step = 1 << 20;
	struct stat st;

	/* behind its end it is wrong for a filesystem that can do it, and unknown to the others */
	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       fallocate(fd, FALLOC_FL_INSERT_RANGE, (st.st_size / step + 2) * step, step) < 0 &&
	       errno == EINVAL;
}
