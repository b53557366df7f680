// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Inspection: format, partition table, filesystems, then the root filesystem's own files. The order
 * is fixed, each part has its file, and none of them fails because a guest's file is odd: what is
 * not understood is not in the facts. Only damage to the image itself is an error.
 */
#include "image/inspect.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "image/entries.h"
#include "image/ext.h"
#include "image/inspect-parts.h"
#include "image/inspect-volumes.h"
#include "image/partitions.h"

#define HEAD_MAX (1u << 20)

/* What steps may want to change, or must know to change something below it. */
static const char *const known_files[] = {"/etc/fstab", "/etc/inittab", "/etc/securetty", "/boot",
	"/boot/grub", "/boot/grub/grub.cfg", "/lib", "/lib/modules", "/etc/hostname", "/etc/hosts",
	"/etc/shadow", "/root", "/root/.ssh", "/root/.ssh/authorized_keys",
	"/etc/network/interfaces", "/etc/kmln", "/etc/kmln/boot.conf", "/etc/kernel-img.conf",
	"/vmlinuz", "/vmlinuz.old", "/initrd.img", "/initrd.img.old", "/boot/vmlinuz",
	"/boot/vmlinuz.old", "/boot/initrd.img", "/boot/initrd.img.old", "/var/lib/dpkg/info",
	"/var/lib/dpkg/info/format", "/var/lib/dpkg/diversions", "/var/lib/dpkg/statoverride",
	"/var/lib/apt", "/var/lib/apt/extended_states", "/etc/modules", "/etc/rcS.d",
	"/etc/rcS.d/S01kmod", "/etc/crypttab", "/etc/initramfs-tools/modules", "/etc/modprobe.conf",
	"/etc/sysconfig/kernel", "/etc/initramfs-tools/conf.d/resume", "/etc/kernel/cmdline",
	"/etc/default/grub", "/sbin/insserv", "/var", "/var/lib", KMLN_RECORD_FOLDER,
	KMLN_UNITS_FOLDER, KMLN_UNITS_FOLDER "/sysinit.target.wants"};

/* Units of which a step may say where they do not start; their drop-ins, and one unit of ours. */
static void read_units(struct kmln_tree *tree, struct kmln_facts *facts)
{
	KMLN_STRV struct kmln_strv paths = {0};

	kmln_strv_adds(&paths, KMLN_UNITS_FOLDER "/" KMLN_MODULES_UNIT,
		KMLN_UNITS_FOLDER "/sysinit.target.wants/" KMLN_MODULES_UNIT, NULL);
	for (const char *const *unit = kmln_hardware_units; *unit; unit++) {
		kmln_strv_printf(&paths, KMLN_UNITS_FOLDER "/%s.d", *unit);
		kmln_strv_printf(&paths, KMLN_UNITS_FOLDER "/%s.d/" KMLN_UNIT_DROP_IN, *unit);
	}
	kmln_inspect_paths(tree, facts, &paths);
}

/* They look after hardware, or talk to a hypervisor, that User-Mode Linux does not have. */
const char *const kmln_hardware_units[] = {"qemu-guest-agent.service", "spice-vdagentd.service",
	"spice-vdagent.service", "acpid.service", "multipathd.service", "fwupd.service",
	"fwupd-refresh.timer", "irqbalance.service", "smartmontools.service", "smartd.service",
	"kdump-tools.service", "kdump.service", "thermald.service", "mcelog.service", NULL};

const char *kmln_init_name(enum kmln_init init)
{
	static const char *const names[] = {
		[KMLN_INIT_NONE] = "none",
		[KMLN_INIT_SYSTEMD] = "systemd",
		[KMLN_INIT_SYSVINIT] = "sysvinit",
		[KMLN_INIT_BUSYBOX] = "busybox",
		[KMLN_INIT_OPENRC] = "openrc",
		[KMLN_INIT_SCRIPT] = "script",
		[KMLN_INIT_OTHER] = "other",
		[KMLN_INIT_UPSTART] = "upstart",
	};

	return names[init];
}

