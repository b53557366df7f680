// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * grub-mkimage puts kernel and modules of GRUB together. All that is needed is inside core.img, so
 * no module has to lie in the guest, and a GRUB that the guest has of its own is not touched. The
 * prefix names no disk: it means the one GRUB was started from.
 */
#include "guest/grub.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"
#include "base/file.h"

#define GRUB_FOLDER "/usr/lib/grub/i386-pc"
#define BOOT_IMG_SIZE 512
#define CORE_MAX (1u << 20)

int kmln_grub_make(
	struct kmln_pool *pool, unsigned partition, struct kmln_grub *grub, struct kmln_error *err)
{
	KMLN_FD int memory = memfd_create("core.img", MFD_CLOEXEC);
	KMLN_BUF struct kmln_buf boot = {0};
	KMLN_FREE char *prefix = kmln_printf("(,msdos%u)/boot/grub", partition);
	KMLN_FREE char *output = kmln_printf("/proc/self/fd/%d", memory);
	const char *const argv[] = {"grub-mkimage", "-d", GRUB_FOLDER, "-O", "i386-pc", "-p",
		prefix, "-o", output, "biosdisk", "part_msdos", "part_gpt", "ext2", "normal",
		"linux", "gzio", "echo", "serial", "terminal", "search", "search_fs_uuid",
		"configfile", "test", "ls", "cat", "boot", "probe", "minicmd", "reboot", "halt",
		NULL};
	const struct kmln_child child = {.argv = argv, .package = "grub-common", .keep_fd = memory};
	struct stat st;
	char *core;
	int r;

	if (memory < 0)
		return kmln_fail_sys(err, errno, "memfd_create");
	if (access(GRUB_FOLDER "/boot.img", R_OK) < 0)
		return kmln_fail(err, KMLN_ELACK,
			"GRUB's images for a BIOS are not in " GRUB_FOLDER
			" (Debian package grub-pc-bin)");
	r = kmln_read_file(GRUB_FOLDER "/boot.img", BOOT_IMG_SIZE, &boot, err);
	if (r == 0 && boot.size != BOOT_IMG_SIZE)
		r = kmln_fail(err, EIO, GRUB_FOLDER "/boot.img is not one sector long");
	if (r == 0)
		r = kmln_child_must(&child, NULL, err);
	if (r < 0)
		return r;
	if (fstat(memory, &st) < 0 || st.st_size <= BOOT_IMG_SIZE || st.st_size > CORE_MAX)
		return kmln_fail(err, EIO, "grub-mkimage made an image of an impossible size");
	core = kmln_pool_alloc(pool, (size_t)st.st_size);
	r = kmln_pread_all(memory, core, (size_t)st.st_size, 0, err);
	*grub = (struct kmln_grub){
		kmln_pool_memdup(pool, boot.data, boot.size), core, (size_t)st.st_size};
	return r;
}
