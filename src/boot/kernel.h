/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernels of a tree, by their files: a guest's, those of a kernel kit, the host's own. No
 * package database is asked, so hand-built kernels count.
 */
#ifndef KMLN_BOOT_KERNEL_H
#define KMLN_BOOT_KERNEL_H

#include "tree/tree.h"

/* A file of a kernel. Paths are those of the tree it was found in. */
struct kmln_kernel_file {
	const char *path;
	uint32_t mode; /* type and permissions */
	uint64_t size;
	int64_t mtime;
	uint32_t mtime_ns;
	const char *target; /* of a link */
};

#define KMLN_ENTRY_PC "pc" /* by GRUB, QEMU and the like */
#define KMLN_ENTRY_XEN "xen" /* by Xen, in one of these two ways */
#define KMLN_ENTRY_XEN_PV "xen-pv"
#define KMLN_ENTRY_XEN_PVH "xen-pvh"

struct kmln_kernel {
	const char *release; /* "6.1.0-56-cloud-amd64", as the modules folder is called */
	const char *image; /* "/boot/vmlinuz-RELEASE", or NULL: only modules are there */
	const char *suffix; /* what the names of its files in /boot end in: the release, unless its
			       own header knew better ("linux" of "vmlinuz-linux") */
	const char *arch; /* of the image: "x86-64"; NULL: not recognised */
	/* The ways in which the image can be started, KMLN_ENTRY_..., NULL-ended; NULL: not looked
	 * for. Read by image/entries.h: it has to be unpacked for that. */
	const char *const *entries;
	const char *initramfs; /* "/boot/initrd.img-RELEASE", or NULL; of several that of kmln */
	const char *initramfs_sum; /* its MD5 in hexadecimal, where it is ours */
	uint64_t initramfs_size;
	bool initramfs_ours;
	const char *modules; /* "/usr/lib/modules/RELEASE", or NULL */
	bool indexed; /* depmod ran: modules.dep is there */
	const char *compression; /* of the modules: "none", "gz", "xz", "zst"; NULL: not known */
	bool uml; /* modules of a User-Mode Linux kernel */
	/* Of the drivers that platforms ask for, those it has, built in or as modules; NULL-ended.
	 */
	const char *const *drivers;
	/* Image, config, System.map and everything in the modules folder, sorted; folders too. */
	struct kmln_kernel_file *files;
	size_t file_count;
	uint64_t bytes; /* of all these files */
};

/*
 * All kernels of the tree, newest first. Where `release` is not NULL only that one. The files of a
 * kernel are listed only where `with_files`.
 */
int kmln_kernels_read(struct kmln_tree *tree, const char *release, bool with_files,
	struct kmln_pool *pool, struct kmln_kernel **kernels, size_t *count,
	struct kmln_error *err);
/* True where the kernel has the driver. */
bool kmln_kernel_has(const struct kmln_kernel *kernel, const char *driver);
/* True where the kernel can be started in this way. */
bool kmln_kernel_starts(const struct kmln_kernel *kernel, const char *entry);
/* Programs of one architecture run under a kernel of another only where that kernel says so. */
bool kmln_arch_runs(const char *programs, const char *kernel);
/*
 * The name in /boot of our initramfs for this release: "initrd.img-RELEASE", or
 * "kmln-initrd.img-RELEASE" where a distribution's has the first name. From the pool.
 */
char *kmln_kernels_initramfs_name(struct kmln_pool *pool, const struct kmln_kernel *kernels,
	size_t count, const char *release);
/* Orders releases as people do: 6.9 before 6.10. As strverscmp. */
int kmln_release_compare(const char *a, const char *b);
/* Programs of distributions that make initramfs; where one is there, ours stand back. NULL-ended.
 */
extern const char *const kmln_initramfs_tools[];
/* Text of a release is used in paths: letters, digits and "._+~-" only. */
bool kmln_release_valid(const char *release);

#endif
