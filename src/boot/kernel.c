// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finding kernels: an image in /boot and a modules folder are one kernel when they have the same
 * release. Limits bound what a hostile tree can make us do.
 */
#include "boot/kernel.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/md5.h"
#include "boot/initramfs-mark.h"
#include "boot/modules.h"

#define KERNELS_MAX 64
#define FILES_MAX 60000
#define DEPTH_MAX 24
#define ODD_MAX 200 /* files in /boot that are looked into though no name says kernel */
#define OUR_INITRAMFS_MAX (64u << 20)

/* What platforms and our initramfs ask for; see platform/ and guest/initramfs.c. */
static const char *const asked_drivers[] = {"virtio_pci", "virtio_blk", "virtio_net", "virtio_mmio",
	"virtio_scsi", "virtio_console", "nvme", "ext4", "xfs", "btrfs", "xen_blkfront",
	"xen_netfront", "hvc_xen", "e1000", "ahci", "ubd", NULL};

const char *const kmln_initramfs_tools[] = {"/usr/sbin/update-initramfs", "/usr/bin/dracut",
	"/sbin/dracut", "/usr/bin/mkinitcpio", NULL};

struct reader {
	struct kmln_tree *tree;
	struct kmln_pool *pool;
	struct kmln_kernel *kernels;
	size_t count;
};

bool kmln_release_valid(const char *release)
{
	size_t n = strlen(release);

	if (!n || n > 128 || release[0] == '.')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)release[i]) && !strchr("._+~-", release[i]))
			return false;
	return true;
}

int kmln_release_compare(const char *a, const char *b)
{
	return strverscmp(a, b);
}

bool kmln_kernel_has(const struct kmln_kernel *kernel, const char *driver)
{
	for (const char *const *d = kernel->drivers; d && *d; d++)
		if (kmln_eq(*d, driver))
			return true;
	return false;
}

bool kmln_kernel_starts(const struct kmln_kernel *kernel, const char *entry)
{
	for (const char *const *e = kernel->entries; e && *e; e++)
		if (kmln_eq(*e, entry) ||
			(kmln_eq(entry, KMLN_ENTRY_XEN) && kmln_starts(*e, KMLN_ENTRY_XEN "-")))
			return true;
	return false;
}

bool kmln_arch_runs(const char *programs, const char *kernel)
{
	return !programs || kmln_eq(programs, kernel) ||
	       (kmln_eq(programs, "i386") && kmln_eq(kernel, "x86-64"));
}

char *kmln_kernels_initramfs_name(struct kmln_pool *pool, const struct kmln_kernel *kernels,
	size_t count, const char *release)
{
	for (size_t i = 0; i < count; i++) {
		const struct kmln_kernel *k = &kernels[i];

		if (!kmln_eq(k->release, release) || !k->initramfs)
			continue;
		if (k->initramfs_ours)
			return kmln_pool_strdup(pool, strrchr(k->initramfs, '/') + 1);
		return kmln_pool_printf(pool, "kmln-initrd.img-%s", release);
	}
	return kmln_pool_printf(pool, "initrd.img-%s", release);
}

static struct kmln_kernel *kernel_of(struct reader *reader, const char *release)
{
	struct kmln_kernel *k;

	for (size_t i = 0; i < reader->count; i++)
		if (kmln_eq(reader->kernels[i].release, release))
			return &reader->kernels[i];
	if (reader->count == KERNELS_MAX)
		return NULL;
	k = kmln_pool_append(reader->pool, &reader->kernels, &reader->count, sizeof(*k));
	k->release = kmln_pool_strdup(reader->pool, release);
	return k;
}

static bool is_missing(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -ELOOP;
}

/* Only the first bytes of the file are looked at: as far as a bzImage's version text can lie. */
struct head {
	unsigned char bytes[0x200 + 0x10000 + 256];
	size_t size;
};

static int keep_head(void *data, const char *bytes, size_t size, struct kmln_error *err)
{
	struct head *head = data;
	size_t n = sizeof(head->bytes) - head->size;

	(void)err;
	n = size < n ? size : n;
	memcpy(head->bytes + head->size, bytes, n);
	head->size += n;
	return head->size == sizeof(head->bytes);
}

