/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing a qcow2 image in one go: an overlay of which all is known before the first byte is
 * written, so that no daemon and no process is needed for it. QEMU reads and changes it afterwards.
 */
#ifndef KMLN_IMAGE_QCOW2_WRITE_H
#define KMLN_IMAGE_QCOW2_WRITE_H

#include "image/device.h"

#define KMLN_QCOW2_CLUSTER 65536u

/* Which clusters of a disk an overlay is to have itself; a bit for each. */
struct kmln_clusters {
	uint64_t count;
	unsigned char *bits;
};
#define KMLN_CLUSTERS KMLN_CLEANUP(kmln_clusters_fini)
void kmln_clusters_init(struct kmln_clusters *clusters, uint64_t disk_size);
void kmln_clusters_fini(struct kmln_clusters *clusters);
/* Marks those of a run of bytes. */
void kmln_clusters_mark(struct kmln_clusters *clusters, uint64_t offset, uint64_t size);

/*
 * Writes an image of the whole device into an empty file: version 3, over the raw disk `backing`
 * (its name, at most 1023 bytes, which may be shorter than the device), with the marked clusters in
 * it. Nothing is synced.
 */
int kmln_qcow2_write(int fd, const char *backing, struct kmln_device *device,
	const struct kmln_clusters *clusters, struct kmln_error *err);

/* The size of the disk in an image file that kmln wrote. */
int kmln_qcow2_size(const char *path, uint64_t *size, struct kmln_error *err);

#endif