const struct kmln_known_file *kmln_facts_file(const struct kmln_facts *facts, const char *path)
{
	for (size_t i = 0; i < facts->file_count; i++)
		if (kmln_eq(facts->files[i].path, path))
			return &facts->files[i];
	abort(); /* a path that inspect does not know: a mistake of ours */
}

struct kmln_facts *kmln_facts_free(struct kmln_facts *facts)
{
	if (facts) {
		struct kmln_pool *pool = facts->pool;

		kmln_pool_free(pool);
	}
	return NULL;
}

void kmln_facts_cleanup(struct kmln_facts **facts)
{
	*facts = kmln_facts_free(*facts);
}

const char *kmln_inspect_text(struct kmln_tree *tree, struct kmln_facts *facts, const char *path)
{
	KMLN_BUF struct kmln_buf text = {0};
	struct kmln_error ignored;

	if (kmln_tree_load(tree, path, KMLN_KNOWN_MAX, &text, &ignored) < 0)
		return NULL;
	return kmln_pool_memdup(facts->pool, text.data, text.size);
}

bool kmln_next_line(char **text, char **line)
{
	if (!*text || !**text)
		return false;
	*line = strsep(text, "\n");
	return true;
}

/* Where the path itself is a link: its target. */
static void read_link(struct kmln_tree *tree, struct kmln_pool *pool, struct kmln_known_file *f)
{
	const char *path = f->path;
	const char *name = strrchr(path, '/');
	KMLN_FREE char *parent = kmln_strdup(path);
	KMLN_BUF struct kmln_buf real = {0}, target = {0};
	struct kmln_error ignored;
	struct kmln_stat st;

	parent[name == path ? 1 : name - path] = '\0';
	if (kmln_tree_resolve(tree, parent, &real, &ignored) < 0)
		return;
	kmln_buf_str(&real, real.size > 1 ? name : name + 1);
	if (kmln_tree_stat(tree, real.data, &st, &ignored) < 0 || !S_ISLNK(st.mode) ||
		kmln_tree_readlink(tree, real.data, &target, &ignored) < 0)
		return;
	f->link = kmln_pool_strdup(pool, target.data);
	f->link_mtime = st.mtime;
	f->link_mtime_ns = st.mtime_ns;
}

/* What is there now, without failing: a step that needs the file says what is wrong with it. */
static void read_known(struct kmln_tree *tree, struct kmln_facts *facts, const char *path)
{
	struct kmln_known_file *f =
		kmln_pool_append(facts->pool, &facts->files, &facts->file_count, sizeof(*f));
	KMLN_BUF struct kmln_buf real = {0}, data = {0};
	struct kmln_error err;
	struct kmln_stat st;

	f->path = path;
	read_link(tree, facts->pool, f);
	if (kmln_tree_resolve(tree, path, &real, &err) < 0) {
		f->problem = kmln_pool_strdup(facts->pool, err.text);
		return;
	}
	f->real = kmln_pool_strdup(facts->pool, real.data);
	if (kmln_tree_stat(tree, real.data, &st, &err) < 0)
		return;
	f->mode = st.mode;
	f->size = st.size;
	f->uid = st.uid;
	f->gid = st.gid;
	f->mtime = st.mtime;
	f->mtime_ns = st.mtime_ns;
	if (!S_ISREG(st.mode) || st.size > KMLN_KNOWN_MAX)
		return;
	if (kmln_tree_load(tree, real.data, KMLN_KNOWN_MAX, &data, &err) < 0)
		f->problem = kmln_pool_strdup(facts->pool, err.text);
	else if (memchr(data.data, 0, data.size))
		f->problem = "it is no text: a NUL byte is in it";
	else
		f->data = kmln_pool_memdup(facts->pool, data.data, data.size);
}

