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
#include "boot/kernel.h"

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
	const char *link; /* where the path itself is a symbolic link: its target; else NULL */
	int64_t link_mtime; /* of that link itself */
	uint32_t link_mtime_ns;
	uint32_t uid, gid;
	int64_t mtime;
	uint32_t mtime_ns;
	const char *sum; /* SHA-256 of a regular file's content that is not in `data`, where
			    kmln_inspect_sums() was asked for it; else NULL */
};
#define KMLN_KNOWN_MAX (1u << 20)

/* What is in the folder that new homes are made from. */
struct kmln_skeleton {
	const char *path; /* below it: ".bashrc" */
	uint32_t mode; /* a folder, a regular file or a link */
	const char *data; /* a file's content, or a link's target */
	size_t size;
};
#define KMLN_SKELETON_FOLDER "/etc/skel"

/* A record that a conversion left in the guest; see guest/record.h. */
struct kmln_record_file {
	unsigned number; /* from 1; the conversions in their order */
	const char *path;
	uint64_t size;
};
/* Where a guest's own units and drop-ins of systemd stand, and the names that kmln gives to its. */
#define KMLN_UNITS_FOLDER "/etc/systemd/system"
#define KMLN_UNIT_DROP_IN "kmln-not-in-uml.conf"
#define KMLN_MODULES_UNIT "kmln-uml-modules.service"
/* Units that are of no use on a platform without hardware; NULL-ended. */
extern const char *const kmln_hardware_units[];
#define KMLN_RECORDS_MAX 64u
#define KMLN_RECORD_FOLDER "/var/lib/kmln"

struct kmln_package {
	const char *name, *version, *architecture;
	const char *status; /* dpkg's: "install ok installed"; NULL with the others */
	/* Of dpkg's, as it writes them; "" where there are none. */
	const char *provides, *conflicts, *breaks;
};

/* A text of paragraphs, to whose end a step may add one. */
struct kmln_text_end {
	const char *path, *real; /* as in struct kmln_known_file */
	bool there; /* a regular file */
	uint64_t size;
	uint32_t mode, uid, gid;
	int64_t mtime;
	uint32_t mtime_ns;
	unsigned newlines; /* at its end, at most 2; an empty file has 2 */
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

struct kmln_known_interface {
	const char *name; /* "eth0"; or what is matched instead of a name: "mac 52:54:..." */
	const char *system; /* "ifupdown", "systemd-networkd", "netplan", "NetworkManager" or
			       "ifcfg" */
	const char *file;
	const char *method; /* "dhcp", "static" ... */
	const char *address; /* or NULL */
};

/* An interface that is known by its hardware address. */
struct kmln_mac_name {
	const char *mac; /* lower case, with colons */
	const char *name; /* the name it gets or is expected to have; NULL: none is given */
	const char *file;
};

struct kmln_crypttab_line {
	const char *name, *device, *key, *options; /* the last two may be NULL */
	unsigned line; /* from 1 */
};

struct kmln_swap {
	const char *device; /* "UUID=...", "/swapfile", "partition 2" */
	const char *source; /* "/etc/fstab:3", "the partition table", "resume= in FILE" */
	bool resume; /* where the machine's state is kept while it is off */
};

/* What is started without being asked for. */
struct kmln_service {
	const char *name; /* "ssh.service", "networking" */
	const char *by; /* who wants it: "multi-user.target", "default"; NULL: nobody, masked */
	bool masked;
};

/* A boot loader, by its files. */
struct kmln_loader {
	const char *type; /* "grub", "grub-legacy", "extlinux", "syslinux", "lilo",
			     "systemd-boot" */
	const char *config;
};

/* What a boot loader starts, where a file of its own says so. */
struct kmln_boot_entry {
	const char *type; /* "bls" or "uki" */
	const char *file;
	const char *title, *version, *kernel, *initramfs, *options; /* each may be NULL */
};

/* What is in a partition besides plain filesystems. */
struct kmln_volume {
	unsigned partition; /* 0: the whole image */
	const char *type; /* "lvm", "luks", "md", "btrfs" */
	const char *name; /* volume group, label, array's name; or NULL */
	const char *uuid; /* of the group, the header, the array, the filesystem; or NULL */
	const char *version; /* LUKS "1", "2"; md "1.2"; else NULL */
	const char *level; /* md: "raid1", "linear" ...; else NULL */
	const char *const *members; /* logical volumes, or subvolumes; NULL-ended, or NULL */
	size_t member_count;
	const char *problem; /* why something of it is not known; or NULL */
};

/* The EFI system partition: the first partition of that type. */
struct kmln_esp {
	const struct kmln_partition *partition;
	const char *problem; /* why its files cannot be read, or NULL */
	bool has_loader; /* EFI/BOOT/BOOTX64.EFI is there: the disk starts by itself under UEFI */
	const char *loader_sum; /* of that file where kmln made it, else NULL */
};

enum kmln_init {
	KMLN_INIT_NONE,
	KMLN_INIT_SYSTEMD,
	KMLN_INIT_SYSVINIT,
	KMLN_INIT_BUSYBOX,
	KMLN_INIT_OPENRC,
	KMLN_INIT_SCRIPT,
	KMLN_INIT_OTHER,
	KMLN_INIT_UPSTART,
};

#define KMLN_FORMAT_FOLDER "folder"

struct kmln_facts {
	struct kmln_pool *pool; /* owned */

