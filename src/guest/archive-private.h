/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the archive room (archive*.c) share. Nobody else includes it, nor libarchive.
 */
#ifndef KMLN_GUEST_ARCHIVE_PRIVATE_H
#define KMLN_GUEST_ARCHIVE_PRIVATE_H

#include <archive.h>
#include <archive_entry.h>

#include <locale.h>

#include "guest/archive.h"

/*
 * libarchive turns the UTF-8 of pax names into letters of the locale. While this is in scope, the
 * thread's locale is C.UTF-8, and names stay as they are; a pax name that is not UTF-8 is an error.
 */
struct kmln_letters {
	locale_t own, before;
};
struct kmln_letters kmln_letters_begin(void);
void kmln_letters_end(struct kmln_letters *letters);
#define KMLN_LETTERS \
	KMLN_CLEANUP(kmln_letters_end) \
	__attribute__((unused)) struct kmln_letters letters_ = kmln_letters_begin()

#define KMLN_READER KMLN_CLEANUP(kmln_reader_cleanup)
void kmln_reader_cleanup(struct archive **archive);

/* A new reader; aborts when there is no memory. */
struct archive *kmln_reader_new(void);
/* As kmln_reader_new(), for tar streams, compressed or not. */
struct archive *kmln_reader_tar(void);

/* Fills err with libarchive's words; returns the negative code. */
int kmln_reader_fail(struct archive *archive, struct kmln_error *err);
/* The next entry: 1, 0 at the end, or a negative code. Warnings are errors: nothing is lost. */
int kmln_reader_next(struct archive *archive, struct archive_entry **entry, struct kmln_error *err);

/*
 * Appends the path of an archive's entry to `to` as tree/tree.h wants it: "./a//b/" gives "/a/b".
 * ".." and what is too long for a filesystem are KMLN_EINVALID. NULL stands for text that
 * libarchive could not read.
 */
int kmln_archive_path(const char *raw, struct kmln_buf *to, struct kmln_error *err);

#endif
