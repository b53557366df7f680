/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of the host: descriptors that close themselves, whole reads, files that appear only when
 * complete, private folders, and the XDG folders. Paths here come from the user or from kmln,
 * never from a guest.
 */
#ifndef KMLN_BASE_FILE_H
#define KMLN_BASE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/mem.h"

#define KMLN_FD KMLN_CLEANUP(kmln_close_cleanup)
/* Closes *fd unless it is negative, and makes it -1. */
void kmln_close_cleanup(int *fd);

/* Opens with O_CLOEXEC; returns the descriptor or a negative code. */
int kmln_open(const char *path, int flags, mode_t mode, struct kmln_error *err);
/* Reads or writes all of `size` bytes at `offset`; a short file is an error (KMLN_EINVALID). */
int kmln_pread_all(int fd, void *data, size_t size, uint64_t offset, struct kmln_error *err);
int kmln_pwrite_all(int fd, const void *data, size_t size, uint64_t offset, struct kmln_error *err);
/* Writes all at the current position. */
int kmln_write_all(int fd, const void *data, size_t size, struct kmln_error *err);
/* Appends the whole file to buf; longer than `limit` bytes is an error (EFBIG). */
int kmln_read_file(const char *path, size_t limit, struct kmln_buf *buf, struct kmln_error *err);
/* Writes beside, syncs, renames: afterwards `path` is old or new, never half. */
int kmln_replace_file(
	const char *path, const void *data, size_t size, mode_t mode, struct kmln_error *err);
/* As mkdir -p with mode 0700 for what is missing. */
int kmln_make_folders(const char *path, struct kmln_error *err);
/* Removes a folder and what is in it, never following a link. What is missing is no error. */
int kmln_remove_folder(const char *path, struct kmln_error *err);
/* Syncs the folder that holds `path`, so that a rename there lasts. */
int kmln_sync_parent(const char *path, struct kmln_error *err);

enum kmln_folder { KMLN_FOLDER_CACHE, KMLN_FOLDER_DATA, KMLN_FOLDER_STATE, KMLN_FOLDER_RUNTIME };
/*
 * The XDG folder of kmln plus "/" and `below` (NULL: the folder itself), from the pool; KMLN_HOME
 * puts all kinds under itself. Nothing is created. Runtime falls back to $TMPDIR/kmln-UID.
 */
char *kmln_folder(struct kmln_pool *pool, enum kmln_folder kind, const char *below);

/* A folder of our own, mode 0700, removed with all in it when it goes out of scope. */
struct kmln_private {
	char *path; /* NULL: none */
};
int kmln_private_open(struct kmln_private *dir, struct kmln_error *err);
void kmln_private_cleanup(struct kmln_private *dir);
#define KMLN_PRIVATE KMLN_CLEANUP(kmln_private_cleanup)

/* True for a regular file that we may execute. */
bool kmln_is_program(const char *path);
/* The first executable `name` in PATH or /usr/sbin, /sbin, from the pool; NULL where there is none.
 */
char *kmln_find_program(struct kmln_pool *pool, const char *name);

#endif
