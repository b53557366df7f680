// SPDX-License-Identifier: GPL-2.0-or-later
/* Our initramfs with the init that was built into kmln, and modules unpacked by libarchive. */
#include "guest/initramfs.h"

#include "boot/initramfs.h"
#include "guest/archive.h"

extern const char kmln_init_program[], kmln_init_program_end[];

static int unpack(const char *path, const void *bytes, size_t size, size_t limit,
	struct kmln_buf *out, struct kmln_error *err)
{
	(void)path;
	return kmln_decompress(bytes, size, limit, out, err);
}

int kmln_initramfs_build(struct kmln_tree *tree, const char *modules_folder, struct kmln_buf *out,
	struct kmln_error *err)
{
	return kmln_initramfs_make(tree, modules_folder, kmln_init_program,
		(size_t)(kmln_init_program_end - kmln_init_program), unpack, out, err);
}