	const char *format; /* of the disk, or KMLN_FORMAT_FOLDER: then nothing is around the tree
			     */
	uint64_t size; /* of the disk as the guest sees it, bytes */
	uint64_t file_size, allocated; /* of the image's files on the host; see image/disk.h */
	const char *backing; /* the backing file's name, as the image has it; NULL: none */

	const char *table; /* "mbr", "gpt"; NULL: no partition table */
	const char *disk_id; /* "0x554d4c31" or a GUID */
	const char *boot; /* whose code is in the first sector: "grub", "unknown"; NULL: none */
	const char *head; /* the image's first bytes, up to the first partition: 1 MiB at most */
	size_t head_size;
	struct kmln_partition *partitions;
	size_t partition_count;
	struct kmln_filesystem *filesystems;
	size_t filesystem_count;
	struct kmln_volume *volumes; /* LVM, LUKS, md, Btrfs */
	size_t volume_count;
	const struct kmln_esp *esp; /* or NULL */
	/* A GPT's place for GRUB's core, or NULL; and its first bytes, 1 MiB at most. */
	const struct kmln_partition *bios_boot;
	const char *bios_boot_head;
	size_t bios_boot_head_size;

	/* Of the guest whose root was found; all empty where none was. */
	const struct kmln_filesystem *root;
	const char *root_problem; /* why root is NULL, for people */
	unsigned root_count; /* filesystems that look like one; the guest may be in any of them */
	const char *os_id, *os_version, *os_name, *os_codename, *os_like;
	const char *arch; /* "x86-64", "i386", "arm64" ... from an ELF header */
	const char *hostname;
	enum kmln_init init;
	const char *init_path; /* the program that is run first, links followed */
	bool has_udev;
	const char *package_manager; /* "dpkg", "rpm", "apk", "pacman"; NULL: none known */
	struct kmln_package *packages;
	size_t package_count;
	bool packages_cut; /* there are more than are listed */
	/* Of guests with dpkg only. */
	struct kmln_text_end *text_ends;
	size_t text_end_count;
	const char *const
		*kernel_hooks; /* names of programs that are run for a new kernel; NULL-ended */
	bool has_initramfs_tool; /* update-initramfs, dracut ...: the distribution makes its own */
	struct kmln_kernel *kernels; /* newest first */
	size_t kernel_count;
	/* the first BIOS boot loader, which a conversion may have to keep or replace */
	const char *loader, *loader_config;
	struct kmln_loader *loaders; /* all, that one first */
	size_t loader_count;
	struct kmln_boot_entry *boot_entries;
	size_t boot_entry_count;
	struct kmln_fstab_line *fstab;
	size_t fstab_count;
	struct kmln_login *logins;
	size_t login_count;
	struct kmln_known_interface *interfaces;
	size_t interface_count;
	struct kmln_mac_name *mac_names;
	size_t mac_name_count;
	struct kmln_crypttab_line *crypttab;
	size_t crypttab_count;
	struct kmln_swap *swaps;
	size_t swap_count;
	const char *service_manager; /* "systemd", "openrc", "upstart", "sysvinit"; or NULL */
	const char *default_target; /* "graphical.target"; a runlevel; or NULL */
	struct kmln_service *services;
	size_t service_count;
	bool has_securetty;
	const char **securetty; /* the terminals in it */
	size_t securetty_count;
	const char *machine_id; /* "set", "empty", "uninitialized", "missing" or "invalid" */
	const char *selinux, *selinux_policy; /* "enforcing", "targeted"; NULL: not configured */
	const char **container_marks; /* what only containers have, for people */
	size_t container_mark_count;
	const char **notes; /* what could not be read, or was left out, for people */
	size_t note_count;
	struct kmln_known_file *files;
	size_t file_count;
	struct kmln_skeleton *skeleton; /* where kmln_inspect_skeleton() was asked for it */
	size_t skeleton_count;
	struct kmln_record_file *records; /* of conversions, the last first */
	size_t record_count;
	const char *record_problem; /* why the records cannot be read or added to, or NULL */
};

/* What is known of `path`; never NULL for the paths in inspect.c's list. */
const struct kmln_known_file *kmln_facts_file(const struct kmln_facts *facts, const char *path);
/* The end of the text `path`; NULL where it is not known. */
const struct kmln_text_end *kmln_facts_text_end(const struct kmln_facts *facts, const char *path);
/* The package of this name that is known in any state, or NULL. */
const struct kmln_package *kmln_facts_package(const struct kmln_facts *facts, const char *name);
/* True for "install ok installed" and "hold ok installed". */
bool kmln_package_is_installed(const struct kmln_package *package);
const char *kmln_init_name(enum kmln_init init);

#endif
