/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image as QEMU's block nodes, in JSON, for the storage daemon and for machines. Its files are
 * given to the sandbox under names of our own, so that no byte of a user's or an image's name
 * stands in it; and every child is said, so that QEMU opens none that an image names.
 */
#ifndef KMLN_IMAGE_NODES_H
#define KMLN_IMAGE_NODES_H

#include "image/layers.h"
#include "run/sandbox.h"

struct kmln_nodes {
	const struct kmln_layers *layers;
	struct kmln_sandbox *sandbox;
	bool shared; /* without locks; not with `writable` below */
};

/* Appends the members of the object that stands for this layer, which has a driver. What is below
 * it is only read. */
void kmln_nodes_add(const struct kmln_nodes *nodes, const struct kmln_layer *layer, bool writable,
	struct kmln_buf *json);

/*
 * Appends the object of a machine's disk. A flat VMDK gets a descriptor with our names, a file in
 * `folder`, which is this disk's alone and must last as long as the machine.
 */
int kmln_nodes_disk(const struct kmln_nodes *nodes, bool writable, const char *folder,
	struct kmln_buf *json, struct kmln_error *err);

#endif
