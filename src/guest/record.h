/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record of a conversion: a text in the guest, KMLN_RECORD_FOLDER/conversion-N, that says for
 * every edit what was added, what stood there before, why, and by which step. `kmln undo` plans
 * from it. It has no date, so that the same plan makes the same record.
 *
 * One line an edit: its kind, and fields NAME=VALUE divided by single blanks; the last may be
 * why=, which goes to the line's end. Lines of text that belong to it follow: "-" before those
 * that stood in the guest, "+" before those of kmln. Bytes that are not printable ASCII, and the
 * backslash, are written \xNN; in values blanks too. A lone backslash at a text line's end stands
 * for "no newline here".
 */
#ifndef KMLN_GUEST_RECORD_H
#define KMLN_GUEST_RECORD_H

#include "plan/edits.h"

#define KMLN_RECORD_MAX (8u << 20) /* bytes; longer ones are refused */
#define KMLN_RECORD_ITEMS_MAX 70000u

enum kmln_record_kind {
	KMLN_RECORD_SHIFT,
	KMLN_RECORD_CUT, /* only the root filesystem of a disk stayed */
	KMLN_RECORD_KEEP, /* bytes of the disk that went with that; all others were zeros */
	KMLN_RECORD_EXTEND,
	KMLN_RECORD_RESIZE,
	KMLN_RECORD_BYTES,
	KMLN_RECORD_MKDIR,
	KMLN_RECORD_PUT, /* a whole file of kmln's own */
	KMLN_RECORD_CHANGE, /* lines of a file that others change too */
	KMLN_RECORD_APPEND, /* lines added to one that was not read whole */
	KMLN_RECORD_SYMLINK,
	KMLN_RECORD_KINDS
};

enum kmln_record_was {
	KMLN_WAS_ABSENT, /* nothing stood there */
	KMLN_WAS_KEPT, /* it is in the record */
	KMLN_WAS_UNKNOWN, /* something, and the plan did not know what */
	KMLN_WAS_ZERO, /* BYTES: zeros */
};

/* One edit as it was carried out. Strings are NULL where the kind has no such field. */
struct kmln_record_item {
	enum kmln_record_kind kind;
	unsigned line; /* in the record, from 1 */
	const char *by, *why, *path;
	uint32_t mode, uid, gid; /* MKDIR, PUT; SYMLINK: uid and gid */
	uint64_t offset; /* SHIFT, BYTES, KEEP; CUT: bytes in front that went */
	uint64_t size; /* of the content; CUT: what stayed; EXTEND: added bytes; RESIZE: the new
			  size */
	const char *sum; /* SHA-512 of the content in hexadecimal; NULL: known by its time */
	bool timed;
	int64_t mtime;
	uint32_t mtime_ns;
	const char *target; /* of a link */

	enum kmln_record_was was;
	uint32_t was_mode, was_uid, was_gid; /* the mode with its type */
	uint64_t was_size; /* RESIZE, CUT: the size before */
	int64_t was_mtime;
	uint32_t was_mtime_ns;
	const char *was_sum;
	/* PUT, BYTES, KEEP: the whole content; CHANGE: the lines; SYMLINK: the target. With a NUL
	 * behind.
	 */
	const char *old;
	size_t old_size;
	/* CHANGE, APPEND: the lines that kmln wrote in their place. With a NUL behind. */
	const char *new;
	size_t new_size;
};

struct kmln_record {
	const char *version, *platform; /* of the kmln that wrote it, and what it converted for */
	struct kmln_record_item *items; /* in the order of the edits */
	size_t count;
	const char *file; /* where it was read, by who reads it; NULL: not read */
};

const char *kmln_record_kind_name(enum kmln_record_kind kind);
const char *kmln_record_was_name(enum kmln_record_was was);

/*
 * Reads a record; all it gives lives in the pool. KMLN_EINVALID, with the line's number, for what
 * this kmln would not have written: the text comes from a guest.
 */
int kmln_record_parse(const char *text, size_t size, struct kmln_pool *pool,
	struct kmln_record *record, struct kmln_error *err);
/* Appends the record of these edits. */
void kmln_record_write(struct kmln_buf *out, const struct kmln_edits *edits, const char *platform);
/*
 * What identifies BYTES in a record: the SHA-512 from the pool, but for the partition table in a
 * first sector, which is not kmln's alone.
 */
char *kmln_record_bytes_sum(
	struct kmln_pool *pool, uint64_t offset, const char *bytes, size_t size);
/* Where the partition table lies in the first sector, with the disk's id before it. */
#define KMLN_TABLE_START 0x1b8u
#define KMLN_TABLE_END 0x1feu

#endif
