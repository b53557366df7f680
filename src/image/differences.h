/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In what two guests differ beside their trees: packages, and the disks around them. */
#ifndef KMLN_IMAGE_DIFFERENCES_H
#define KMLN_IMAGE_DIFFERENCES_H

#include "image/source.h"

/* A package that is in one only (the other is NULL), or in another version or status. */
struct kmln_package_change {
	const struct kmln_package *a, *b;
};

/* All of them, sorted by name; the array is the pool's. */
void kmln_packages_compare(const struct kmln_facts *a, const struct kmln_facts *b,
	struct kmln_pool *pool, struct kmln_package_change **changes, size_t *count);

/* Something around the filesystems: "partition 1 start", "2048" and "4096". NULL: not there. */
struct kmln_disk_change {
	const char *what, *a, *b;
};

/*
 * Sizes, partition tables and first sectors of two images, as texts of the pool. Does nothing where
 * one of them is a folder.
 */
int kmln_disks_compare(const struct kmln_source *a, const struct kmln_source *b,
	struct kmln_pool *pool, struct kmln_disk_change **changes, size_t *count,
	struct kmln_error *err);

#endif
