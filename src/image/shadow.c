// SPDX-License-Identifier: GPL-2.0-or-later
/* Shadows are nameless files in $TMPDIR, sparse: a disk of a terabyte takes what is copied. */
#include "image/shadow.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "image/ext-blocks.h"

#define PIECE (1u << 20)
#define COMPARE 4096u

int kmln_shadow_new(uint64_t size, struct kmln_error *err)
{
	const char *folder = getenv("TMPDIR");
	int fd = open(folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0) /* a filesystem without nameless files */
		fd = memfd_create("kmln-shadow", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0) {
		int code = errno;

		kmln_close_cleanup(&fd);
		return kmln_fail_sys(err, code, "make a file in %s", folder ? folder : "/tmp");
	}
	return fd;
}

static bool is_zero(const char *bytes, size_t size)
{
	return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

int kmln_shadow_copy(int shadow, uint64_t at, struct kmln_device *device,
	const struct kmln_range *range, struct kmln_error *err)
{
	const size_t room = range->size < PIECE ? (size_t)range->size : PIECE;
	KMLN_FREE char *bytes = kmln_malloc(room);

	for (uint64_t done = 0; done < range->size;) {
		size_t n = range->size - done < room ? (size_t)(range->size - done) : room;
		int r = kmln_device_read(device, bytes, n, range->offset + done, err);

		if (r == 0 && !is_zero(bytes, n))
			r = kmln_pwrite_all(shadow, bytes, n, at + done, err);
		if (r < 0)
			return r;
		done += n;
	}
	return 0;
}

int kmln_shadow_ends(
	struct kmln_device *device, const struct kmln_range *range, struct kmln_error *err)
{
	const uint64_t some = range->size < PIECE ? range->size : PIECE;
	const struct kmln_range first = {range->offset, some};
	const struct kmln_range last = {range->offset + range->size - some, some};
	KMLN_FD int shadow = kmln_shadow_new(range->size, err);
	int r = shadow < 0 ? shadow : kmln_shadow_copy(shadow, 0, device, &first, err);

	if (r == 0)
		r = kmln_shadow_copy(shadow, range->size - some, device, &last, err);
	if (r < 0)
		return r;
	r = shadow;
	shadow = -1;
	return r;
}

static int copy_blocks(int shadow, struct kmln_device *device, const struct kmln_range *range,
	const struct kmln_blocks *blocks, struct kmln_error *err)
{
	int r = 0;

	for (uint64_t from = 0, to; r == 0 && from < blocks->count; from = to) {
		bool wanted = blocks->bits[from / 8] >> from % 8 & 1;
		struct kmln_range run;

		for (to = from + 1;
			to < blocks->count && (bool)(blocks->bits[to / 8] >> to % 8 & 1) == wanted;
			to++)
			;
		if (!wanted)
			continue;
		run.offset = range->offset + from * blocks->block_size;
		run.size = (to - from) * blocks->block_size;
		r = kmln_shadow_copy(shadow, from * blocks->block_size, device, &run, err);
	}
	return r;
}

int kmln_shadow_ext(
	struct kmln_device *device, const struct kmln_range *range, struct kmln_error *err)
{
	KMLN_BLOCKS struct kmln_blocks blocks = {0};
	KMLN_FD int shadow = kmln_shadow_new(range->size, err);
	int r = shadow < 0 ? shadow : kmln_ext_metadata(device, range, &blocks, err);

	if (r == 0)
		r = copy_blocks(shadow, device, range, &blocks, err);
	if (r < 0)
		return r;
	r = shadow;
	shadow = -1;
	return r;
}

/* One run of data in the shadow. */
static int write_back_run(int shadow, off_t from, off_t to, struct kmln_device *device,
	const struct kmln_range *range, struct kmln_error *err)
{
	for (off_t at = from / COMPARE * COMPARE; at < to; at += COMPARE) {
		char new[COMPARE], old[COMPARE];
		uint64_t left = range->size - (uint64_t)at;
		size_t n = left < COMPARE ? (size_t)left : COMPARE;
		int r = kmln_pread_all(shadow, new, n, (uint64_t)at, err);

		if (r == 0)
			r = kmln_device_read(device, old, n, range->offset + (uint64_t)at, err);
		if (r == 0 && memcmp(old, new, n) != 0)
			r = kmln_device_write(device, new, n, range->offset + (uint64_t)at, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int kmln_shadow_write_back(int shadow, struct kmln_device *device, const struct kmln_range *range,
	struct kmln_error *err)
{
	off_t end = 0;
	int r = 0;

	while (r == 0 && (uint64_t)end < range->size) {
		off_t data = lseek(shadow, end, SEEK_DATA);

		if (data < 0)
			return errno == ENXIO ? 0 : kmln_fail_sys(err, errno, "seek");
		end = lseek(shadow, data, SEEK_HOLE);
		if (end < 0 || (uint64_t)end > range->size)
			end = (off_t)range->size;
		r = write_back_run(shadow, data, end, device, range, err);
	}
	return r;
}
