/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands that take a project file have in common: finding it, reading it, its mistakes.
 */
#ifndef KMLN_CLI_PROJECT_H
#define KMLN_CLI_PROJECT_H

#include <sys/types.h>

#include "cli/cli.h"
#include "cluster/store.h"
#include "project/model.h"
#include "project/read.h"
#include "project/report.h"

/* -f FILE and --allow-include, for every command that reads a project. */
#define KMLN_OPT_PROJECT(type) \
	{"file", 'f', KMLN_OPT_FILE, "FILE", \
		"the project file, - for standard input (default: the one here or above)", \
		offsetof(type, file), NULL}, \
	{ \
		"allow-include", 0, KMLN_OPT_FLAG, NULL, \
			"allow includes from outside the project's folder", \
			offsetof(type, allow_include), NULL \
	}

/* The same and -p PROJECT, for every command about a project that lives on this host. */
#define KMLN_OPT_CLUSTER(type) \
	KMLN_OPT_PROJECT(type), \
	{ \
		"project", 'p', KMLN_OPT_TEXT, "PROJECT", \
			"a project that was built here, by its name, as it was built", \
			offsetof(type, project), NULL \
	}

/* A project that has been read and resolved. Zeroed before; ends with kmln_loaded_fini(). */
struct kmln_loaded {
	struct kmln_pool *pool;
	const char *path; /* of the file; "-": standard input */
	const char *folder; /* that it lies in: "" or ending in a slash */
	struct kmln_syntax *syntax;
	struct kmln_report report;
	struct kmln_model *model; /* NULL only where reading failed */
	struct kmln_store store; /* of kmln_project_choose(): where it lives on this host */
};
#define KMLN_LOADED KMLN_CLEANUP(kmln_loaded_fini)
void kmln_loaded_fini(struct kmln_loaded *loaded);

/*
 * The project file: `file` (of -f), else `argument`, else the only *.kmln, or only *.mln, of this
 * folder or the nearest one above that has any. From the pool.
 */
int kmln_project_find(struct kmln_pool *pool, const char *file, const char *argument,
	const char **path, struct kmln_error *err);

/*
 * Finds, reads, resolves, and, with `here`, holds it against this host's images and platforms.
 * Mistakes are in the report; the error is for a file that cannot be read.
 */
int kmln_project_load(struct kmln_loaded *loaded, const char *file, const char *argument,
	bool allow_include, bool here, struct kmln_error *err);

/* The same for who wants a project without mistakes: shows them, and fails (KMLN_EINVALID) where
 * there are errors. */
int kmln_project_load_valid(struct kmln_loaded *loaded, const char *file, const char *argument,
	bool allow_include, bool here, struct kmln_error *err);

/*
 * For commands with KMLN_OPT_CLUSTER: a project without mistakes, from its file as above, or by the
 * name under which it was built (KMLN_EUSAGE where none was). Images of hosts that are built need
 * not be there any more.
 */
int kmln_project_choose(struct kmln_loaded *loaded, const char *file, const char *project,
	const char *argument, bool allow_include, struct kmln_error *err);

/* For who wants its project's name, whatever else is wrong with it: KMLN_EINVALID without one. */
int kmln_project_load_named(
	struct kmln_loaded *loaded, const char *file, bool allow_include, struct kmln_error *err);

/*
 * KMLN_EINVALID where a project of the store's name was built from a file in another folder than
 * the one in hand, and that is there still: two labs would share disks.
 */
int kmln_project_own(
	const struct kmln_store *store, const struct kmln_loaded *loaded, struct kmln_error *err);

/* Shows the mistakes on stderr, in colour on a terminal unless NO_COLOR is set. */
void kmln_project_complain(struct kmln_report *report);

/* Writes to a file of this mode, which is complete or not there, or, without a name or with "-", to
 * stdout. */
int kmln_project_write(
	const char *path, const struct kmln_buf *text, mode_t mode, struct kmln_error *err);

#endif
