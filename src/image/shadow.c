// SPDX-License-Identifier: GPL-2.0-or-later
/* Shadows are nameless files in $TMPDIR, sparse: a disk of a terabyte takes what is copied. */
#include "image/shadow.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"

#define PIECE (1u << 20)

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
		bool wanted = kmln_blocks_has(blocks, from);
		struct kmln_range run;

		for (to = from + 1; to < blocks->count && kmln_blocks_has(blocks, to) == wanted;
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

int kmln_shadow_ext(struct kmln_device *device, const struct kmln_range *range,
	struct kmln_blocks *blocks, struct kmln_error *err)
{
	KMLN_FD int shadow = kmln_shadow_new(range->size, err);
	int r = shadow < 0 ? shadow : kmln_ext_metadata(device, range, blocks, err);

	if (r == 0)
		r = copy_blocks(shadow, device, range, blocks, err);
	if (r < 0)
		return r;
	r = shadow;
	shadow = -1;
	return r;
}

/* One block, whose number is inside the filesystem. */
static int write_back_block(int shadow, const struct kmln_blocks *blocks, uint64_t number,
	struct kmln_device *device, uint64_t start, struct kmln_error *err)
{
	const size_t size = blocks->block_size;
	KMLN_FREE char *new = kmln_malloc(size), *old = NULL;
	int r = kmln_pread_all(shadow, new, size, number * size, err);

	/* a file's holes are bigger than blocks may be: zeroes that nobody wrote */
	if (r < 0 || (!kmln_blocks_has(blocks, number) && is_zero(new, size)))
		return r;
	old = kmln_malloc(size);
	r = kmln_device_read(device, old, size, start + number * size, err);
	if (r == 0 && memcmp(old, new, size) != 0)
		r = kmln_device_write(device, new, size, start + number * size, err);
	return r;
}

int kmln_shadow_write_back(int shadow, const struct kmln_blocks *blocks, struct kmln_device *device,
	const struct kmln_range *range, struct kmln_error *err)
{
	uint64_t next = 0;
	int r = 0;

	while (r == 0 && next < blocks->count) {
		off_t data = lseek(shadow, (off_t)(next * blocks->block_size), SEEK_DATA);
		uint64_t first = data < 0 ? blocks->count : (uint64_t)data / blocks->block_size;

		/* in a hole: what was copied as zeroes, or has become a hole since */
		for (; r == 0 && next < first; next++)
			if (kmln_blocks_has(blocks, next))
				r = write_back_block(
					shadow, blocks, next, device, range->offset, err);
		if (r == 0 && next < blocks->count)
			r = write_back_block(shadow, blocks, next++, device, range->offset, err);
	}
	return r;
}