void kmln_inspect_paths(
	struct kmln_tree *tree, struct kmln_facts *facts, const struct kmln_strv *paths)
{
	for (size_t i = 0; i < paths->count; i++) {
		size_t k = 0;

		while (k < facts->file_count && !kmln_eq(facts->files[k].path, paths->items[i]))
			k++;
		if (k == facts->file_count)
			read_known(tree, facts, kmln_pool_strdup(facts->pool, paths->items[i]));
	}
}

/* The bytes in front of the first partition, and whose boot code they are. */
static int read_head(const struct kmln_disk *disk, struct kmln_facts *facts, struct kmln_error *err)
{
	uint64_t size = disk->size < HEAD_MAX ? disk->size : HEAD_MAX;
	char *head;
	int r;

	if (!facts->table)
		return 0;
	for (size_t i = 0; i < facts->partition_count; i++)
		if (facts->partitions[i].range.offset < size)
			size = facts->partitions[i].range.offset;
	if (size < 512)
		return kmln_fail(err, KMLN_EINVALID, "a partition begins in the first sector");
	head = kmln_pool_alloc(facts->pool, (size_t)size);
	r = kmln_device_read(disk->device, head, (size_t)size, 0, err);
	if (r < 0)
		return r;
	facts->head = head;
	facts->head_size = (size_t)size;
	if (memmem(head, 440, "GRUB", 4))
		facts->boot = "grub";
	else if (memmem(head, 440, "LILO", 4))
		facts->boot = "lilo";
	else if (memmem(head, 440, "SYSLINUX", 8) || memmem(head, 440, "EXTLINUX", 8))
		facts->boot = "syslinux";
	else
		for (size_t i = 0; i < 440 && !facts->boot; i++)
			if (head[i])
				facts->boot = "unknown";
	return 0;
}

/* 1 where the path is there, 0 where not, negative where the filesystem is damaged. */
static int is_there(struct kmln_tree *tree, const char *path, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf real = {0};
	struct kmln_stat st;
	int r = kmln_tree_resolve(tree, path, &real, err);

	if (r == 0)
		r = kmln_tree_stat(tree, real.data, &st, err);
	if (r == 0)
		return 1;
	return r == -ENOENT || r == -ENOTDIR || r == -ELOOP ? 0 : r;
}

/* A root filesystem has /etc, and programs or an init. 1, 0 or negative, as above. */
static int looks_like_root(struct kmln_tree *tree, struct kmln_error *err)
{
	static const char *const signs[] = {
		"/sbin/init", "/bin/sh", "/usr/bin", "/init", "/etc/fstab"};
	int r = is_there(tree, "/etc", err), found = 0;

	for (size_t i = 0; r > 0 && !found && i < KMLN_COUNT(signs); i++) {
		found = is_there(tree, signs[i], err);
		if (found < 0)
			return found;
	}
	return r < 0 ? r : found;
}

static const char *name_of(const struct kmln_filesystem *fs, struct kmln_pool *pool)
{
	return fs->partition ? kmln_pool_printf(pool, "partition %u (%s)", fs->partition, fs->type)
			     : kmln_pool_printf(pool, "the image as a whole (%s)", fs->type);
}

static const char *explain_no_root(const struct kmln_facts *facts)
{
	KMLN_BUF struct kmln_buf text = {0};

	for (size_t i = 0; i < facts->filesystem_count; i++) {
		const struct kmln_filesystem *fs = &facts->filesystems[i];
		const char *why = kmln_eq(fs->type, "crypto_LUKS")   ? "encrypted with LUKS"
				  : kmln_eq(fs->type, "LVM2_member") ? "part of an LVM volume group"
				  : kmln_eq(fs->type, "linux_raid_member") ? "part of a RAID"
				  : fs->problem				   ? fs->problem
				  : fs->is_ext ? "without /etc and programs"
					       : "not a filesystem that kmln can read";

		kmln_buf_printf(
			&text, "%s%s is %s", text.size ? "; " : "", name_of(fs, facts->pool), why);
	}
	return kmln_pool_strdup(
		facts->pool, text.size ? text.data : "no filesystem was found in any partition");
}

