/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a change in place becomes certain. All that is still to be done to an image stands in a file
 * beside it, IMAGE.kmln-journal, which appears complete and synced or not at all. Then it is done;
 * then the file goes. Whoever finds one finishes the work: doing it twice does no harm.
 */
#ifndef KMLN_IMAGE_JOURNAL_H
#define KMLN_IMAGE_JOURNAL_H

#include "image/disk.h"

/* A file to be made beside the image, as one of the outputs. */
struct kmln_journal_file {
	const char *name; /* without a slash */
	uint32_t mode;
	struct kmln_device *content; /* borrowed */
};

struct kmln_journal {
	/* Blocks that differ; see overlay.h. Written before anything moves. */
	const struct kmln_device *overlay;
	uint64_t cut; /* bytes to take away in front; 0: none */
	struct kmln_device *front; /* to put in front, or NULL */
	struct kmln_device *behind; /* to put behind, or NULL */
	uint64_t size; /* bytes the disk has afterwards */
	const struct kmln_journal_file *files;
	size_t file_count;
};

/*
 * Writes the journal of an image (`path` is its name, `disk` open, writable and locked), carries it
 * out and removes it. An error before the journal is there leaves the image as it is; after that
 * the error says that the next command goes on.
 */
int kmln_journal_commit(const char *path, struct kmln_disk *disk,
	const struct kmln_journal *journal, struct kmln_error *err);
/* 1 where a journal lies beside the image. */
int kmln_journal_there(const char *path);
/* Carries out what is there; `disk` is open, writable and locked. */
int kmln_journal_finish(const char *path, struct kmln_disk *disk, struct kmln_error *err);

/* True where this very file can be made longer in front and cut there. */
bool kmln_can_shift(int fd);

#endif