/* By the file's own header: an x86 bzImage says so, an ELF names its machine. */
static const char *image_arch(const struct head *head)
{
	const unsigned char *b = head->bytes;

	if (head->size >= 0x238 && memcmp(b + 0x202, "HdrS", 4) == 0) {
		/* xloadflags bit 0: has a 64-bit entry */
		return b[0x236] & 1 ? "x86-64" : "i386";
	}
	if (head->size >= 20 && memcmp(b,
					"\x7f"
					"ELF",
					4) == 0)
		return b[18] == 62    ? "x86-64"
		       : b[18] == 183 ? "arm64"
		       : b[18] == 3   ? "i386"
				      : "other";
	if (head->size >= 0x40 && memcmp(b + 0x38, "ARMd", 4) == 0)
		return "arm64";
	return NULL;
}

/*
 * The release by a bzImage's own header, in the pool: "6.1.0-13-amd64 (user@host) #1 SMP ...".
 * NULL where it has none, or no text that can be one.
 */
static const char *image_release(const struct head *head, struct kmln_pool *pool)
{
	const char *text;
	char *release;
	size_t at;

	if (head->size < 0x238 || memcmp(head->bytes + 0x202, "HdrS", 4) != 0)
		return NULL;
	at = (size_t)head->bytes[0x20e] | (size_t)head->bytes[0x20f] << 8;
	if (!at || at + 0x200 >= head->size)
		return NULL;
	text = (const char *)head->bytes + 0x200 + at;
	release = kmln_pool_memdup(pool, text, strnlen(text, head->size - 0x200 - at));
	release[strcspn(release, " ")] = '\0';
	return kmln_release_valid(release) ? release : NULL;
}

static void add_file(
	struct reader *reader, struct kmln_kernel *k, const char *path, const struct kmln_stat *st)
{
	struct kmln_kernel_file *f =
		kmln_pool_append(reader->pool, &k->files, &k->file_count, sizeof(*f));

	*f = (struct kmln_kernel_file){kmln_pool_strdup(reader->pool, path), st->mode, st->size,
		st->mtime, st->mtime_ns, NULL};
	if (S_ISREG(st->mode))
		k->bytes += st->size;
}

static int read_head(
	struct reader *reader, const char *path, struct head *head, struct kmln_error *err)
{
	head->size = 0;
	return kmln_tree_read(reader->tree, path, keep_head, head, err);
}

/*
 * An image in /boot. `suffix` is what stands behind "vmlinuz-" in its name, and its release unless
 * its header says otherwise ("vmlinuz-linux"); NULL for a file of any name, which then counts only
 * where its header says a release.
 */
static int read_image(
	struct reader *reader, const char *path, const char *suffix, struct kmln_error *err)
{
	struct kmln_kernel *k;
	const char *release;
	struct kmln_stat st;
	struct head head;
	int r = kmln_tree_stat(reader->tree, path, &st, err);

	if (r < 0 || !S_ISREG(st.mode))
		return r;
	r = read_head(reader, path, &head, err);
	if (r < 0)
		return r;
	release = image_release(&head, reader->pool);
	release = release ? release : suffix;
	k = release ? kernel_of(reader, release) : NULL;
	if (!k || k->image)
		return 0;
	k->image = kmln_pool_strdup(reader->pool, path);
	k->suffix = kmln_pool_strdup(reader->pool, suffix ? suffix : release);
	k->arch = image_arch(&head);
	return 0;
}

/* The sum of an initramfs of ours; NULL for any other, which is not read to its end. */
static int sum_of_ours(struct reader *reader, const char *path, uint64_t size, const char **sum,
	struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf bytes = {0};
	char text[KMLN_MD5_TEXT];
	struct head head;
	int r = size <= OUR_INITRAMFS_MAX ? read_head(reader, path, &head, err) : -EFBIG;

	*sum = NULL;
	if (r == -EFBIG || (r == 0 && !kmln_initramfs_is_ours((char *)head.bytes, head.size)))
		return 0;
	if (r == 0)
		r = kmln_tree_load(reader->tree, path, OUR_INITRAMFS_MAX, &bytes, err);
	if (r < 0)
		return r;
	kmln_md5(bytes.data, bytes.size, text);
	*sum = kmln_pool_strdup(reader->pool, text);
	return 0;
}

/* The kernel whose files in /boot have this behind their names. */
static struct kmln_kernel *kernel_by_suffix(struct reader *reader, const char *suffix)
{
	for (size_t i = 0; i < reader->count; i++)
		if (kmln_eq(reader->kernels[i].suffix, suffix))
			return &reader->kernels[i];
	return kernel_of(reader, suffix);
}

