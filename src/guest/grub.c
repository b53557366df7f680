// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * grub-mkimage puts kernel and modules of GRUB together. All that is needed is inside the image, so
 * no module has to lie in the guest, and a GRUB that the guest has of its own is not touched. For a
 * BIOS the prefix names no disk: it means the one GRUB was started from. For UEFI, whose firmware
 * may have started it from another disk, the root filesystem is looked for.
 */
#include "guest/grub.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"
#include "base/file.h"
#include "image/loader-mark.h"

#define GRUB_FOLDER "/usr/lib/grub"
#define BIOS "i386-pc"
#define EFI "x86_64-efi"
#define BOOT_IMG_SIZE 512
#define CORE_MAX (1u << 20)
#define EFI_MAX (4u << 20)

/* Runs it; the image's bytes are the pool's. `config` NULL: none is put in. */
static int make_image(struct kmln_pool *pool, const char *format, const char *prefix,
	const char *config, const char *const *modules, size_t limit, const char **image,
	size_t *size, struct kmln_error *err)
{
	KMLN_FD int memory = memfd_create("grub", MFD_CLOEXEC);
	KMLN_FREE char *output = kmln_printf("/proc/self/fd/%d", memory);
	KMLN_FREE char *folder = kmln_printf(GRUB_FOLDER "/%s", format);
	KMLN_PRIVATE struct kmln_private dir = {0};
	KMLN_STRV struct kmln_strv argv = {0};
	struct kmln_child child = {.package = "grub-common", .keep_fd = memory};
	struct stat st;
	char *bytes;
	int r = 0;

	if (memory < 0)
		return kmln_fail_sys(err, errno, "memfd_create");
	kmln_strv_adds(&argv, "grub-mkimage", "-d", folder, "-O", format, "-p", prefix, "-o",
		output, NULL);
	if (config) {
		KMLN_FREE char *name = NULL;

		r = kmln_private_open(&dir, err);
		if (r < 0)
			return r;
		name = kmln_printf("%s/early.cfg", dir.path);
		r = kmln_replace_file(name, config, strlen(config), 0600, err);
		kmln_strv_adds(&argv, "-c", name, NULL);
	}
	for (const char *const *m = modules; *m; m++)
		kmln_strv_add(&argv, *m);
	child.argv = (const char *const *)argv.items;
	if (r == 0)
		r = kmln_child_must(&child, NULL, err);
	if (r < 0)
		return r;
	if (fstat(memory, &st) < 0 || st.st_size <= BOOT_IMG_SIZE || st.st_size > (off_t)limit)
		return kmln_fail(err, EIO, "grub-mkimage made an image of an impossible size");
	*size = (size_t)st.st_size;
	*image = bytes = kmln_pool_alloc(pool, *size);
	return kmln_pread_all(memory, bytes, *size, 0, err);
}

int kmln_grub_make(struct kmln_pool *pool, const char *partition, struct kmln_grub *grub,
	struct kmln_error *err)
{
	static const char *const modules[] = {"biosdisk", "part_msdos", "part_gpt", "ext2", "fat",
		"normal", "linux", "gzio", "echo", "serial", "terminal", "search", "search_fs_uuid",
		"configfile", "test", "ls", "cat", "boot", "probe", "minicmd", "reboot", "halt",
		NULL};
	KMLN_FREE char *prefix = kmln_printf("(,%s)/boot/grub", partition);
	KMLN_BUF struct kmln_buf boot = {0};
	int r;

	if (access(GRUB_FOLDER "/" BIOS "/boot.img", R_OK) < 0)
		return kmln_fail(err, KMLN_ELACK,
			"GRUB's images for a BIOS are not in " GRUB_FOLDER "/" BIOS
			" (Debian package grub-pc-bin)");
	r = kmln_read_file(GRUB_FOLDER "/" BIOS "/boot.img", BOOT_IMG_SIZE, &boot, err);
	if (r == 0 && boot.size != BOOT_IMG_SIZE)
		r = kmln_fail(err, EIO, GRUB_FOLDER "/" BIOS "/boot.img is not one sector long");
	if (r == 0)
		r = make_image(pool, BIOS, prefix, NULL, modules, CORE_MAX, &grub->core,
			&grub->core_size, err);
	if (r == 0)
		grub->boot = kmln_pool_memdup(pool, boot.data, boot.size);
	return r;
}

int kmln_grub_make_efi(struct kmln_pool *pool, const char *uuid, const char **program, size_t *size,
	struct kmln_error *err)
{
	static const char *const modules[] = {"part_msdos", "part_gpt", "fat", "ext2", "normal",
		"linux", "gzio", "echo", "serial", "terminal", "search", "search_fs_uuid",
		"configfile", "test", "ls", "cat", "boot", "probe", "minicmd", "reboot", "halt",
		NULL};
	KMLN_FREE char *config = kmln_printf(KMLN_LOADER_MARK "search.fs_uuid %s root\n"
							      "set prefix=($root)/boot/grub\n",
		uuid);

	if (access(GRUB_FOLDER "/" EFI "/kernel.img", R_OK) < 0)
		return kmln_fail(err, KMLN_ELACK,
			"GRUB's images for UEFI are not in " GRUB_FOLDER "/" EFI
			" (Debian package grub-efi-amd64-bin)");
	return make_image(pool, EFI, "/boot/grub", config, modules, EFI_MAX, program, size, err);
}
