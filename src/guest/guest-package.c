// SPDX-License-Identifier: GPL-2.0-or-later
/* The packages kmln-guest and kmln-initramfs, out of what was built into kmln. */
#include "guest/packages.h"

#include <sys/stat.h>

#define PACKAGE_TIME 1700000000 /* of the files in it, whenever kmln was built */

extern const char kmln_package_program[], kmln_package_program_end[];
extern const char kmln_package_postinst_hook[], kmln_package_postinst_hook_end[];
extern const char kmln_package_postrm_hook[], kmln_package_postrm_hook_end[];
extern const char kmln_package_postrm[], kmln_package_postrm_end[];
extern const char kmln_package_copyright[], kmln_package_copyright_end[];

static void add_file(struct kmln_pkg *pkg, struct kmln_pool *pool, const char *path, uint32_t mode,
	const char *data, const char *end)
{
	*(struct kmln_deb_file *)kmln_pool_append(pool, &pkg->files, &pkg->file_count,
		sizeof(struct kmln_deb_file)) = (struct kmln_deb_file){
		.path = path,
		.mode = mode,
		.mtime = PACKAGE_TIME,
		.size = data ? (uint64_t)(end - data) : 0,
		.data = data,
	};
}

/* A file in /etc is a conffile. */
static void add_conffiles(struct kmln_pkg *pkg, struct kmln_pool *pool)
{
	KMLN_BUF struct kmln_buf conffiles = {0};

	for (size_t i = 0; i < pkg->file_count; i++)
		if (S_ISREG(pkg->files[i].mode) && kmln_starts(pkg->files[i].path, "/etc/"))
			kmln_buf_printf(&conffiles, "%s\n", pkg->files[i].path);
	kmln_pkg_add_member(pkg, pool, "conffiles", 0644,
		kmln_pool_memdup(pool, conffiles.data, conffiles.size), conffiles.size);
}

#define OWN_FIELDS \
	"Version: " KMLN_VERSION "\n" \
	"Maintainer: kmln <root@localhost>\n" \
	"Section: admin\n" \
	"Priority: optional\n"

static void add_guest_package(struct kmln_pkgs *pkgs, struct kmln_pool *pool)
{
	static const char *const folders[] = {"/", "/etc", "/etc/kernel", "/etc/kernel/postinst.d",
		"/etc/kernel/postrm.d", "/usr", "/usr/lib", "/usr/lib/kmln", "/usr/share",
		"/usr/share/doc", "/usr/share/doc/" KMLN_GUEST_PACKAGE};
	struct kmln_pkg *pkg = kmln_pool_append(pool, &pkgs->items, &pkgs->count, sizeof(*pkg));
	struct kmln_error never;

	pkg->control =
		"Package: " KMLN_GUEST_PACKAGE "\n"
		"Architecture: amd64\n" OWN_FIELDS "Installed-Size: 180\n"
		"Description: keep this converted system starting when its kernels change\n"
		" A hook for kernel packages that makes a small initramfs and writes GRUB's\n"
		" configuration anew. It was put in by kmln when it converted this system.\n";
	for (size_t i = 0; i < KMLN_COUNT(folders); i++)
		add_file(pkg, pool, folders[i], S_IFDIR | 0755, NULL, NULL);
	add_file(pkg, pool, "/etc/kernel/postinst.d/" KMLN_GUEST_PACKAGE, S_IFREG | 0755,
		kmln_package_postinst_hook, kmln_package_postinst_hook_end);
	add_file(pkg, pool, "/etc/kernel/postrm.d/" KMLN_GUEST_PACKAGE, S_IFREG | 0755,
		kmln_package_postrm_hook, kmln_package_postrm_hook_end);
	add_file(pkg, pool, "/usr/lib/kmln/kmln-guest", S_IFREG | 0755, kmln_package_program,
		kmln_package_program_end);
	add_file(pkg, pool, "/usr/share/doc/" KMLN_GUEST_PACKAGE "/copyright", S_IFREG | 0644,
		kmln_package_copyright, kmln_package_copyright_end);
	add_conffiles(pkg, pool);
	kmln_pkg_add_sums(pkg, pool);
	kmln_pkg_add_member(pkg, pool, "postrm", 0755, kmln_package_postrm,
		(size_t)(kmln_package_postrm_end - kmln_package_postrm));
	kmln_pkg_fill(pkg, pool, &never);
}

static void add_initramfs_package(struct kmln_pkgs *pkgs, struct kmln_pool *pool)
{
	static const char *const folders[] = {"/", "/usr", "/usr/share", "/usr/share/doc",
		"/usr/share/doc/" KMLN_INITRAMFS_PACKAGE};
	struct kmln_pkg *pkg = kmln_pool_append(pool, &pkgs->items, &pkgs->count, sizeof(*pkg));
	struct kmln_error never;

	pkg->control =
		"Package: " KMLN_INITRAMFS_PACKAGE "\n"
		"Architecture: all\n" OWN_FIELDS "Installed-Size: 0\n"
		"Provides: linux-initramfs-tool\n"
		"Depends: " KMLN_GUEST_PACKAGE "\n"
		"Description: kmln-guest makes the initramfs of this system\n"
		" Kernel packages depend on a program that makes their initramfs. This package\n"
		" has no program: it says that kmln-guest does it, until initramfs-tools or\n"
		" another such program is installed in its place.\n";
	for (size_t i = 0; i < KMLN_COUNT(folders); i++)
		add_file(pkg, pool, folders[i], S_IFDIR | 0755, NULL, NULL);
	add_file(pkg, pool, "/usr/share/doc/" KMLN_INITRAMFS_PACKAGE "/copyright", S_IFREG | 0644,
		kmln_package_copyright, kmln_package_copyright_end);
	kmln_pkg_add_sums(pkg, pool);
	kmln_pkg_fill(pkg, pool, &never);
}

void kmln_pkgs_add_own(struct kmln_pkgs *pkgs, struct kmln_pool *pool)
{
	add_guest_package(pkgs, pool);
	add_initramfs_package(pkgs, pool);
}
