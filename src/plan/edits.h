/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Edits: what is to be changed on one disk, in its tree and around it, as plain data. Planning
 * makes them, run/apply carries them out, printing shows them; nothing else writes into an image.
 *
 * Invariants: paths are absolute inside the guest, already resolved (no link on the way), and no
 * two edits name one path. Everything a list points to lives in the pool it was made with.
 */
#ifndef KMLN_PLAN_EDITS_H
#define KMLN_PLAN_EDITS_H

#include <stdint.h>

#include "base/mem.h"

enum kmln_edit_kind {
	KMLN_EDIT_SHIFT, /* `offset` empty bytes in front of the image's first byte */
	KMLN_EDIT_COLLAPSE, /* the first `offset` bytes of the image go, and all behind the next
			       `size` */
	KMLN_EDIT_KEEP, /* data[size] at byte `offset` goes with a COLLAPSE: for the record only */
	KMLN_EDIT_EXTEND, /* `size` empty bytes behind the image's last byte */
	KMLN_EDIT_MERGE, /* what is in `data` (for people), at byte `offset` of the disk and `size`
			    bytes, becomes the folder `path` */
	KMLN_EDIT_RESIZE, /* the root filesystem, and its partition, to `size` bytes */
	KMLN_EDIT_BYTES, /* data[size] at byte `offset` of the disk */
	KMLN_EDIT_MKDIR, /* a folder */
	KMLN_EDIT_PUT, /* a file with this content; see `from` and `replaces` */
	KMLN_EDIT_APPEND, /* data[size] at the end of a file that is there, whatever is in it */
	KMLN_EDIT_SYMLINK, /* a symbolic link to `data`; see `replaces` */
	KMLN_EDIT_REMOVE, /* a file, a link or an empty folder goes */
	KMLN_EDIT_KINDS
};

struct kmln_edit {
	enum kmln_edit_kind kind;
	const char *by; /* the step that asked */
	const char *why; /* a few words for people */
	const char *path; /* inside the guest; NULL around it */
	uint32_t mode; /* permission bits; MKDIR and PUT */
	uint32_t uid, gid;
	int64_t mtime; /* seconds since 1970; KMLN_MTIME_NOW: when it is applied */
	uint32_t mtime_ns;
	uint64_t offset;
	uint64_t size; /* bytes of content, or the new size */
	/* PUT: the content itself, or NULL and `from`. SYMLINK: the target. BYTES, APPEND: the
	 * bytes.
	 */
	const char *data;
	/* PUT: a path inside the kernel kit that comes with the plan, whose bytes are the content.
	 */
	const char *from;
	/*
	 * PUT: the content that stands there now, or NULL where nothing does. A replaced file keeps
	 * its mode, owner and extended attributes; mode, uid and gid above are then not used.
	 * SYMLINK: the target of the link that stands there now.
	 */
	const char *replaces;
	uint64_t replaces_size;
	/*
	 * What else is known of the file that is replaced; replaces_mode (with its type) is 0 where
	 * the step did not look at it, and then `replaces` says only that something is there.
	 * COLLAPSE: replaces_size is how long the image is.
	 * BYTES: `replaces` are the bytes that stand there now, NULL for a place that a shift
	 * makes; replaces_size is 0 where nobody looked at them. APPEND: how long the file is.
	 */
	uint32_t replaces_mode, replaces_uid, replaces_gid;
	int64_t replaces_mtime;
	uint32_t replaces_mtime_ns;
	/* PUT: bytes behind the content, in blocks of their own: what they are does not matter. */
	uint64_t reserve;
	bool shared; /* PUT: others change this file as well; only the lines that differ are kmln's
		      */
	bool anew; /* PUT: what is replaced goes first, so mode and owner become those above */
	bool unshown; /* PUT: the content is not for people, and no printed plan shows it */
	/* PUT: whose plan shows this same change already; NULL: it is shown here. */
	const char *shown_by;
	/* Edits of one group that follow each other are one line for people: "package kmod". */
	const char *group;
};

#define KMLN_MTIME_NOW INT64_MIN

struct kmln_edits {
	struct kmln_pool *pool; /* borrowed */
	const char *kit; /* name of the kernel kit that `from` refers to, or NULL */
	struct kmln_edit *items;
	size_t count;
	void *paths; /* tree(3) of paths, to refuse the second edit of one */
	/* What people should know of the plan, and no edit says. */
	const char **notes;
	size_t note_count;
};

void kmln_edits_init(struct kmln_edits *edits, struct kmln_pool *pool);
void kmln_edits_fini(struct kmln_edits *edits);
#define KMLN_EDITS KMLN_CLEANUP(kmln_edits_fini)

/* Copies *edit into the list (its strings are not copied). Fails where its path is edited already.
 */
int kmln_edits_add(struct kmln_edits *edits, const struct kmln_edit *edit, struct kmln_error *err);
/* True where an edit of this path is in the list. */
bool kmln_edits_has(const struct kmln_edits *edits, const char *path);

/* Copies the list with all that it points to into `to`, an empty one. */
void kmln_edits_copy(struct kmln_edits *to, const struct kmln_edits *from);

/* Adds a note, once. */
void kmln_edits_note(struct kmln_edits *edits, const char *fmt, ...) KMLN_PRINTF(2, 3);

const char *kmln_edit_kind_name(enum kmln_edit_kind kind);

/*
 * Prints one edit a line, with the change of a text file below it as a unified diff. Many files
 * from the kit, or of a group, in a row are one line, unless `all`; notes stand at the end. This
 * text is what --dry-run shows and golden tests hold.
 */
void kmln_edits_print(const struct kmln_edits *edits, bool all, struct kmln_buf *out);

#endif