static int inspect_guest(
	struct kmln_tree *tree, struct kmln_facts *facts, bool with_kernels, struct kmln_error *err)
{
	int r = 0;

	for (size_t i = 0; i < KMLN_COUNT(known_files); i++)
		read_known(tree, facts, known_files[i]);
	read_units(tree, facts);
	if (with_kernels)
		r = kmln_kernels_inspect(
			tree, NULL, true, facts->pool, &facts->kernels, &facts->kernel_count, err);
	if (r == 0)
		r = kmln_inspect_os(tree, facts, err);
	if (r == 0)
		r = kmln_inspect_init(tree, facts, err);
	if (r == 0)
		r = kmln_inspect_packages(tree, facts, err);
	if (r == 0)
		kmln_inspect_dpkg(tree, facts);
	if (r == 0)
		r = kmln_inspect_settings(tree, facts, err);
	if (r == 0)
		kmln_inspect_records(tree, facts);
	return r;
}

int kmln_inspect_guest(struct kmln_tree *tree, struct kmln_facts *facts, struct kmln_error *err)
{
	return inspect_guest(tree, facts, true, err);
}

/* Two systems on one disk: nobody but its owner knows which is meant. */
static const char *explain_two_roots(const struct kmln_filesystem *first,
	const struct kmln_filesystem *second, struct kmln_pool *pool)
{
	return kmln_pool_printf(pool,
		"%s and %s both hold one: say which by its number (--root %u or --root %u)",
		name_of(first, pool), name_of(second, pool), first->partition, second->partition);
}

static const char *explain_no_such_root(const struct kmln_facts *facts, unsigned number)
{
	return kmln_pool_printf(facts->pool, "none in partition %u, which was asked for: %s",
		number, explain_no_root(facts));
}

/* Keeps the tree of the first one that looks like a root, and counts the others. */
static int try_root(const struct kmln_disk *disk, struct kmln_facts *facts,
	struct kmln_filesystem *fs, struct kmln_tree **root, struct kmln_error *err)
{
	KMLN_TREE struct kmln_tree *tree = NULL;
	struct kmln_error damage;
	int r = kmln_tree_ext(disk->device, &fs->range, false, &tree, err);

	if (r < 0)
		return r;
	r = looks_like_root(tree, &damage);
	if (r < 0)
		fs->problem = kmln_pool_printf(facts->pool, "damaged: %s", damage.text);
	if (r <= 0)
		return 0;
	if (facts->root_count++) {
		facts->root_problem = explain_two_roots(facts->root, fs, facts->pool);
		return 0;
	}
	facts->root = fs;
	*root = tree;
	tree = NULL;
	return 0;
}

int kmln_inspect_find_root(const struct kmln_disk *disk, struct kmln_facts *facts,
	struct kmln_tree **root, struct kmln_error *err)
{
	for (size_t i = 0; i < facts->filesystem_count; i++) {
		struct kmln_filesystem *fs = &facts->filesystems[i];
		int r;

		if (!fs->is_ext || (disk->root && fs->partition != disk->root))
			continue;
		r = try_root(disk, facts, fs, root, err);
		if (r < 0)
			return r;
	}
	if (facts->root_count > 1) {
		facts->root = NULL;
		kmln_tree_cleanup(root);
	} else if (!facts->root) {
		facts->root_problem = disk->root ? explain_no_such_root(facts, disk->root)
						 : explain_no_root(facts);
	}
	return 0;
}

static int check_format(const struct kmln_disk *disk, struct kmln_error *err)
{
	if (kmln_disk_readable(disk))
		return 0;
	if (kmln_starts(disk->format, "compressed"))
		return kmln_fail(err, KMLN_EINVALID, "%s: unpack it first", disk->format);
	return kmln_fail(
		err, KMLN_EINVALID, "a UML copy-on-write file; merge it first: uml_moo FILE NEW");
}

