/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Landlock: a process gives up rights on files, TCP ports, and on processes and abstract sockets
 * outside, for itself and all its children, without any privilege. Only children of kmln apply it:
 * the command that stands in front of a machine's program (kmln _confine), just before it becomes
 * that program, the reader of a guest's rpm database, and kmln-uplink (which kmln starts).
 *
 * For machines it is the second wall: it knows no rights for metadata (chmod, utimes) and, before
 * ABI 3, none for truncate. The first wall is run/sandbox.h.
 */
#ifndef KMLN_BASE_LANDLOCK_H
#define KMLN_BASE_LANDLOCK_H

#include "base/mem.h"

enum kmln_access {
	KMLN_ACCESS_READ, /* a file, or a folder with all below it */
	KMLN_ACCESS_RUN, /* read, and execute programs */
	KMLN_ACCESS_WRITE, /* read, write; in a folder also make and remove files and sockets */
	KMLN_ACCESS_DEVICE, /* read, write and control a device */
	KMLN_ACCESS_KINDS
};

/* The version the kernel offers, 1 or more; 0 where it has none. */
int kmln_landlock_abi(void);

struct kmln_landlock {
	int fd; /* -1: the kernel has no Landlock; rules are then taken and forgotten */
	unsigned long long handled; /* the file rights this kernel knows */
};

/* Starts a set of rules that allows nothing. The caller closes it with kmln_landlock_cleanup(). */
int kmln_landlock_open(struct kmln_landlock *landlock, struct kmln_error *err);
/* The same for a program whose work is the network: TCP ports stay as they are. */
int kmln_landlock_open_network(struct kmln_landlock *landlock, struct kmln_error *err);
/* Allows access below `path`, which must exist; a link is followed. */
int kmln_landlock_allow(struct kmln_landlock *landlock, const char *path, enum kmln_access access,
	struct kmln_error *err);
/* From here on this process and its children have only what was allowed. There is no way back. */
int kmln_landlock_enforce(const struct kmln_landlock *landlock, struct kmln_error *err);
void kmln_landlock_cleanup(struct kmln_landlock *landlock);
#define KMLN_LANDLOCK KMLN_CLEANUP(kmln_landlock_cleanup)

#endif
