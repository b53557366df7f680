// SPDX-License-Identifier: GPL-2.0-or-later
/* The packages kmln-guest and kmln-initramfs, out of what was built into kmln. */
#include "guest/packages.h"

#include <sys/stat.h>

#include "base/md5.h"

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

static void add_member(struct kmln_pkg *pkg, struct kmln_pool *pool, const char *name,
	uint32_t mode, const char *data, size_t size)
{
	*(struct kmln_deb_file *)kmln_pool_append(pool, &pkg->members, &pkg->member_count,
		sizeof(struct kmln_deb_file)) = (struct kmln_deb_file){
		.path = name,
		.mode = S_IFREG | mode,
		.mtime = PACKAGE_TIME,
		.size = size,
		.data = data,
	};
}

/* md5sums and conffiles, as dpkg-deb's helpers make them: a file in /etc is a conffile. */
static void add_lists(struct kmln_pkg *pkg, struct kmln_pool *pool)
{
	KMLN_BUF struct kmln_buf sums = {0}, conffiles = {0};

	for (size_t i = 0; i < pkg->file_count; i++) {
		const struct kmln_deb_file *f = &pkg->files[i];
		char sum[KMLN_MD5_TEXT];

		if (!S_ISREG(f->mode))
			continue;
		if (kmln_starts(f->path, "/etc/")) {
			kmln_buf_printf(&conffiles, "%s\n", f->path);
			continue;
		}
		kmln_md5(f->data, f->size, sum);
		kmln_buf_printf(&sums, "%s  %s\n", sum, f->path + 1);
	}
	add_member(pkg, pool, "md5sums", 0644, kmln_pool_memdup(pool, sums.data, sums.size),
		sums.size);
	add_member(pkg, pool, "conffiles", 0644,
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
	add_lists(pkg, pool);
	add_member(pkg, pool, "postrm", 0755, kmln_package_postrm,
		(size_t)(kmln_package_postrm_end - kmln_package_postrm));
	kmln_pkg_fill(pkg, pool, &never);
}

static void add_initramfs_package(struct kmln_pkgs *pkgs, struct kmln_pool *pool)
{
	struct kmln_pkg *pkg = kmln_pool_append(pool, &pkgs->items, &pkgs->count, sizeof(*pkg));
	struct kmln_error never;

	pkg->control =
		"Package: " KMLN_INITRAMFS_PACKAGE "\n"
		"Architecture: all\n" OWN_FIELDS "Installed-Size: 0\n"
		"Provides: linux-initramfs-tool\n"
		"Depends: " KMLN_GUEST_PACKAGE "\n"
		"Description: kmln-guest makes the initramfs of this system\n"
		" Kernel packages depend on a program that makes their initramfs. This package\n"
		" has no files: it says that kmln-guest does it, until initramfs-tools or\n"
		" another such program is installed in its place.\n";
	add_file(pkg, pool, "/", S_IFDIR | 0755, NULL, NULL);
	kmln_pkg_fill(pkg, pool, &never);
}

void kmln_pkgs_add_own(struct kmln_pkgs *pkgs, struct kmln_pool *pool)
{
	add_guest_package(pkgs, pool);
	add_initramfs_package(pkgs, pool);
}
