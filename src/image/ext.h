/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An ext2, ext3 or ext4 filesystem in an image as a tree, through libext2fs: no mount, no root. */
#ifndef KMLN_IMAGE_EXT_H
#define KMLN_IMAGE_EXT_H

#include "image/disk.h"
#include "tree/tree.h"

/* What the superblock says. Strings live in the pool. */
struct kmln_ext_super {
	const char *type; /* "ext2", "ext3" or "ext4", by its features */
	const char *uuid, *label;
	const char *last_mount; /* where it was mounted last, or NULL */
	uint64_t bytes, free_bytes; /* of the whole filesystem */
	uint64_t free_inodes;
	uint32_t block_size;
	bool needs_recovery, has_errors, clean;
	const char *const *features; /* names of all features, NULL-ended */
};

/* KMLN_EINVALID for what is no ext filesystem, is corrupt, or longer than its range. */
int kmln_ext_super_read(struct kmln_device *device, const struct kmln_range *range,
	struct kmln_pool *pool, struct kmln_ext_super *super, struct kmln_error *err);
/*
 * Opens it. Writing needs a filesystem whose journal is replayed (see check.h), and a lock on the
 * image.
 */
int kmln_tree_ext(struct kmln_device *device, const struct kmln_range *range, bool writable,
	struct kmln_tree **tree, struct kmln_error *err);

#endif
