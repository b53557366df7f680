/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A place on the host where what comes out of a guest is put. Paths are the guest's and hostile:
 * they are walked one folder at a time from the place itself, no link is followed, and nothing ever
 * lands outside. Files are there when they are complete, or not at all. The other way, a tree of
 * the host's is walked for who copies it.
 */
#ifndef KMLN_CLUSTER_LANDING_H
#define KMLN_CLUSTER_LANDING_H

#include <sys/stat.h>

#include "base/mem.h"

/* True for a path that can only lead below where it begins. Pure. */
bool kmln_path_stays_inside(const char *path);

struct kmln_landing {
	int root; /* the folder, borrowed */
	/* folders that cannot be written to in the end: their modes are set last */
	struct kmln_strv closed;
	/* where the filesystem knows no files without a name: that of the one being written */
	char temp[32];
	int temp_folder;
};
#define KMLN_LANDING_AT(folder) ((struct kmln_landing){.root = (folder), .temp_folder = -1})
#define KMLN_LANDING KMLN_CLEANUP(kmln_landing_fini)
void kmln_landing_fini(struct kmln_landing *landing);

/* Of modes the lower nine bits are taken: a guest's setuid program is none of ours. */
int kmln_landing_folder(
	struct kmln_landing *landing, const char *path, mode_t mode, struct kmln_error *err);
int kmln_landing_link(
	struct kmln_landing *landing, const char *path, const char *target, struct kmln_error *err);
/* A file that is not there yet, to be written; returns its descriptor. One at a time. */
int kmln_landing_file(struct kmln_landing *landing, const char *path, struct kmln_error *err);
/* Gives it its name, in the place of a file or a link that has it. */
int kmln_landing_publish(struct kmln_landing *landing, const char *path, int fd, mode_t mode,
	struct kmln_error *err);
/* Takes away what was written and will not be published; harmless where there is none. */
void kmln_landing_drop(struct kmln_landing *landing);
/* Sets the modes that were left. */
int kmln_landing_finish(struct kmln_landing *landing, struct kmln_error *err);

struct kmln_host_entry {
	const char *path; /* below the root; "" is that itself */
	const struct stat *st;
	const char *target; /* of a link; else NULL */
	int fd; /* of a regular file, to be read; else -1 */
};
/* Visits what `path` (links followed) is and, of a folder, all in it, folders first. */
int kmln_host_walk(const char *path,
	int (*each)(void *data, const struct kmln_host_entry *entry, struct kmln_error *err),
	void *data, struct kmln_error *err);

#endif
