/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kinds of virtualisation. A platform is one file here and one line in the table of platform.c:
 * plain data about what a guest sees and needs there, how to find out whether this host offers it,
 * and the command line that starts a machine. Making that command line is pure: it opens and starts
 * nothing; run/ does.
 */
#ifndef KMLN_PLATFORM_PLATFORM_H
#define KMLN_PLATFORM_PLATFORM_H

#include <stdint.h>

#include "base/mem.h"

/* One thing that was looked for on this host. Everything lives in the pool of the probe. */
struct kmln_finding {
	const char *key; /* for JSON, like "binary", "version", "modules" */
	const char *value; /* NULL: not there */
	const char *package; /* the Debian package that brings it, where it is not there; or NULL */
};

/* What this host can do on one platform. */
struct kmln_probe {
	bool usable;
	const char *state; /* one word: "usable", "emulated", "no-permission", "absent", "broken" */
	const char *reason; /* a sentence for people, always set */
	struct kmln_finding *findings;
	size_t count;
};

/* A machine to be started. Paths are those inside its sandbox, all made by kmln: no odd bytes. */
struct kmln_launch {
	const char *program; /* linux.uml or qemu-system-x86_64 */
	const char *disk; /* the image */
	unsigned partition; /* of the root filesystem; 0: the image is a bare filesystem */
	bool read_only; /* the image is only read; writes go to `overlay` or to nowhere */
	const char *overlay; /* UML: copy-on-write file to make; NULL: write to the image */
	bool snapshot; /* writes are thrown away at the end */
	uint64_t memory; /* bytes */
	/* A kernel given from outside; NULL: UML has its own, QEMU lets the disk's boot loader
	 * work. */
	const char *kernel, *initramfs;
	const char *cmdline; /* for that kernel; UML: more words for its command line; or NULL */
	const char *run; /* a private writable folder */
};

struct kmln_platform {
	const char *name; /* "uml" */
	const char *summary; /* for lists */
	const char *console; /* the guest's console device without /dev/: "ttyS0" */
	const char *disk; /* the first disk as the guest sees it, without /dev/: "ubda" */
	/*
	 * What the guest must bring itself. Drivers are module names with underscores, each a list
	 * of one needed thing: the kernel must have them built in or as modules.
	 */
	bool needs_kernel; /* a kernel of its own, with `drivers` */
	bool needs_loader; /* a partition table and a boot loader */
	const char *const *drivers; /* NULL-ended, or NULL */

	/* What this host can do. Fails only where it cannot look at all. */
	int (*probe)(struct kmln_pool *pool, struct kmln_probe *probe, struct kmln_error *err);
	/* Appends the full argument vector. NULL: kmln cannot start machines there yet. */
	int (*launch)(
		const struct kmln_launch *launch, struct kmln_strv *argv, struct kmln_error *err);
};

/* Sorted by preference, ends with NULL. */
extern const struct kmln_platform *const kmln_platforms[];
/* NULL where there is no such platform. */
const struct kmln_platform *kmln_platform_find(const char *name);

#endif
