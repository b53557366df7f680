/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Facts: what kmln_inspect() learns of an image, as plain data. Steps plan from facts alone and
 * never read the image themselves; the second inspection after a conversion makes the same kind of
 * data, so planning again proves that the work is done.
 *
 * All pointers live in facts->pool. Text comes from a guest: any byte but NUL may be in it.
 */
#ifndef KMLN_IMAGE_FACTS_H
#define KMLN_IMAGE_FACTS_H

#include <stdint.h>

#include "image/disk.h"
#include "image/kernel.h"

/* An entry of the partition table. */
struct kmln_partition {
	unsigned number; /* from 1, as in /dev/vda1 */
	struct kmln_range range;
	const char *type; /* MBR: "83" (hexadecimal); GPT: the type's GUID */
	const char *type_name; /* for people: "Linux" */
	const char *uuid; /* PARTUUID */
	const char *name; /* GPT only, else NULL */
	bool active; /* MBR boot flag, or GPT legacy-boot attribute */
};

/* What was found in a partition, or in the image as a whole. */
struct kmln_filesystem {
	unsigned partition; /* 0: the whole image */
	struct kmln_range range;
	const char *type; /* "ext4", "xfs", "swap", "crypto_LUKS", "LVM2_member" ... */
	const char *uuid, *label;
	const char *mount; /* where the guest's fstab mounts it, or NULL */
	const char *problem; /* why its folders cannot be read, or NULL */
	/* The rest is known of ext2, ext3 and ext4 only. */
	bool is_ext;
	const char *state; /* "clean", "needs-recovery", "errors", "not-clean" */
	uint64_t bytes, free_bytes; /* the filesystem's own size may be less than its range */
	uint64_t free_inodes;
	const char *const *features; /* NULL-ended */
};

/* A file or folder that some step may want to change, as it is now. */
struct kmln_known_file {
	const char *path; /* as asked for: "/etc/fstab" */
	const char *real; /* with all links followed inside the guest; NULL: that leads nowhere */
	const char *problem; /* why real is NULL, or why data is */
	uint32_t mode; /* type and permissions of `real`; 0: nothing is there */
	uint64_t size;
	const char *data; /* a regular file's text; NULL: none, not text, or longer than
			     KMLN_KNOWN_MAX */
	uint32_t uid, gid;
	int64_t mtime;
	uint32_t mtime_ns;
};
#define KMLN_KNOWN_MAX (1u << 20)

/* A record that a conversion left in the guest; see guest/record.h. */
struct kmln_record_file {
	unsigned number; /* from 1; the conversions in their order */
	const char *path;
	uint64_t size;
};
#define KMLN_RECORDS_MAX 64u
#define KMLN_RECORD_FOLDER "/var/lib/kmln"

struct kmln_package {
	const char *name, *version, *architecture;
	const char *status; /* dpkg's: "install ok installed" */
};

struct kmln_fstab_line {
	const char *device, *mount, *type, *options;
	unsigned line; /* from 1 */
};

/* A place where someone can log in. */
struct kmln_login {
	const char *tty; /* "ttyS0" */
	const char *source; /* "/etc/inittab:51", a unit's path, or the rule that makes it */
};

struct kmln_interface {
	const char *name; /* "eth0" */
	const char *system; /* "ifupdown" or "systemd-networkd" */
	const char *file;
	const char *method; /* "dhcp", "static" ... */
	const char *address; /* or NULL */
};

enum kmln_init {
	KMLN_INIT_NONE,
	KMLN_INIT_SYSTEMD,
	KMLN_INIT_SYSVINIT,
	KMLN_INIT_BUSYBOX,
	KMLN_INIT_OPENRC,
	KMLN_INIT_SCRIPT,
	KMLN_INIT_OTHER,
};

struct kmln_facts {
	struct kmln_pool *pool; /* owned */

	const char *format;
	uint64_t size, allocated; /* bytes */

	const char *table; /* "mbr", "gpt"; NULL: no partition table */
	const char *disk_id; /* "0x554d4c31" or a GUID */
	const char *boot; /* whose code is in the first sector: "grub", "unknown"; NULL: none */
	const char *head; /* the image's first bytes, up to the first partition: 1 MiB at most */
	size_t head_size;
	struct kmln_partition *partitions;
	size_t partition_count;
	struct kmln_filesystem *filesystems;
	size_t filesystem_count;

	/* Of the guest whose root was found; all empty where none was. */
	const struct kmln_filesystem *root;
	const char *root_problem; /* why root is NULL, for people */
	const char *os_id, *os_version, *os_name, *os_codename, *os_like;
	const char *arch; /* "x86-64", "i386", "arm64" ... from an ELF header */
	const char *hostname;
	enum kmln_init init;
	const char *init_path; /* the program that is run first, links followed */
	bool has_udev;
	const char *package_manager; /* "dpkg" or NULL */
	struct kmln_package *packages;
	size_t package_count;
	struct kmln_kernel *kernels; /* newest first */
	size_t kernel_count;
	const char *loader, *loader_config;
	struct kmln_fstab_line *fstab;
	size_t fstab_count;
	struct kmln_login *logins;
	size_t login_count;
	struct kmln_interface *interfaces;
	size_t interface_count;
	struct kmln_known_file *files;
	size_t file_count;
	struct kmln_record_file *records; /* of conversions, the last first */
	size_t record_count;
	const char *record_problem; /* why the records cannot be read or added to, or NULL */
};

/* What is known of `path`; never NULL for the paths in inspect.c's list. */
const struct kmln_known_file *kmln_facts_file(const struct kmln_facts *facts, const char *path);
const char *kmln_init_name(enum kmln_init init);

#endif