static struct kmln_facts *new_facts(const char *format)
{
	struct kmln_pool *pool = kmln_pool_new();
	struct kmln_facts *facts = kmln_pool_alloc(pool, sizeof(*facts));

	facts->pool = pool;
	facts->format = format;
	return facts;
}

int kmln_inspect_disk(
	const struct kmln_disk *disk, struct kmln_facts **facts, struct kmln_error *err)
{
	KMLN_FACTS struct kmln_facts *f = NULL;
	int r = check_format(disk, err);

	if (r < 0)
		return r;
	f = new_facts(disk->format);
	f->size = disk->size;
	f->file_size = disk->file_size;
	f->backing = kmln_pool_strdup(f->pool, disk->backing);
	f->allocated = disk->allocated;
	r = kmln_partitions_read(disk, f, err);
	if (r == 0)
		r = kmln_filesystems_read(disk, f, err);
	if (r == 0)
		kmln_inspect_volumes(disk->device, f);
	if (r == 0)
		r = read_head(disk, f, err);
	if (r == 0)
		r = kmln_inspect_firmware(disk, f, err);
	if (r == 0 && !f->table && !f->filesystem_count)
		r = kmln_fail(err, KMLN_EINVALID,
			"not an image of a machine: neither a partition table nor a filesystem is in it");
	if (r < 0)
		return r;
	*facts = f;
	f = NULL;
	return 0;
}

int kmln_inspect_folder(struct kmln_tree *tree, struct kmln_facts **facts, struct kmln_error *err)
{
	KMLN_FACTS struct kmln_facts *f = new_facts(KMLN_FORMAT_FOLDER);
	int r = looks_like_root(tree, err);
	struct kmln_filesystem *root;

	if (r > 0) {
		root = kmln_pool_alloc(f->pool, sizeof(*root));
		root->type = KMLN_FORMAT_FOLDER;
		root->mount = "/";
		f->root = root;
	} else {
		f->root_problem = "the folder is without /etc and programs";
	}
	if (r < 0)
		return r;
	*facts = f;
	f = NULL;
	return 0;
}

static int inspect_to_start(
	struct kmln_tree *tree, struct kmln_facts *facts, struct kmln_error *err)
{
	const char *fstab = kmln_inspect_text(tree, facts, "/etc/fstab");

	if (fstab)
		kmln_parse_fstab(facts, "/etc/fstab", fstab);
	return kmln_inspect_packages(tree, facts, err);
}

static int inspect_without_kernels(
	struct kmln_tree *tree, struct kmln_facts *facts, struct kmln_error *err)
{
	return inspect_guest(tree, facts, false, err);
}

typedef int (*guest_fn)(struct kmln_tree *tree, struct kmln_facts *facts, struct kmln_error *err);

static int inspect(const struct kmln_disk *disk, guest_fn guest, struct kmln_facts **facts,
	struct kmln_error *err)
{
	KMLN_FACTS struct kmln_facts *f = NULL;
	KMLN_TREE struct kmln_tree *tree = NULL;
	int r = kmln_inspect_disk(disk, &f, err);

	if (r == 0)
		r = kmln_inspect_find_root(disk, f, &tree, err);
	if (r == 0 && tree)
		r = guest(tree, f, err);
	/* what the host could not read looked like damage, or like nothing at all */
	if (r == 0)
		r = kmln_disk_check(disk, err);
	if (r < 0)
		return r;
	*facts = f;
	f = NULL;
	return 0;
}

int kmln_inspect(const struct kmln_disk *disk, struct kmln_facts **facts, struct kmln_error *err)
{
	return inspect(disk, kmln_inspect_guest, facts, err);
}

int kmln_inspect_to_start(
	const struct kmln_disk *disk, struct kmln_facts **facts, struct kmln_error *err)
{
	return inspect(disk, inspect_to_start, facts, err);
}

int kmln_inspect_without_kernels(
	const struct kmln_disk *disk, struct kmln_facts **facts, struct kmln_error *err)
{
	return inspect(disk, inspect_without_kernels, facts, err);
}
