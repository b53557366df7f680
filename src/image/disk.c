// SPDX-License-Identifier: GPL-2.0-or-later
/* Opening and locking images; see disk.h. Open file description locks: they end with our
 * descriptor. */
#include "image/disk.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/fs.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "image/journal.h"
#include "image/layers.h"
#include "image/nbd.h"
#include "run/daemon.h"

/*
 * The bytes that QEMU's locks lie on: shared locks, one byte for what it does with the image and
 * one for what it forbids others. UML locks the whole file, so any of them keeps it out.
 */
enum {
	DOES_READ = 100,
	DOES_WRITE = 101,
	DOES_RESIZE = 103,
	FORBIDS_READ = 200,
	FORBIDS_WRITE = 201,
	FORBIDS_RESIZE = 203,
};

#define SECTOR 512

/* The format, by the first bytes, and a fixed VHD by its last sector. */
static int find_format(struct kmln_disk *disk, struct kmln_error *err)
{
	unsigned char sector[SECTOR] = {0};
	size_t size = disk->file_size < SECTOR ? (size_t)disk->file_size : SECTOR;
	int r = kmln_pread_all(disk->fd, sector, size, 0, err);

	if (r < 0)
		return r;
	disk->format = kmln_format_name(sector, size);
	disk->size = disk->file_size;
	if (!kmln_eq(disk->format, "raw"))
		return 0;
	/* a descriptor may be short, what holds a filesystem may not */
	if (disk->file_size < SECTOR)
		return kmln_fail(err, KMLN_EINVALID,
			"not an image: %llu bytes are less than a sector",
			(unsigned long long)disk->file_size);
	r = kmln_pread_all(disk->fd, sector, SECTOR, disk->file_size - SECTOR, err);
	if (r == 0 && disk->file_size > SECTOR && kmln_vhd_fixed(sector, disk->file_size)) {
		disk->format = "vhd";
		disk->size -= SECTOR;
	}
	return r;
}

/* Those of kmln_format_name() that layers.h opens. A fixed VHD is a raw one with an end. */
static bool has_layers(const struct kmln_disk *disk)
{
	static const char *const known[] = {"qcow2", "vmdk", "vdi", "vhdx", "vhd", "qed", NULL};

	for (const char *const *k = known; *k; k++)
		if (kmln_eq(disk->format, *k))
			return disk->size == disk->file_size;
	return false;
}

/* The files of a flat VMDK, one behind the other. */
static void join_extents(struct kmln_disk *disk)
{
	const struct kmln_layer *top = disk->layers->items[0];
	size_t count = top->header.extent_count;
	struct kmln_part *parts =
		kmln_pool_array(disk->layers->pool, count, sizeof(struct kmln_part));

	disk->parts = kmln_pool_array(
		disk->layers->pool, disk->layers->count, sizeof(struct kmln_device *));
	for (size_t i = 0; i < disk->layers->count; i++) {
		const struct kmln_layer *layer = disk->layers->items[i];

		disk->parts[i] = kmln_device_fd(layer->fd, 0, layer->size, layer->writable);
	}
	for (size_t i = 0; i < count; i++) {
		size_t file = 0;

		while (disk->layers->items[file] != top->extents[i])
			file++;
		parts[i] = (struct kmln_part){disk->parts[file],
			{top->header.extents[i].start, top->header.extents[i].size}};
	}
	disk->device = kmln_device_join(parts, count);
}

/* Its bytes through a daemon of ours. */
static int serve(struct kmln_disk *disk, unsigned flags, struct kmln_error *err)
{
	struct kmln_storage *storage;
	int client, r;

	r = kmln_storage_start(disk->layers, flags & KMLN_DISK_SHARED, &storage, &client, err);
	return r < 0 ? r : kmln_device_nbd(storage, client, &disk->device, err);
}

static int open_layers(
	const char *path, unsigned flags, struct kmln_disk *disk, struct kmln_error *err)
{
	const struct kmln_layer *top;
	int r;

	r = kmln_layers_open(path, flags, &disk->layers, err);
	if (r < 0)
		return r;
	top = disk->layers->items[0];
	disk->backing = top->header.backing;
	if (top->header.driver) {
		r = serve(disk, flags, err);
		if (r < 0)
			return kmln_wrap(err, "%s", path);
	} else {
		join_extents(disk);
	}
	disk->size = disk->device->size;
	for (const struct kmln_layer *l = top->data; l; l = NULL) {
		disk->file_size += l->size;
		disk->allocated += l->allocated;
	}
	for (size_t i = 1; !top->header.driver && i < disk->layers->count; i++) {
		disk->file_size += disk->layers->items[i]->size;
		disk->allocated += disk->layers->items[i]->allocated;
	}
	return 0;
}

static int open_disk(
	const char *path, unsigned flags, struct kmln_disk *disk, struct kmln_error *err)
{
	bool writable = flags & KMLN_DISK_WRITE;
	struct stat st;
	uint64_t size;
	int r;

	*disk = (struct kmln_disk){.fd = -1};
	/* O_NONBLOCK: a fifo must not make us wait */
	r = kmln_open(path, (writable ? O_RDWR : O_RDONLY) | O_NONBLOCK, 0, err);
	if (r < 0)
		return r;
	disk->fd = r;
	if (fstat(disk->fd, &st) < 0)
		r = kmln_fail_sys(err, errno, "%s", path);
	else if (S_ISBLK(st.st_mode) && ioctl(disk->fd, BLKGETSIZE64, &size) < 0)
		r = kmln_fail_sys(err, errno, "%s", path);
	else if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		r = kmln_fail(err, KMLN_EINVALID,
			"%s: not an image: it is neither a file nor a disk", path);
	else {
		disk->file_size = S_ISBLK(st.st_mode) ? size : (uint64_t)st.st_size;
		disk->allocated = S_ISBLK(st.st_mode) ? size : (uint64_t)st.st_blocks * 512;
		r = disk->file_size ? find_format(disk, err)
				    : kmln_fail(err, KMLN_EINVALID, "not an image: it is empty");
		if (r < 0)
			kmln_wrap(err, "%s", path);
	}
	if (r >= 0 && has_layers(disk))
		r = open_layers(path, flags, disk, err);
	else if (r >= 0)
		disk->device = kmln_device_fd(disk->fd, 0, disk->size, writable);
	if (r < 0)
		kmln_disk_close(disk);
	return r < 0 ? r : 0;
}

