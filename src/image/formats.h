/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the head of an image file says: its format, how big its disk is, and which other files it
 * names. Pure: bytes go in, plain data comes out; every number is checked, and every name is only
 * text until layers.h decides whether it may be opened. QEMU reads the rest of such an image; these
 * few fields are read by ourselves because QEMU would open whatever file they name.
 */
#ifndef KMLN_IMAGE_FORMATS_H
#define KMLN_IMAGE_FORMATS_H

#include <stdint.h>

#include "base/mem.h"

/* So many bytes of an image's beginning hold all that is read here (less where the file is). */
#define KMLN_HEADER_MAX (64u << 10)
#define KMLN_VMDK_EXTENTS_MAX 256

/* A run of the disk that lies, byte for byte, in a file. */
struct kmln_vmdk_extent {
	const char *name; /* as it stands in the descriptor */
	uint64_t start, size; /* in that file, bytes; whole sectors */
	bool read_only;
};

struct kmln_header {
	const char *format; /* kmln_format_name() */
	const char *driver; /* how QEMU calls it; NULL: extents are all there is */
	/* Why it may only be read, for people; NULL: it may be written. */
	const char *read_only;
	/* Names in the image, without NUL, any other bytes; NULL: none. */
	const char *backing; /* holds what this file does not */
	const char *backing_format; /* as the image calls it; NULL: it does not say */
	const char *data; /* qcow2: holds the disk's bytes, as a raw file */
	struct kmln_vmdk_extent *extents; /* flat VMDK, the whole disk in order */
	size_t extent_count;
};

/*
 * The format by the first bytes: "qcow2", "vmdk", "vdi", "vhdx", "vhd", "qed"; "uml-cow" and
 * "compressed (...)", which are only recognised; "raw" for all else.
 */
const char *kmln_format_name(const void *bytes, size_t size);

/*
 * Reads the head of a file of one of the first six. KMLN_EINVALID, with advice, for what is
 * damaged, hostile, or of a kind that cannot be read. All text is the pool's.
 */
int kmln_header_parse(const void *bytes, size_t size, struct kmln_pool *pool,
	struct kmln_header *header, struct kmln_error *err);

/* A VMDK descriptor alone: text, which ends at the first NUL. `embedded`: it stands in a sparse
 * VMDK, whose own grains are its extent. */
int kmln_vmdk_parse(const void *text, size_t size, bool embedded, struct kmln_pool *pool,
	struct kmln_header *header, struct kmln_error *err);

/* True for the last sector of a fixed VHD whose file is `file_size` bytes long: all that is in
 * front of that sector is the disk. */
bool kmln_vhd_fixed(const unsigned char sector[512], uint64_t file_size);

#endif
