// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An io_manager of libext2fs over a device. Files have no cache: the host's page cache is one, and
 * what is written is there for e2fsck and for our own second look at once. A device that is only
 * read and behind a server has one, since each block of an inode table would be a journey.
 */
#include "image/ext-io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Pieces of the range, each in the slot that its number leads to. */
#define PIECE (32u << 10)
#define SLOTS 64u

struct cache {
	uint64_t numbers[SLOTS]; /* piece number + 1; 0: empty */
	char bytes[SLOTS][PIECE];
};

struct range_io {
	struct kmln_device *device;
	struct kmln_range range;
	struct cache *cache; /* NULL: none */
};

void kmln_ext_io_name(char name[64], struct kmln_device *device, const struct kmln_range *range)
{
	snprintf(name, 64, "%p:%llu:%llu", (void *)device, (unsigned long long)range->offset,
		(unsigned long long)range->size);
}

static errcode_t io_open(const char *name, int flags, io_channel *channel)
{
	io_channel io = calloc(1, sizeof(*io));
	struct range_io *range = calloc(1, sizeof(*range));
	unsigned long long offset, size;
	uint64_t start;
	void *device;
	int fd;

	if (!io || !range || sscanf(name, "%p:%llu:%llu", &device, &offset, &size) != 3) {
		free(io);
		free(range);
		return EXT2_ET_NO_MEMORY;
	}
	range->device = device;
	range->range = (struct kmln_range){offset, size};
	if (!(flags & IO_FLAG_RW) && !kmln_device_file(device, &range->range, &fd, &start))
		range->cache = calloc(1, sizeof(*range->cache));
	io->magic = EXT2_ET_MAGIC_IO_CHANNEL;
	io->manager = kmln_ext_io;
	io->name = strdup(name);
	io->block_size = 1024;
	io->refcount = 1;
	io->private_data = range;
	*channel = io;
	return 0;
}

static errcode_t io_close(io_channel io)
{
	if (--io->refcount > 0)
		return 0;
	free(((struct range_io *)io->private_data)->cache);
	free(io->private_data);
	free(io->name);
	free(io);
	return 0;
}

static errcode_t io_set_blksize(io_channel io, int size)
{
	io->block_size = size;
	return 0;
}

/* Where `count` blocks (or, negative, bytes) from `block` on lie in the file; false: outside. */
static int locate(io_channel io, unsigned long long block, int count, uint64_t *at, size_t *size)
{
	const struct range_io *range = io->private_data;
	uint64_t start, end;

	*size = count < 0 ? (size_t)-count : (size_t)count * (size_t)io->block_size;
	if (__builtin_mul_overflow(block, (uint64_t)io->block_size, &start) ||
		__builtin_add_overflow(start, *size, &end) || end > range->range.size)
		return 0;
	*at = range->range.offset + start;
	return 1;
}

/* Reads the piece that holds [at, at + size) of the device, unless it is there; NULL where the two
 * do not fit, or where it cannot be read whole. */
static const char *cached(const struct range_io *range, uint64_t at, size_t size)
{
	uint64_t number = (at - range->range.offset) / PIECE, start = number * PIECE;
	size_t within = (size_t)(at - range->range.offset - start), length = PIECE;
	struct cache *cache = range->cache;
	unsigned slot = (unsigned)(number % SLOTS);
	struct kmln_error ignored;

	if (!cache || within + size > PIECE || size > PIECE / 2)
		return NULL;
	if (cache->numbers[slot] != number + 1) {
		if (range->range.size - start < length)
			length = (size_t)(range->range.size - start);
		cache->numbers[slot] = 0;
		if (kmln_device_read(range->device, cache->bytes[slot], length,
			    range->range.offset + start, &ignored) < 0)
			return NULL;
		cache->numbers[slot] = number + 1;
	}
	return cache->bytes[slot] + within;
}

static errcode_t io_read_blk64(io_channel io, unsigned long long block, int count, void *data)
{
	const struct range_io *range = io->private_data;
	struct kmln_error err;
	const char *piece;
	uint64_t at;
	size_t size;

	if (!locate(io, block, count, &at, &size))
		return EXT2_ET_SHORT_READ;
	piece = cached(range, at, size);
	if (piece) {
		memcpy(data, piece, size);
		return 0;
	}
	return kmln_device_read(range->device, data, size, at, &err) < 0 ? err.code : 0;
}

static errcode_t write_at(const struct range_io *range, uint64_t at, const void *data, size_t size)
{
	struct kmln_error err;

	return kmln_device_write(range->device, data, size, at, &err) < 0 ? err.code : 0;
}

static errcode_t io_write_blk64(
	io_channel io, unsigned long long block, int count, const void *data)
{
	uint64_t at;
	size_t size;

	if (!locate(io, block, count, &at, &size))
		return EXT2_ET_SHORT_WRITE;
	return write_at(io->private_data, at, data, size);
}

static errcode_t io_read_blk(io_channel io, unsigned long block, int count, void *data)
{
	return io_read_blk64(io, block, count, data);
}

static errcode_t io_write_blk(io_channel io, unsigned long block, int count, const void *data)
{
	return io_write_blk64(io, block, count, data);
}

static errcode_t io_write_byte(io_channel io, unsigned long offset, int size, const void *data)
{
	const struct range_io *range = io->private_data;
	uint64_t end;

	if (size < 0 || __builtin_add_overflow((uint64_t)offset, (uint64_t)size, &end) ||
		end > range->range.size)
		return EXT2_ET_SHORT_WRITE;
	return write_at(range, range->range.offset + offset, data, (size_t)size);
}

static errcode_t io_flush(io_channel io)
{
	(void)io; /* whoever holds the device flushes it once, at the end */
	return 0;
}

static struct struct_io_manager range_manager = {
	.magic = EXT2_ET_MAGIC_IO_MANAGER,
	.name = "kmln range of a descriptor",
	.open = io_open,
	.close = io_close,
	.set_blksize = io_set_blksize,
	.read_blk = io_read_blk,
	.write_blk = io_write_blk,
	.flush = io_flush,
	.write_byte = io_write_byte,
	.read_blk64 = io_read_blk64,
	.write_blk64 = io_write_blk64,
};

io_manager kmln_ext_io = &range_manager;
