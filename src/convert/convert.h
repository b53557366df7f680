/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Converting: inspect, plan, apply to a copy, look again. The source is only read, and the output
 * gets its name when it is complete and proved: the second plan is empty, e2fsck finds nothing.
 */
#ifndef KMLN_CONVERT_CONVERT_H
#define KMLN_CONVERT_CONVERT_H

#include "guest/kit.h"
#include "guest/step.h"

struct kmln_convert {
	const char *image;
	const struct kmln_platform *to;
	const char *out; /* NULL with dry_run or in_place; the descriptor's name with "composite" */
	const char *format; /* of the output: "raw", "qcow2", "vmdk", "vdi"; "composite" in place */
	bool backing; /* the files that the image names may be opened */
	bool in_place; /* the image itself is converted */
	unsigned root; /* the partition of the root filesystem; 0: it is looked for */
	bool merge; /* filesystems that the guest mounts from the same disk go into the root */
	bool nofail; /* fstab's disks that are not in the image may be missing at the start */
	const char *kernel; /* a .deb, a folder, or a release; NULL: chosen */
	enum kmln_boot_form form; /* of platforms whose machines start by a loader */
	const char *xen_type; /* "pv" or "pvh", for Xen; NULL: the better one that the kernel has */
	uint64_t size; /* of the root filesystem, bytes; 0: as it is */
	bool grow; /* it is made bigger than that where it has no room for what is put in */
	bool dry_run; /* plan only */
	bool unchecked; /* with dry_run: e2fsck is left to who carries the plan out */
	bool force; /* an existing `out`, or file beside it, is replaced */
	/* Called with the finished plan, before anything is made; NULL: not wanted. */
	int (*show)(const struct kmln_edits *edits, struct kmln_error *err);
};

int kmln_convert(const struct kmln_convert *job, struct kmln_error *err);

/* A kernel for a guest: its own, or one of a kit. Closed by kmln_kit_close(&choice->kit). */
struct kmln_choice {
	struct kmln_kit kit; /* tree NULL: the guest's own kernel */
	const struct kmln_kernel *kernel;
	const char *why; /* for people */
};
#define KMLN_CHOICE KMLN_CLEANUP(kmln_choice_close)
void kmln_choice_close(struct kmln_choice *choice);

/*
 * In this order: what `wanted` names; the guest's own kernel, where it suits; a kit of the cache;
 * the host's own; the distribution's, fetched. KMLN_ELACK where none is to be had. `tree` is the
 * guest's.
 */
int kmln_choose_kernel(const struct kmln_facts *facts, const struct kmln_platform *platform,
	const char *wanted, struct kmln_tree *tree, struct kmln_pool *pool,
	struct kmln_choice *choice, struct kmln_error *err);

#endif
