// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Block devices: what /sys/class/block lists, what their superblocks and partition tables say. Only
 * the few filesystems that a root can be on are known. Numbers are read byte by byte: disks are
 * little-endian (XFS and GUIDs partly big), whatever the machine is.
 */
#include "init.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYS_BLOCK "/sys/class/block"
#define PIECE 4096

static uint32_t le32(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void uuid_text(char text[37], const unsigned char *u)
{
	char *to = text;

	for (int i = 0; i < 16; i++)
		to += sprintf(to, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", u[i]);
}

static void label_text(struct disk *disk, const unsigned char *label, size_t room)
{
	snprintf(disk->label, sizeof(disk->label), "%.*s", (int)room, (const char *)label);
}

/* Which of the three: by the features that the older two do not know. */
static const char *ext_type(const unsigned char *super)
{
	uint32_t compat = le32(super + 0x5c), incompat = le32(super + 0x60);
	uint32_t ro_compat = le32(super + 0x64);

	if (incompat & 0x8)
		return NULL; /* the journal of another filesystem */
	if ((incompat & ~0x16u) || (ro_compat & ~0x7u))
		return "ext4";
	return compat & 0x4 ? "ext3" : "ext2";
}

static void probe_start(struct disk *disk, const unsigned char *data)
{
	const unsigned char *ext = data + 1024;

	if (memcmp(data, "XFSB", 4) == 0) {
		disk->type = "xfs";
		uuid_text(disk->uuid, data + 32);
		label_text(disk, data + 108, 12);
	} else if (ext[0x38] == 0x53 && ext[0x39] == 0xef && (disk->type = ext_type(ext))) {
		uuid_text(disk->uuid, ext + 0x68);
		label_text(disk, ext + 0x78, 16);
	}
}

static bool open_disk(const char *path, int *fd)
{
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return *fd >= 0;
}

static bool read_piece(int fd, unsigned char *data, off_t at)
{
	return pread(fd, data, PIECE, at) == PIECE;
}

/* Fills in type, uuid and label for disk->path. */
static void probe(struct disk *disk)
{
	unsigned char data[PIECE];
	int fd;

	disk->type = NULL;
	disk->uuid[0] = disk->label[0] = '\0';
	if (!open_disk(disk->path, &fd))
		return;
	if (read_piece(fd, data, 0))
		probe_start(disk, data);
	if (!disk->type && read_piece(fd, data, 65536) && memcmp(data + 64, "_BHRfS_M", 8) == 0) {
		disk->type = "btrfs";
		uuid_text(disk->uuid, data + 32);
		label_text(disk, data + 0x12b, 256);
	}
	close(fd);
}

static long sys_number(const char *name, const char *what)
{
	char path[INIT_PATH_MAX], text[64];

	snprintf(path, sizeof(path), SYS_BLOCK "/%s/%s", name, what);
	return read_text(path, text, sizeof(text)) > 0 ? strtol(text, NULL, 10) : -1;
}

/* "/dev/NAME"; sysfs writes '!' for a slash in a device's name. */
static void dev_path(char path[INIT_PATH_MAX], const char *name)
{
	snprintf(path, INIT_PATH_MAX, "/dev/%s", name);
	for (char *c = path; *c; c++)
		if (*c == '!')
			*c = '/';
}

/* The disk that the partition `name` is on: its folder in sysfs stands in the disk's folder. */
static bool parent_name(char parent[INIT_NAME_MAX], const char *name)
{
	char path[INIT_PATH_MAX], target[PIECE];
	char *slash, *start;
	ssize_t n;

	snprintf(path, sizeof(path), SYS_BLOCK "/%s", name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	slash = strrchr(target, '/');
	if (!slash)
		return false;
	*slash = '\0';
	start = strrchr(target, '/');
	snprintf(parent, INIT_NAME_MAX, "%s", start ? start + 1 : target);
	return true;
}

/* The unique id of entry `number` (from 1) of a GPT with sectors of `sector` bytes. */
static bool gpt_id(int fd, long sector, long number, char id[37])
{
	unsigned char data[PIECE], *entry, mixed[16];
	uint32_t entry_size;
	uint64_t at;

	if (!read_piece(fd, data, sector) || memcmp(data, "EFI PART", 8) != 0)
		return false;
	entry_size = le32(data + 84);
	if (number > (long)le32(data + 80) || entry_size < 128 || entry_size > PIECE)
		return false;
	at = ((uint64_t)le32(data + 76) << 32 | le32(data + 72)) * (uint64_t)sector +
	     (uint64_t)(number - 1) * entry_size;
	if (at > INT64_MAX - PIECE || pread(fd, data, 128, (off_t)at) != 128)
		return false;
	entry = data + 16;
	/* the first three fields of a GUID are little-endian */
	for (int i = 0; i < 16; i++)
		mixed[i] = entry[i < 4 ? 3 - i : i < 6 ? 9 - i : i < 8 ? 13 - i : i];
	uuid_text(id, mixed);
	return true;
}

/* The PARTUUID of the partition `name`; false where it has none. */
static bool partition_id(const char *name, char id[37])
{
	char parent[INIT_NAME_MAX], path[INIT_PATH_MAX];
	long number = sys_number(name, "partition");
	unsigned char data[PIECE];
	bool found = false;
	int fd;

	if (number < 1 || !parent_name(parent, name))
		return false;
	dev_path(path, parent);
	if (!open_disk(path, &fd))
		return false;
	found = gpt_id(fd, 512, number, id) || gpt_id(fd, 4096, number, id);
	if (!found && read_piece(fd, data, 0) && data[510] == 0x55 && data[511] == 0xaa) {
		snprintf(id, 37, "%08x-%02lx", le32(data + 0x1b8), (unsigned long)number & 0xffff);
		found = true;
	}
	close(fd);
	return found;
}

enum root_kind root_kind(const char **value)
{
	static const struct {
		const char *prefix;
		enum root_kind kind;
	} kinds[] = {
		{"UUID=", ROOT_UUID},
		{"LABEL=", ROOT_LABEL},
		{"PARTUUID=", ROOT_PARTUUID},
		{"/dev/disk/by-uuid/", ROOT_UUID},
		{"/dev/disk/by-label/", ROOT_LABEL},
		{"/dev/disk/by-partuuid/", ROOT_PARTUUID},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t length = strlen(kinds[i].prefix);

		if (strncmp(*value, kinds[i].prefix, length) == 0) {
			*value += length;
			return kinds[i].kind;
		}
	}
	return strncmp(*value, "/dev/", 5) == 0 ? ROOT_PATH : ROOT_OTHER;
}

static bool matches(enum root_kind kind, const char *value, const char *name, struct disk *disk)
{
	char id[37];

	dev_path(disk->path, name);
	if (kind == ROOT_PARTUUID)
		return partition_id(name, id) && strcasecmp(id, value) == 0;
	probe(disk);
	if (kind == ROOT_UUID)
		return *disk->uuid && strcasecmp(disk->uuid, value) == 0;
	return kind == ROOT_LABEL && *disk->label && strcmp(disk->label, value) == 0;
}

static int not_hidden(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* Calls fn for each block device that has a size, in the order of names, until fn says true. */
static bool each_disk(bool (*fn)(void *data, const char *name), void *data)
{
	struct dirent **names;
	int count = scandir(SYS_BLOCK, &names, not_hidden, versionsort);
	bool found = false;

	for (int i = 0; i < count; i++) {
		found = found ||
			(sys_number(names[i]->d_name, "size") > 0 && fn(data, names[i]->d_name));
		free(names[i]);
	}
	if (count >= 0)
		free(names);
	return found;
}

struct wanted {
	enum root_kind kind;
	const char *value;
	struct disk *disk;
};

static bool is_wanted(void *data, const char *name)
{
	const struct wanted *wanted = data;

	return matches(wanted->kind, wanted->value, name, wanted->disk);
}

bool disk_find(enum root_kind kind, const char *value, struct disk *disk)
{
	struct wanted wanted = {kind, value, disk};
	bool found = false;
	struct stat st;

	if (kind == ROOT_PATH) {
		snprintf(disk->path, sizeof(disk->path), "%s", value);
		found = stat(disk->path, &st) == 0 && S_ISBLK(st.st_mode);
	} else if (kind != ROOT_OTHER) {
		found = each_disk(is_wanted, &wanted);
	}
	if (found)
		probe(disk);
	else
		disk->path[0] = '\0';
	return found;
}

struct alias {
	const char *new_name, *old_name;
};

static void link_name(const char *new_name, const char *old_name)
{
	char path[INIT_PATH_MAX];

	snprintf(path, sizeof(path), "/dev/%s", new_name);
	/* what is there already, from the kernel or from the last round, stays */
	(void)!symlink(old_name, path);
}

static bool link_disk(void *data, const char *name)
{
	const struct alias *alias = data;
	const char *new_name = alias->new_name;
	char parent[INIT_NAME_MAX], linked[INIT_NAME_MAX];
	long number = sys_number(name, "partition");
	char last = new_name[strlen(new_name) - 1];

	if (strcmp(name, alias->old_name) == 0) {
		link_name(new_name, name);
	} else if (number > 0 && parent_name(parent, name) &&
		   strcmp(parent, alias->old_name) == 0) {
		/* as the kernel names partitions: "p" between two digits */
		snprintf(linked, sizeof(linked), "%.200s%s%ld", new_name,
			last >= '0' && last <= '9' ? "p" : "", number);
		link_name(linked, name);
	}
	return false;
}

void disk_alias(const char *new_name, const char *old_name)
{
	struct alias alias = {new_name, old_name};

	if (!*new_name || new_name[0] == '.' || strchr(new_name, '/') || strchr(old_name, '/'))
		return;
	each_disk(link_disk, &alias);
}

static bool report(void *data, const char *name)
{
	struct disk disk;
	char id[37];

	*(unsigned *)data += 1;
	dev_path(disk.path, name);
	probe(&disk);
	if (!partition_id(name, id))
		id[0] = '\0';
	say("there is %s: %s%s%s%s%s%s%s", disk.path, disk.type ? disk.type : "no known filesystem",
		*disk.uuid ? ", UUID " : "", disk.uuid, *disk.label ? ", LABEL " : "", disk.label,
		*id ? ", PARTUUID " : "", id);
	return false;
}

void disk_report(void)
{
	unsigned count = 0;

	each_disk(report, &count);
	if (!count)
		say("there is no block device");
}
