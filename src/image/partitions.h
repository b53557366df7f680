/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Partition tables (libfdisk's home) and what lies in the partitions (libblkid's home). */
#ifndef KMLN_IMAGE_PARTITIONS_H
#define KMLN_IMAGE_PARTITIONS_H

#include "image/facts.h"

/*
 * Fills facts->table, disk_id, partitions. No table leaves them empty and is no error; a damaged
 * table, or one with a partition that ends behind the image, is KMLN_EINVALID.
 */
int kmln_partitions_read(
	const struct kmln_disk *disk, struct kmln_facts *facts, struct kmln_error *err);
/* Fills facts->filesystems, of the partitions or of the whole image. */
int kmln_filesystems_read(
	const struct kmln_disk *disk, struct kmln_facts *facts, struct kmln_error *err);

#endif