static int read_initramfs(struct reader *reader, const char *folder, const char *name,
	const char *release, struct kmln_error *err)
{
	struct kmln_kernel *k = kernel_by_suffix(reader, release);
	const char *path = kmln_pool_printf(reader->pool, "%s/%s", folder, name), *sum;
	struct kmln_stat st;
	int r;

	if (!k || k->initramfs_ours)
		return 0;
	r = kmln_tree_stat(reader->tree, path, &st, err);
	if (r < 0 || !S_ISREG(st.mode))
		return r;
	r = sum_of_ours(reader, path, st.size, &sum, err);
	if (r < 0 || (k->initramfs && !sum))
		return r;
	k->initramfs = path;
	k->initramfs_size = st.size;
	k->initramfs_ours = sum != NULL;
	k->initramfs_sum = sum;
	return 0;
}

/* The text behind the first of the prefixes (NULL-ended) that the name begins with; or NULL. */
static const char *behind(const char *name, const char *const *prefixes)
{
	for (; *prefixes; prefixes++)
		if (kmln_starts(name, *prefixes))
			return name + strlen(*prefixes);
	return NULL;
}

/*
 * "vmlinuz-" and "initrd.img-" carry the release behind them; Fedora's initramfs has ".img" as
 * well. Ours has a name of its own where a distribution's has the usual one. Any other file may be
 * a kernel somebody built: those that a boot loader's configuration can name are looked into.
 */
static int read_boot(struct reader *reader, const char *folder, struct kmln_error *err)
{
	static const char *const images[] = {"vmlinuz-", "vmlinux-", "bzImage-", NULL};
	static const char *const ramfs[] = {
		"initrd.img-", "initramfs-", "initrd-", "kmln-initrd.img-", NULL};
	static const char *const others[] = {"config-", "System.map-", NULL};
	KMLN_STRV struct kmln_strv names = {0};
	int r = kmln_tree_names(reader->tree, folder, &names, err);

	for (size_t i = 0, odd = 0; r == 0 && i < names.count; i++) {
		const char *suffix = behind(names.items[i], images);
		KMLN_FREE char *path = kmln_printf("%s/%s", folder, names.items[i]);

		if (behind(names.items[i], ramfs) || behind(names.items[i], others) ||
			!kmln_release_valid(names.items[i]))
			continue;
		suffix = suffix && kmln_release_valid(suffix) ? suffix : NULL;
		if (suffix || odd++ < ODD_MAX)
			r = read_image(reader, path, suffix, err);
	}
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		const char *suffix = behind(names.items[i], ramfs);
		KMLN_FREE char *release = suffix ? kmln_strdup(suffix) : NULL;

		if (!release)
			continue;
		if (kmln_ends(release, ".img"))
			release[strlen(release) - 4] = '\0';
		if (kmln_release_valid(release))
			r = read_initramfs(reader, folder, names.items[i], release, err);
	}
	return r;
}

static int read_modules(struct reader *reader, struct kmln_kernel *k, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *scratch = kmln_pool_new();
	struct kmln_modules *modules;
	const char **drivers;
	size_t count = 0;
	struct kmln_stat st;
	int r = kmln_tree_stat(
		reader->tree, kmln_pool_printf(scratch, "%s/modules.dep", k->modules), &st, err);

	if (r < 0)
		return is_missing(r) ? 0 : r;
	k->indexed = true;
	r = kmln_modules_read(reader->tree, k->modules, scratch, &modules, err);
	if (r < 0)
		return r;
	drivers = kmln_pool_array(reader->pool, KMLN_COUNT(asked_drivers), sizeof(char *));
	for (const char *const *d = asked_drivers; *d; d++)
		if (kmln_modules_find(modules, *d) != KMLN_DRIVER_ABSENT)
			drivers[count++] = *d;
	k->drivers = drivers;
	k->compression = kmln_modules_compression(modules);
	k->uml = kmln_modules_find(modules, "virtio_uml") != KMLN_DRIVER_ABSENT;
	return 0;
}

/* Adds everything below a folder. Depth and number are bounded: the tree is not trusted. */
static int walk(struct reader *reader, struct kmln_kernel *k, const char *folder, int depth,
	struct kmln_error *err)
{
	/* held, so that its names are looked up in it; it is sorted */
	KMLN_LISTING struct kmln_listing *names = NULL;
	int r = kmln_tree_listing(reader->tree, folder, &names, err);

