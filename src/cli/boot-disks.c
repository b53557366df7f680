// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The machine's disks: what QEMU is told of those that are not raw, which for User-Mode Linux one
 * daemon serves; and further ones (--disk), of which nothing is looked at but the format: what they
 * are for is the guest's business. Called by boot.c.
 */
#include "cli/boot.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/nodes.h"

/* User-Mode Linux has room for sixteen disks. */
#define DISKS_MAX 15

/* One file that is two disks of a machine would be damaged. */
static int check_once(const struct boot *boot, const struct boot_disk *disk, struct kmln_error *err)
{
	bool twice = kmln_eq(disk->path, boot->image);

	for (const struct boot_disk *d = boot->disks; d < disk; d++)
		twice = twice || kmln_eq(d->path, disk->path);
	return twice ? kmln_fail(err, KMLN_EUSAGE,
			       "--disk %s: it is a disk of this machine already", disk->path)
		     : 0;
}

/* The format by the file's first bytes; its content, which a daemon would have to read, is not
 * needed. */
static int open_disk(struct boot *boot, struct boot_disk *disk, struct kmln_error *err)
{
	struct stat st;
	int r = kmln_disk_open(
		disk->path, boot->opts->backing ? KMLN_DISK_BACKING : 0, &disk->disk, err);

	if (r < 0)
		return r;
	if (!kmln_disk_readable(&disk->disk))
		return kmln_fail(err, KMLN_EINVALID, "%s: %s: unpack or merge it first", disk->path,
			disk->disk.format);
	if (kmln_disk_busy(&disk->disk) > 0)
		return kmln_fail(
			err, EBUSY, "%s: in use by another machine or program", disk->path);
	if (fstat(disk->disk.fd, &st) < 0)
		return kmln_fail_sys(err, errno, "%s", disk->path);
	disk->device = S_ISBLK(st.st_mode);
	disk->raw = kmln_eq(disk->disk.format, "raw");
	if (!disk->raw && !disk->disk.layers)
		return kmln_fail(err, KMLN_EINVALID,
			"%s: a fixed VHD: what follows the disk in it must not be written over; "
			"copy it with qemu-img convert",
			disk->path);
	if (!boot->opts->snapshot && access(disk->path, W_OK) < 0)
		return kmln_fail_sys(
			err, errno, "%s: write (--snapshot only reads it)", disk->path);
	return 0;
}

int kmln_boot_disks_look(struct boot *boot, struct kmln_error *err)
{
	const struct kmln_strv *given = &boot->opts->disks;

	if (given->count > DISKS_MAX)
		return kmln_fail(err, KMLN_EUSAGE, "--disk: more than %d", DISKS_MAX);
	boot->disks = kmln_pool_array(boot->pool, given->count + 1, sizeof(*boot->disks));
	for (size_t i = 0; i < given->count; i++) {
		const char *path = given->items[i];
		struct boot_disk *disk = &boot->disks[i];
		KMLN_FREE char *real = realpath(path, NULL);
		int r;

		if (!real)
			return kmln_fail_sys(err, errno, "%s", path);
		disk->path = kmln_pool_strdup(boot->pool, real);
		disk->disk.fd = -1;
		boot->disk_count++;
		r = check_once(boot, disk, err);
		if (r == 0)
			r = open_disk(boot, disk, err);
		if (r < 0)
			return r;
		boot->served_count += !disk->raw;
	}
	return 0;
}

void kmln_boot_disks_close(struct boot *boot)
{
	for (size_t i = 0; i < boot->disk_count; i++)
		kmln_disk_close(&boot->disks[i].disk);
}

static int describe_further(struct boot *boot, struct kmln_error *err)
{
	for (size_t i = 0; i < boot->disk_count; i++) {
		struct boot_disk *disk = &boot->disks[i];
		const struct kmln_nodes nodes = {disk->disk.layers, &boot->sandbox, false};
		KMLN_FREE char *folder = NULL;
		KMLN_BUF struct kmln_buf json = {0};
		int r = 0;

		if (disk->raw)
			continue;
		if (!boot->scratch.path)
			r = kmln_private_open(&boot->scratch, err);
		folder = kmln_printf("%s/more%zu", r < 0 ? "" : boot->scratch.path, i + 1);
		if (r == 0)
			r = kmln_make_folders(folder, err);
		if (r == 0)
			r = kmln_nodes_disk(&nodes, !boot->opts->snapshot, folder, &json, err);
		if (r < 0)
			return kmln_wrap(err, "%s", disk->path);
		disk->nodes = kmln_pool_strdup(boot->pool, json.data);
	}
	return 0;
}

/* What QEMU is told of an image that is not raw. Its files were opened as the user's just now. */
int kmln_boot_disks_describe(struct boot *boot, struct kmln_error *err)
{
	const struct kmln_nodes nodes = {boot->disk.layers, &boot->sandbox, false};
	const bool uml = kmln_eq(boot->platform->name, "uml");
	const bool raw = kmln_eq(boot->disk.format, "raw");
	KMLN_BUF struct kmln_buf json = {0};
	int r = 0;

	if (!uml && describe_further(boot, err) < 0)
		return -err->code;
	if (raw && !(uml && boot->served_count))
		return 0;
	if (!raw && !boot->disk.layers)
		return kmln_fail(err, KMLN_EINVALID,
			"a fixed VHD: what follows the disk in it must not be written over; copy it "
			"with qemu-img convert");
	if (!boot->scratch.path)
		r = kmln_private_open(&boot->scratch, err);
	if (r == 0 && uml) {
		r = kmln_boot_uml_disk(boot, err);
	} else if (r == 0) {
		r = kmln_nodes_disk(&nodes, !boot->opts->snapshot, boot->scratch.path, &json, err);
		boot->nodes = r < 0 ? NULL : kmln_pool_strdup(boot->pool, json.data);
	}
	return r < 0 ? kmln_wrap(err, "%s", boot->image) : 0;
}

void kmln_boot_disks_give(struct boot *boot, const char *served, struct kmln_launch *launch)
{
	const char **disks =
		kmln_pool_array(boot->pool, boot->disk_count + 1, sizeof(const char *));
	const char **sockets =
		kmln_pool_array(boot->pool, boot->served_count + 1, sizeof(const char *));
	size_t disk_count = 0, socket_count = 0;

	for (size_t i = 0; i < boot->disk_count; i++) {
		const struct boot_disk *disk = &boot->disks[i];

		if (disk->nodes) {
			disks[disk_count++] = disk->nodes;
		} else if (!disk->raw) {
			sockets[socket_count] = kmln_pool_printf(boot->pool,
				"%s/" KMLN_STORAGE_SOCKET "%zu", served, socket_count + 1);
			socket_count++;
		} else if (boot->platform->domains) {
			disks[disk_count++] = disk->path;
		} else {
			disks[disk_count++] = kmln_sandbox_share(&boot->sandbox, disk->path,
				kmln_pool_printf(boot->pool, "disk%zu", i + 1),
				disk->device	       ? KMLN_ACCESS_DEVICE
				: boot->opts->snapshot ? KMLN_ACCESS_READ
						       : KMLN_ACCESS_WRITE);
		}
	}
	launch->disks = disks;
	launch->sockets = socket_count ? sockets : NULL;
	launch->disks_snapshot = boot->opts->snapshot && !boot->platform->domains;
}
