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

#define IN_USE "in use: a running machine (UML, QEMU) or another kmln has it open; stop that first"

struct magic {
	const char *format;
	uint64_t offset;
	const char *bytes;
	size_t size;
};

static const struct magic magics[] = {
	{"qcow2", 0, "QFI\xfb", 4},
	{"vmdk", 0, "KDMV", 4},
	{"vmdk", 0, "# Disk DescriptorFile", 21},
	{"vdi", 0x40, "\x7f\x10\xda\xbe", 4},
	{"vhdx", 0, "vhdxfile", 8},
	{"vhd", 0, "conectix", 8},
	{"qed", 0, "QED\0", 4},
	{"uml-cow", 0, "OOOM", 4},
	{"compressed (gzip)", 0, "\x1f\x8b\x08", 3},
	{"compressed (xz)", 0,
		"\xfd"
		"7zXZ",
		5},
	{"compressed (zstd)", 0, "\x28\xb5\x2f\xfd", 4},
};

#define SECTOR 512

static int find_format(struct kmln_disk *disk, struct kmln_error *err)
{
	char head[SECTOR] = {0};
	size_t size = disk->size < sizeof(head) ? (size_t)disk->size : sizeof(head);
	int r = kmln_pread_all(disk->fd, head, size, 0, err);

	disk->format = "raw";
	for (size_t i = 0; r == 0 && i < KMLN_COUNT(magics); i++)
		if (memcmp(head + magics[i].offset, magics[i].bytes, magics[i].size) == 0) {
			disk->format = magics[i].format;
			break;
		}
	return r;
}

static int open_disk(
	const char *path, bool writable, struct kmln_disk *disk, struct kmln_error *err)
{
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
		disk->size = S_ISBLK(st.st_mode) ? size : (uint64_t)st.st_size;
		disk->allocated = S_ISBLK(st.st_mode) ? size : (uint64_t)st.st_blocks * 512;
		r = disk->size ? find_format(disk, err)
			       : kmln_fail(err, KMLN_EINVALID, "not an image: it is empty");
		/* a descriptor may be short, what holds a filesystem may not */
		if (r == 0 && disk->size < SECTOR && kmln_eq(disk->format, "raw"))
			r = kmln_fail(err, KMLN_EINVALID,
				"not an image: %llu bytes are less than a sector",
				(unsigned long long)disk->size);
		if (r < 0)
			kmln_wrap(err, "%s", path);
	}
	if (r < 0)
		kmln_disk_close(disk);
	else
		disk->device = kmln_device_fd(disk->fd, 0, disk->size, writable);
	return r < 0 ? r : 0;
}

/* A change in place was interrupted: it is finished before anybody looks. */
static int finish_change(const char *path, struct kmln_error *err)
{
	KMLN_DISK struct kmln_disk disk = {.fd = -1};
	int r = open_disk(path, true, &disk, err);

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

int kmln_disk_open(const char *path, bool writable, struct kmln_disk *disk, struct kmln_error *err)
{
	int r = kmln_journal_there(path) ? finish_change(path, err) : 0;

	*disk = (struct kmln_disk){.fd = -1};
	return r < 0 ? r : open_disk(path, writable, disk, err);
}

int kmln_disk_wrap(int fd, struct kmln_disk *disk, struct kmln_error *err)
{
	struct stat st;

	*disk = (struct kmln_disk){.fd = -1, .format = "raw"};
	if (fstat(fd, &st) < 0)
		return kmln_fail_sys(err, errno, "stat");
	disk->size = (uint64_t)st.st_size;
	disk->allocated = (uint64_t)st.st_blocks * 512;
	disk->device = kmln_device_fd(fd, 0, disk->size, true);
	return 0;
}

void kmln_disk_close(struct kmln_disk *disk)
{
	kmln_device_close(&disk->device);
	kmln_close_cleanup(&disk->fd);
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
	return kmln_fail(err, EBUSY, IN_USE);
}

int kmln_disk_busy(const struct kmln_disk *disk)
{
	return has_lock(disk->fd, DOES_WRITE, DOES_RESIZE - DOES_WRITE + 1) ||
	       has_lock(disk->fd, FORBIDS_READ, 1);
}

int kmln_disk_lock(struct kmln_disk *disk, bool writable, struct kmln_error *err)
{
	static const off_t reader[] = {DOES_READ, FORBIDS_WRITE, FORBIDS_RESIZE};
	int r = 0;

	if (writable)
		return set_lock(disk->fd, F_WRLCK, 0, 0, err);
	/* first our own, then a look for others': of two that start at once, one sees the other */
	for (size_t i = 0; r == 0 && i < KMLN_COUNT(reader); i++)
		r = set_lock(disk->fd, F_RDLCK, reader[i], 1, err);
	if (r == 0 && kmln_disk_busy(disk))
		r = kmln_fail(err, EBUSY, IN_USE);
	return r;
}
