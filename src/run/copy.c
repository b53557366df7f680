// SPDX-License-Identifier: GPL-2.0-or-later
/* Sparse copies: the kernel says where data is, and copies it. */
#include "run/copy.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

#define PIECE (64u << 20)

/* Plain reading and writing, for what copy_file_range cannot: other filesystems, devices. */
static int copy_plain(
	int from, uint64_t start, uint64_t size, int to, uint64_t offset, struct kmln_error *err)
{
	const size_t room = 1 << 20;
	KMLN_FREE char *bytes = kmln_malloc(room);

	while (size) {
		size_t n = size < room ? (size_t)size : room;
		int r = kmln_pread_all(from, bytes, n, start, err);

		if (r == 0)
			r = kmln_pwrite_all(to, bytes, n, offset + start, err);
		if (r < 0)
			return r;
		start += n;
		size -= n;
	}
	return 0;
}

static int copy_data(int from, uint64_t start, uint64_t end, int to, uint64_t offset,
	uint64_t total, struct kmln_error *err)
{
	while (start < end) {
		uint64_t want = end - start < PIECE ? end - start : PIECE;
		off_t in = (off_t)start, out = (off_t)(start + offset);
		ssize_t n = copy_file_range(from, &in, to, &out, (size_t)want, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO || errno == EFBIG))
			return kmln_fail_sys(err, errno, "copy");
		if (n <= 0) /* not between these two */
			return copy_plain(from, start, end - start, to, offset, err);
		start += (uint64_t)n;
		/* let the disk begin while we go on: the last sync has less to wait for */
		sync_file_range(to, out - n, n, SYNC_FILE_RANGE_WRITE);
		kmln_progress("copy", start, total);
	}
	return 0;
}

int kmln_copy_sparse(int from, uint64_t size, int to, uint64_t offset, struct kmln_error *err)
{
	struct file_clone_range clone = {.src_fd = from, .dest_offset = offset};
	int r = 0;

	if (ftruncate(to, (off_t)(offset + size)) < 0)
		return kmln_fail_sys(err, errno, "make room for %llu bytes",
			(unsigned long long)(offset + size));
	clone.src_length = size & ~(uint64_t)4095; /* the rest is less than a block */
	if (clone.src_length && ioctl(to, FICLONERANGE, &clone) == 0)
		return copy_plain(from, clone.src_length, size - clone.src_length, to, offset, err);
	for (uint64_t at = 0; r == 0 && at < size;) {
		off_t data = lseek(from, (off_t)at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			break; /* only a hole is left */
		if (data < 0)
			return copy_plain(from, at, size - at, to, offset, err);
		hole = lseek(from, data, SEEK_HOLE);
		if (hole < 0 || (uint64_t)hole > size)
			hole = (off_t)size;
		r = copy_data(from, (uint64_t)data, (uint64_t)hole, to, offset, size, err);
		at = (uint64_t)hole;
	}
	kmln_progress("copy", 0, 0);
	return r;
}
