/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files of a project: the one place of this room that opens any. An include is a regular file
 * inside the folder of the project file, whatever links say, unless the user allows more.
 */
#ifndef KMLN_PROJECT_READ_H
#define KMLN_PROJECT_READ_H

#include "project/report.h"
#include "project/syntax.h"

struct kmln_read_options {
	bool allow_include; /* includes from outside the project's folder */
	bool no_includes; /* leave them without children */
};

/*
 * Reads a project file, "-" being standard input, whose folder is the current one. Mistakes in what
 * it says go to the report; the error is for a file that cannot be read (KMLN_EINVALID: it is
 * none).
 */
int kmln_project_read(const char *path, const struct kmln_read_options *options,
	struct kmln_syntax *syntax, struct kmln_report *report, struct kmln_error *err);

/*
 * Appends a regular file that a project names, of at most `limit` bytes. Neither the name nor a
 * link leads out of `folder` ("": the current one); KMLN_EINVALID where it would.
 */
int kmln_project_read_inside(const char *folder, const char *path, size_t limit,
	struct kmln_buf *text, struct kmln_error *err);

/* What is below a folder that a project names. */
struct kmln_inside {
	const char *path; /* below it: "etc/motd" */
	bool runs; /* its owner may run it */
};
#define KMLN_INSIDE_FILES 1000
#define KMLN_INSIDE_DEEP 16

/*
 * The regular files below it, sorted, in the pool; links to such files count as these, and neither
 * of them leads out of `folder`. -ENOTDIR where it is no folder, KMLN_EINVALID for what can stand
 * in no guest: links to folders, devices, more than KMLN_INSIDE_FILES.
 */
int kmln_project_list_inside(const char *folder, const char *path, struct kmln_pool *pool,
	struct kmln_inside **files, size_t *count, struct kmln_error *err);

#endif
