/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What kmln boot holds, between its course (boot.c) and what is UML's alone (boot-uml.c). */
#ifndef KMLN_CLI_BOOT_H
#define KMLN_CLI_BOOT_H

#include "base/file.h"
#include "image/disk.h"
#include "image/facts.h"
#include "plan/actions.h"
#include "platform/platform.h"
#include "run/sandbox.h"

struct boot_opts {
	const char *on, *kernel, *initramfs, *append, *format, *firmware, *boot_disk;
	uint64_t memory, timeout, root;
	struct kmln_strv steps; /* "until=REGEX", "send=TEXT" */
	bool snapshot, dry_run, unconfined, backing;
};

/* What is known before planning. */
struct boot {
	const struct boot_opts *opts;
	struct kmln_pool *pool;
	const char *image; /* absolute */
	struct kmln_disk disk; /* open while the image is looked at */
	/* kernel and initramfs of a start without boot loader; variables of UEFI */
	struct kmln_private scratch;
	const char *kernel, *initramfs, *words; /* of such a start, else NULL */
	const char *firmware, *variables; /* of UEFI, else NULL */
	bool device; /* the image is a block device */
	const char *nodes; /* it is not raw: QEMU's JSON for it; NULL: raw */
	/* UML and it is not raw: the daemon that serves it, and the folder of its socket */
	struct kmln_spawn *server;
	const char *socket_folder;
	struct kmln_facts *facts;
	bool has_root; /* a filesystem was found that can be the root */
	unsigned partition; /* it is in; 0: the whole image */
	const struct kmln_platform *platform;
	const char *reason; /* why this platform */
	const char *program;
	struct kmln_sandbox sandbox;
};

/* Each where it is needed; what they make is in boot->scratch. */
int kmln_boot_uml_initramfs(struct boot *boot, struct kmln_error *err);
int kmln_boot_uml_disk(struct boot *boot, struct kmln_error *err);

#endif
