/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What kmln boot holds, between its course (boot.c) and what is UML's alone (boot-uml.c), and
 * further disks (boot-disks.c). */
#ifndef KMLN_CLI_BOOT_H
#define KMLN_CLI_BOOT_H

#include "base/file.h"
#include "image/disk.h"
#include "image/facts.h"
#include "image/storage.h"
#include "plan/actions.h"
#include "platform/platform.h"
#include "run/sandbox.h"

struct boot_opts {
	const char *on, *kernel, *initramfs, *append, *format, *firmware, *boot_disk;
	uint64_t memory, timeout, root;
	struct kmln_strv steps; /* "until=REGEX", "send=TEXT" */
	struct kmln_strv disks; /* further ones */
	bool snapshot, dry_run, unconfined, backing;
};

/* A further disk. */
struct boot_disk {
	const char *path; /* absolute */
	struct kmln_disk disk; /* open while the images are looked at */
	bool raw, device;
	const char *nodes; /* it is not raw: QEMU's JSON for it; NULL: raw, or not for QEMU */
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
	struct boot_disk *disks;
	size_t disk_count, served_count; /* all; those that are not raw */
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

/* Disks, in this order: opens further ones; describes for QEMU or a daemon all that are not raw;
 * closes further ones, so that the machine can lock them; and puts these into the launch, `served`
 * being the folder of the sockets in the machine's view, or NULL. */
int kmln_boot_disks_look(struct boot *boot, struct kmln_error *err);
int kmln_boot_disks_describe(struct boot *boot, struct kmln_error *err);
void kmln_boot_disks_close(struct boot *boot);
void kmln_boot_disks_give(struct boot *boot, const char *served, struct kmln_launch *launch);

#endif
