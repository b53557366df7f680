/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files beside the converted image, called OUT and a suffix: the boot disk of `--boot disk`;
 * kernel, initramfs, run script and description of `--boot direct`; kernel, initramfs and two
 * descriptions of a domain for Xen. They are made in memory before anything is written, written
 * without a name, and get their names when all is complete and proved.
 */
#ifndef KMLN_CONVERT_BESIDE_H
#define KMLN_CONVERT_BESIDE_H

#include <sys/types.h>

#include "base/output.h"
#include "convert/convert.h"
#include "image/journal.h"
#include "tree/tree.h"

#define KMLN_BESIDE_MAX 7

struct kmln_beside_file {
	const char *suffix; /* ".boot.img" */
	mode_t mode;
	uint64_t size; /* bytes; what no piece covers is a hole */
	struct kmln_pieces pieces; /* sorted, in the pool */
};

struct kmln_beside {
	struct kmln_beside_file files[KMLN_BESIDE_MAX];
	size_t count; /* 0 for KVM and the forms bios and uefi */
	struct kmln_buf kernel; /* owned: pieces point into it */
};
#define KMLN_BESIDE KMLN_CLEANUP(kmln_beside_fini)
void kmln_beside_fini(struct kmln_beside *beside);

/* EEXIST where one of the files is there, unless it may be replaced; nothing is made. */
int kmln_beside_check(const struct kmln_convert *job, struct kmln_error *err);
/*
 * Makes them all. `tree` holds the kernel (the kit's, or the guest's); `format` is what QEMU calls
 * that of the image.
 */
int kmln_beside_make(const struct kmln_convert *job, const struct kmln_goal *goal,
	const struct kmln_facts *facts, struct kmln_tree *tree, const char *format,
	struct kmln_pool *pool, struct kmln_beside *beside, struct kmln_error *err);

/* The files themselves, not yet named. */
struct kmln_beside_outputs {
	struct kmln_output outputs[KMLN_BESIDE_MAX];
	char *names[KMLN_BESIDE_MAX];
	size_t count;
};
#define KMLN_BESIDE_OUTPUTS KMLN_CLEANUP(kmln_beside_drop)
int kmln_beside_write(const struct kmln_beside *beside, const char *out, bool force,
	struct kmln_beside_outputs *outputs, struct kmln_error *err);
/* Syncs them and gives them their names; where that fails, those that are new are taken back. */
int kmln_beside_publish(struct kmln_beside_outputs *outputs, bool force, struct kmln_error *err);
void kmln_beside_drop(struct kmln_beside_outputs *outputs);

/* The same for a conversion in place: a journal's files, whose content is in memory. */
struct kmln_beside_journal {
	struct kmln_journal_file files[KMLN_BESIDE_MAX];
	struct kmln_device *contents[KMLN_BESIDE_MAX];
	char *names[KMLN_BESIDE_MAX];
	size_t count;
};
#define KMLN_BESIDE_JOURNAL KMLN_CLEANUP(kmln_beside_forget)
/* `image` is the name of what is converted; the journal lies beside the file that it leads to. */
int kmln_beside_remember(const struct kmln_beside *beside, const char *image,
	struct kmln_beside_journal *journal, struct kmln_error *err);
void kmln_beside_forget(struct kmln_beside_journal *journal);

#endif