	if (depth > DEPTH_MAX)
		return kmln_fail(err, KMLN_EINVALID, "%s: folders too deep", folder);
	for (size_t i = 0; r == 0 && i < names->count; i++) {
		KMLN_FREE char *path = kmln_printf("%s/%s", folder, kmln_listing_name(names, i));
		struct kmln_stat st;

		if (k->file_count >= FILES_MAX)
			return kmln_fail(err, KMLN_EINVALID, "%s: too many files", folder);
		r = kmln_tree_stat(reader->tree, path, &st, err);
		if (r < 0)
			return r;
		if (depth == 0 && S_ISLNK(st.mode))
			continue; /* build and source: they lead out of the kernel's own files */
		add_file(reader, k, path, &st);
		if (S_ISLNK(st.mode)) {
			KMLN_BUF struct kmln_buf target = {0};

			r = kmln_tree_readlink(reader->tree, path, &target, err);
			k->files[k->file_count - 1].target =
				kmln_pool_strdup(reader->pool, target.data ? target.data : "");
		} else if (S_ISDIR(st.mode)) {
			r = walk(reader, k, path, depth + 1, err);
		}
	}
	return r;
}

static int list_files(
	struct reader *reader, struct kmln_kernel *k, const char *boot, struct kmln_error *err)
{
	static const char *const beside[] = {"config-", "System.map-"};
	struct kmln_stat st;
	int r = 0;

	if (k->image) {
		r = kmln_tree_stat(reader->tree, k->image, &st, err);
		if (r < 0)
			return r;
		add_file(reader, k, k->image, &st);
		for (size_t i = 0; i < KMLN_COUNT(beside); i++) {
			KMLN_FREE char *path = kmln_printf("%s/%s%s", boot, beside[i], k->suffix);
			struct kmln_error missing;

			if (kmln_tree_stat(reader->tree, path, &st, &missing) == 0 &&
				S_ISREG(st.mode))
				add_file(reader, k, path, &st);
		}
	}
	if (k->modules) {
		r = kmln_tree_stat(reader->tree, k->modules, &st, err);
		if (r < 0)
			return r;
		add_file(reader, k, k->modules, &st);
		r = walk(reader, k, k->modules, 0, err);
	}
	return r;
}

static int newest_first(const void *a, const void *b)
{
	return kmln_release_compare(
		((const struct kmln_kernel *)b)->release, ((const struct kmln_kernel *)a)->release);
}

static int find_modules(struct reader *reader, struct kmln_buf *folder, struct kmln_error *err)
{
	KMLN_STRV struct kmln_strv names = {0};
	struct kmln_stat st;
	int r = kmln_tree_resolve(reader->tree, "/lib/modules", folder, err);

	if (r == 0)
		r = kmln_tree_names(reader->tree, folder->data, &names, err);
	if (r < 0)
		return is_missing(r) ? 0 : r;
	for (size_t i = 0; i < names.count; i++) {
		KMLN_FREE char *path = kmln_printf("%s/%s", folder->data, names.items[i]);
		struct kmln_kernel *k;

		if (!kmln_release_valid(names.items[i]))
			continue;
		r = kmln_tree_stat(reader->tree, path, &st, err);
		if (r < 0)
			return r;
		k = S_ISDIR(st.mode) ? kernel_of(reader, names.items[i]) : NULL;
		if (k)
			k->modules = kmln_pool_strdup(reader->pool, path);
	}
	return 0;
}

/* A foreign initramfs alone is no kernel; one of ours is what a kernel has left. */
static void keep_wanted(struct reader *reader, const char *release)
{
	size_t kept = 0;

	for (size_t i = 0; i < reader->count; i++) {
		const struct kmln_kernel *k = &reader->kernels[i];

		if ((k->image || k->modules || k->initramfs_ours) &&
			(!release || kmln_eq(k->release, release)))
			reader->kernels[kept++] = *k;
	}
	reader->count = kept;
}

int kmln_kernels_read(struct kmln_tree *tree, const char *release, bool with_files,
	struct kmln_pool *pool, struct kmln_kernel **kernels, size_t *count, struct kmln_error *err)
{
	struct reader reader = {.tree = tree, .pool = pool};
	KMLN_BUF struct kmln_buf boot = {0}, modules = {0};
	int r = kmln_tree_resolve(tree, "/boot", &boot, err);

	if (r == 0)
		r = read_boot(&reader, boot.data, err);
	if (r < 0 && !is_missing(r))
		return r;
	r = find_modules(&reader, &modules, err);
	if (r < 0)
		return r;
	keep_wanted(&reader, release);
	for (size_t i = 0; i < reader.count; i++) {
		struct kmln_kernel *k = &reader.kernels[i];

		r = k->modules ? read_modules(&reader, k, err) : 0;
		if (r == 0 && with_files)
			r = list_files(&reader, k, boot.data ? boot.data : "/boot", err);
		if (r < 0)
			return r;
	}
	if (reader.count)
		qsort(reader.kernels, reader.count, sizeof(*reader.kernels), newest_first);
	*kernels = reader.kernels;
	*count = reader.count;
	return 0;
}
