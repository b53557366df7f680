// SPDX-License-Identifier: GPL-2.0-or-later
/* Sparse copies: the device says where data is; between two files the kernel copies it. */
#include "image/copy.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"

#define PIECE (64u << 20) /* for the kernel */
#define PLAIN_PIECE (1u << 20) /* through our own memory */
#define GRAIN 4096u /* so much of zeroes becomes a hole */

/* Both ends of a copy; descriptors are -1 where one of them is not one file. */
struct copy {
	struct kmln_device *from, *to;
	int from_fd, to_fd;
	uint64_t from_start, to_start; /* of the devices in their files */
	uint64_t offset;
};

static bool grain_is_zero(const char *bytes, size_t size, size_t at)
{
	size_t n = size - at < GRAIN ? size - at : GRAIN;

	return bytes[at] == 0 && memcmp(bytes + at, bytes + at + 1, n - 1) == 0;
}

/* What is zero in the source is zero in `to` already: not all formats tell of their holes. */
static int write_data(const struct copy *copy, const char *bytes, size_t size, uint64_t at,
	struct kmln_error *err)
{
	int r = 0;

	for (size_t from = 0, to; r == 0 && from < size; from = to) {
		bool zero = grain_is_zero(bytes, size, from);

		for (to = from + GRAIN; to < size && grain_is_zero(bytes, size, to) == zero;)
			to += GRAIN;
		to = to < size ? to : size;
		if (!zero)
			r = kmln_device_write(
				copy->to, bytes + from, to - from, copy->offset + at + from, err);
	}
	return r;
}

/* Reading and writing, for what the kernel cannot copy: other filesystems, disks of other formats.
 */
static int copy_plain(const struct copy *copy, uint64_t start, uint64_t end, struct kmln_error *err)
{
	KMLN_FREE char *bytes = kmln_malloc(PLAIN_PIECE);

	while (start < end) {
		size_t n = end - start < PLAIN_PIECE ? (size_t)(end - start) : PLAIN_PIECE;
		int r = kmln_device_read(copy->from, bytes, n, start, err);

		if (r == 0)
			r = write_data(copy, bytes, n, start, err);
		if (r < 0)
			return r;
		start += n;
		kmln_progress("copy", start, copy->from->size);
	}
	return 0;
}

static int copy_data(const struct copy *copy, uint64_t start, uint64_t end, struct kmln_error *err)
{
	if (copy->from_fd < 0 || copy->to_fd < 0)
		return copy_plain(copy, start, end, err);
	while (start < end) {
		uint64_t want = end - start < PIECE ? end - start : PIECE;
		off_t in = (off_t)(copy->from_start + start);
		off_t out = (off_t)(copy->to_start + copy->offset + start);
		ssize_t n = copy_file_range(copy->from_fd, &in, copy->to_fd, &out, (size_t)want, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO || errno == EFBIG))
			return kmln_fail_sys(err, errno, "copy");
		if (n <= 0) /* not between these two */
			return copy_plain(copy, start, end, err);
		start += (uint64_t)n;
		/* let the disk begin while we go on: the last sync has less to wait for */
		sync_file_range(copy->to_fd, out - n, n, SYNC_FILE_RANGE_WRITE);
		kmln_progress("copy", start, copy->from->size);
	}
	return 0;
}

/* Shares the blocks of whole files; returns the number of bytes that are done so. */
static uint64_t share(const struct copy *copy)
{
	struct file_clone_range clone = {
		.src_fd = copy->from_fd,
		.src_offset = copy->from_start,
		.src_length =
			copy->from->size & ~(uint64_t)4095, /* the rest is less than a block */
		.dest_offset = copy->to_start + copy->offset,
	};

	if (copy->from_fd < 0 || copy->to_fd < 0 || !clone.src_length ||
		ioctl(copy->to_fd, FICLONERANGE, &clone) < 0)
		return 0;
	return clone.src_length;
}

int kmln_copy(
	struct kmln_device *from, struct kmln_device *to, uint64_t offset, struct kmln_error *err)
{
	struct copy copy = {.from = from, .to = to, .offset = offset};
	int r = 0;

	if (!kmln_device_file(from, NULL, &copy.from_fd, &copy.from_start))
		copy.from_fd = -1;
	if (!kmln_device_file(to, NULL, &copy.to_fd, &copy.to_start))
		copy.to_fd = -1;
	for (uint64_t at = share(&copy), length; r == 0 && at < from->size; at += length) {
		bool data;

		length = from->size - at;
		r = kmln_device_extent(from, at, &length, &data, err);
		if (r == 0 && data)
			r = copy_data(&copy, at, at + length, err);
	}
	kmln_progress("copy", 0, 0);
	return r;
}
