// SPDX-License-Identifier: GPL-2.0-or-later
/* Further disks of hosts; see further.h. */
#include "cluster/further.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "image/inspect.h"

/* Letters of disks: the root is `a`. */
#define DISKS_MAX 20

/* Who has a disk. */
struct use {
	const char *host;
	bool read_only;
};

static const char *cell(const struct kmln_row *row, unsigned column)
{
	return column < row->count ? row->cells[column].text : NULL;
}

static bool has_option(const char *options, const char *wanted)
{
	const size_t n = strlen(wanted);

	for (const char *at = options; at;) {
		if (strncmp(at, wanted, n) == 0 && (at[n] == ',' || !at[n]))
			return true;
		at = strchr(at, ',');
		if (at)
			at++;
	}
	return false;
}

/* The filesystem in it, if there is just one, and what the guest may call it by. */
static int look_inside(struct kmln_further *disk, struct kmln_pool *pool, struct kmln_error *err)
{
	KMLN_DISK struct kmln_disk opened = {.fd = -1};
	KMLN_FACTS struct kmln_facts *facts = NULL;
	const struct kmln_filesystem *fs;
	struct kmln_error nothing;
	int r = kmln_disk_open(disk->path, KMLN_DISK_SHARED, &opened, err);

	if (r < 0)
		return r;
	if (!kmln_eq(opened.format, "raw"))
		return kmln_fail(err, KMLN_EINVALID,
			"%s: a disk to be mounted is a raw image, and this is %s", disk->path,
			opened.format);
	if (kmln_inspect_disk(&opened, &facts, &nothing) < 0 || !facts->filesystem_count)
		return kmln_fail(
			err, KMLN_EINVALID, "%s: there is no filesystem in it", disk->path);
	if (facts->filesystem_count != 1)
		return kmln_fail(err, KMLN_EINVALID,
			"%s: %zu partitions have a filesystem, and a mount means one", disk->path,
			facts->filesystem_count);
	fs = &facts->filesystems[0];
	disk->partition = fs->partition;
	/* one of zeros is none */
	if (fs->uuid && fs->uuid[strspn(fs->uuid, "0-")])
		disk->name = kmln_pool_printf(pool, "UUID=%s", fs->uuid);
	else if (fs->label && *fs->label)
		disk->name = kmln_pool_printf(pool, "LABEL=%s", fs->label);
	return 0;
}

static int look_at(struct kmln_cluster *cluster, struct kmln_further *disk, const char *source,
	const char *folder, struct kmln_error *err)
{
	const char *path = kmln_pool_printf(
		cluster->pool, "%s%s", source[0] == '/' || !folder ? "" : folder, source);
	char real[PATH_MAX];
	struct stat st;

	if (!realpath(path, real) || stat(real, &st) < 0)
		return kmln_fail(err, KMLN_EINVALID, "there is no %s", path);
	if (!S_ISREG(st.st_mode))
		return kmln_fail(err, KMLN_EINVALID, "%s: it is no regular file", path);
	disk->path = kmln_pool_strdup(cluster->pool, real);
	return look_inside(disk, cluster->pool, err);
}

/* A filesystem that two machines write to is lost. */
static int use_it(struct kmln_cluster *cluster, const struct kmln_further *disk, const char *host,
	struct kmln_names *used, struct kmln_error *err)
{
	struct use *use = kmln_pool_alloc(cluster->pool, sizeof(*use));
	const struct use *other;

	*use = (struct use){host, disk->read_only};
	other = kmln_names_add(used, disk->path, strlen(disk->path), use);
	if (!other || (other->read_only && disk->read_only))
		return 0;
	return kmln_fail(err, KMLN_EINVALID,
		"%s is a disk of %s already: several can have it only if all mount it with the option "
		"ro",
		disk->path, other->host);
}

int kmln_further_look(struct kmln_cluster *cluster, struct kmln_placed *placed, const char *folder,
	struct kmln_names *used, struct kmln_error *err)
{
	const struct kmln_rows *rows = &placed->host->mounts;
	struct kmln_further *disks;

	if (!rows->count)
		return 0;
	disks = kmln_pool_array(cluster->pool, rows->count, sizeof(*disks));
	for (size_t i = 0; i < rows->count; i++) {
		const struct kmln_row *row = &rows->items[i];
		struct kmln_further *disk = &disks[placed->disk_count];
		int r;

		if (kmln_mount_is_guests(row))
			continue;
		if (kmln_eq(cell(row, KMLN_MOUNT_TYPE), "hostfs"))
			return kmln_fail(err, KMLN_EUSAGE,
				"host %s, mount: hostfs would give the guest this host's own files; "
				"`files` copies some, and an image with them is a disk",
				placed->host->name.text);
		disk->row = i;
		disk->read_only = has_option(cell(row, KMLN_MOUNT_OPTIONS), "ro");
		r = look_at(cluster, disk, cell(row, KMLN_MOUNT_SOURCE), folder, err);
		if (r == 0)
			r = use_it(cluster, disk, placed->host->name.text, used, err);
		if (r == 0 && ++placed->disk_count > DISKS_MAX)
			r = kmln_fail(err, KMLN_EUSAGE, "more than %d disks", DISKS_MAX);
		if (r < 0)
			return kmln_wrap(err, "host %s, mount", placed->host->name.text);
	}
	placed->disks = disks;
	return 0;
}

/* By its place behind the root and what it swaps on. User-Mode Linux's own disks have a name that
 * is theirs. */
static const char *device_name(const struct kmln_placed *placed, size_t at, struct kmln_pool *pool)
{
	const struct kmln_further *disk = &placed->disks[at];
	const bool uml = kmln_eq(placed->platform->name, "uml");
	const char *name = kmln_pool_printf(pool, "/dev/%s%c", uml ? "ubd" : "vd",
		(char)('b' + at + (placed->host->swap.number != 0)));

	return disk->partition ? kmln_pool_printf(pool, "%s%u", name, disk->partition) : name;
}

void kmln_further_settings(
	const struct kmln_placed *placed, struct kmln_pool *pool, struct kmln_settings *settings)
{
	const struct kmln_rows *rows = &placed->host->mounts;
	struct kmln_set_mount *mounts = kmln_pool_array(pool, rows->count + 1, sizeof(*mounts));

	for (size_t i = 0; i < rows->count; i++) {
		const struct kmln_row *row = &rows->items[i];

		mounts[i] = (struct kmln_set_mount){
			.device = cell(row, KMLN_MOUNT_SOURCE),
			.point = cell(row, KMLN_MOUNT_POINT),
			.type = cell(row, KMLN_MOUNT_TYPE),
			.options = cell(row, KMLN_MOUNT_OPTIONS),
		};
	}
	for (size_t i = 0; i < placed->disk_count; i++) {
		const struct kmln_further *disk = &placed->disks[i];

		mounts[disk->row].device = disk->name ? disk->name : device_name(placed, i, pool);
	}
	settings->mounts = mounts;
	settings->mount_count = rows->count;
}