/* A change in place was interrupted: it is finished before anybody looks. */
static int finish_change(const char *path, unsigned flags, struct kmln_error *err)
{
	KMLN_DISK struct kmln_disk disk = {.fd = -1};
	int r = open_disk(path, (flags & KMLN_DISK_BACKING) | KMLN_DISK_WRITE, &disk, err);

	if (r == 0)
		r = kmln_disk_lock(&disk, true, err);
	/* whoever held the lock until now may have finished it */
	if (r == 0 && kmln_journal_there(path)) {
		r = kmln_journal_finish(path, &disk, err);
		if (r == 0)
			kmln_note("%s: a change that was interrupted is now finished", path);
	}
	return r < 0 ? kmln_wrap(err,
			       "%s: a change of it was interrupted and must be finished first",
			       path)
		     : 0;
}

int kmln_disk_open(const char *path, unsigned flags, struct kmln_disk *disk, struct kmln_error *err)
{
	int r = kmln_journal_there(path) ? finish_change(path, flags, err) : 0;

	*disk = (struct kmln_disk){.fd = -1};
	return r < 0 ? r : open_disk(path, flags, disk, err);
}

int kmln_disk_wrap(int fd, struct kmln_disk *disk, struct kmln_error *err)
{
	struct stat st;

	*disk = (struct kmln_disk){.fd = -1, .format = "raw"};
	if (fstat(fd, &st) < 0)
		return kmln_fail_sys(err, errno, "stat");
	disk->size = disk->file_size = (uint64_t)st.st_size;
	disk->allocated = (uint64_t)st.st_blocks * 512;
	disk->device = kmln_device_fd(fd, 0, disk->size, true);
	return 0;
}

void kmln_disk_close(struct kmln_disk *disk)
{
	kmln_device_close(&disk->device);
	for (size_t i = 0; disk->parts && i < disk->layers->count; i++)
		kmln_device_close(&disk->parts[i]);
	disk->parts = NULL;
	kmln_layers_close(&disk->layers);
	kmln_close_cleanup(&disk->fd);
}

bool kmln_disk_readable(const struct kmln_disk *disk)
{
	return kmln_eq(disk->format, "raw") || kmln_eq(disk->format, "vhd") || disk->layers;
}

int kmln_disk_check(const struct kmln_disk *disk, struct kmln_error *err)
{
	return disk->device ? kmln_device_check(disk->device, err) : 0;
}

/* Some lock of another program's lies on these bytes. */
static bool has_lock(int fd, off_t start, off_t size)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = size};

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static int set_lock(int fd, short type, off_t start, off_t size, struct kmln_error *err)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = size};

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (errno != EAGAIN && errno != EACCES)
		return kmln_fail_sys(err, errno, "cannot be locked");
	return kmln_fail(err, EBUSY, KMLN_IN_USE);
}

/* The descriptors to lock, and those to look at: the image's files. One that a daemon of ours
 * writes to is locked by that: -1. */
static int file_at(const struct kmln_disk *disk, size_t i)
{
	const struct kmln_layer *layer;

	if (!disk->layers)
		return i ? -1 : disk->fd;
	layer = disk->layers->items[i];
	return layer->writable && disk->layers->items[0]->header.driver ? -1 : layer->fd;
}

static size_t file_count(const struct kmln_disk *disk)
{
	return disk->layers ? disk->layers->count : 1;
}

int kmln_disk_busy(const struct kmln_disk *disk)
{
	for (size_t i = 0; i < file_count(disk); i++) {
		int fd = file_at(disk, i);

		if (fd >= 0 && (has_lock(fd, DOES_WRITE, DOES_RESIZE - DOES_WRITE + 1) ||
				       has_lock(fd, FORBIDS_READ, 1)))
			return 1;
	}
	return 0;
}

int kmln_disk_lock(struct kmln_disk *disk, bool writable, struct kmln_error *err)
{
	static const off_t reader[] = {DOES_READ, FORBIDS_WRITE, FORBIDS_RESIZE};
	int r = 0;

	for (size_t i = 0; r == 0 && i < file_count(disk); i++) {
		int fd = file_at(disk, i);
		bool all = writable && (!disk->layers || disk->layers->items[i]->writable);

		if (fd >= 0 && all)
			r = set_lock(fd, F_WRLCK, 0, 0, err);
		for (size_t k = 0; r == 0 && fd >= 0 && !all && k < KMLN_COUNT(reader); k++)
			r = set_lock(fd, F_RDLCK, reader[k], 1, err);
	}
	/* first our own, then a look for others': of two that start at once, one sees the other */
	if (r == 0 && !writable && kmln_disk_busy(disk))
		r = kmln_fail(err, EBUSY, KMLN_IN_USE);
	return r;
}
