/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debian packages as they can be put into a guest so that its dpkg knows them as installed: the one
 * of a kernel kit, those kept beside it, and kmln's own two.
 *
 * kmln-guest keeps a converted guest starting when its kernels change (src/agent/guest.c).
 * kmln-initramfs has no program: it stands for "linux-initramfs-tool", which kernels depend on, and
 * gives way when a distribution's own such tool is installed, while kmln-guest stays.
 */
#ifndef KMLN_GUEST_PACKAGES_H
#define KMLN_GUEST_PACKAGES_H

#include "guest/archive.h"
#include "guest/kit.h"

#define KMLN_GUEST_PACKAGE "kmln-guest"
#define KMLN_INITRAMFS_PACKAGE "kmln-initramfs"

struct kmln_pkg {
	const char *name, *version, *architecture;
	const char *control; /* the whole paragraph, a newline at its end */
	bool per_architecture; /* Multi-Arch: same */
	struct kmln_deb_file *members; /* control files but "control" itself */
	size_t member_count;
	/* A regular file whose data is NULL is of the kit, and put in as one of its kernel. */
	struct kmln_deb_file *files;
	size_t file_count;
	const char *release; /* of the kernel in it, or NULL */
};

struct kmln_pkgs {
	struct kmln_pkg *items;
	size_t count;
};

/* The field's value with its folded lines joined, from the pool; "" where it is missing. */
char *kmln_control_field(struct kmln_pool *pool, const char *control, const char *name);
/* Fills in name, version, architecture out of the control paragraph; KMLN_EINVALID. */
int kmln_pkg_fill(struct kmln_pkg *pkg, struct kmln_pool *pool, struct kmln_error *err);
/* The control file of this name, or NULL. */
const struct kmln_deb_file *kmln_pkg_member(const struct kmln_pkg *pkg, const char *name);

/* Adds the package in a small .deb file; EFBIG above 32 MiB. */
int kmln_pkgs_add_deb(
	struct kmln_pkgs *pkgs, const char *path, struct kmln_pool *pool, struct kmln_error *err);
/* Adds those of a folder; what is no package is left out. */
void kmln_pkgs_add_folder(struct kmln_pkgs *pkgs, const char *folder, struct kmln_pool *pool);
/* Adds what a kit has: nothing where it was made from a folder, or is the host's kernel. */
int kmln_pkgs_add_kit(struct kmln_pkgs *pkgs, const struct kmln_kit *kit, struct kmln_pool *pool,
	struct kmln_error *err);
/* Adds kmln's own. */
void kmln_pkgs_add_own(struct kmln_pkgs *pkgs, struct kmln_pool *pool);
/* The package of this name, or NULL. */
const struct kmln_pkg *kmln_pkgs_find(const struct kmln_pkgs *pkgs, const char *name);

/* Adds a control file; its data is not copied. */
void kmln_pkg_add_member(struct kmln_pkg *pkg, struct kmln_pool *pool, const char *name,
	uint32_t mode, const char *data, size_t size);
/* Adds md5sums of its files where it has none, as dpkg does when it unpacks such a package. */
void kmln_pkg_add_sums(struct kmln_pkg *pkg, struct kmln_pool *pool);

/* Where a kit keeps what belongs to its packages, inside its folder. */
#define KMLN_KIT_PACKAGES "/packages"
/*
 * Keeps the control files of the kernel package `deb` in the kit that is made in `stage`. `list` is
 * what kmln_deb_unpack() wrote.
 */
int kmln_kit_keep_kernel(
	const char *stage, const char *deb, const struct kmln_buf *list, struct kmln_error *err);

#endif
