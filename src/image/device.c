// SPDX-License-Identifier: GPL-2.0-or-later
/* The interface's checks, and its plain kinds: a file, memory, several devices in a row. */
#include "image/device.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

static int check(
	const struct kmln_device *device, uint64_t offset, uint64_t size, struct kmln_error *err)
{
	uint64_t end;

	if (kmln_add_overflow(offset, size, &end) || end > device->size)
		return kmln_fail(err, KMLN_EINVALID,
			"%llu bytes at %llu are outside the disk, which has %llu",
			(unsigned long long)size, (unsigned long long)offset,
			(unsigned long long)device->size);
	return 0;
}

int kmln_device_read(struct kmln_device *device, void *data, size_t size, uint64_t offset,
	struct kmln_error *err)
{
	int r = check(device, offset, size, err);

	if (r < 0)
		return r;
	r = device->ops->read(device, data, size, offset, err);
	if (r < 0 && err->code != KMLN_EINVALID && !device->failed.code)
		device->failed = *err;
	return r;
}

int kmln_device_write(struct kmln_device *device, const void *data, size_t size, uint64_t offset,
	struct kmln_error *err)
{
	int r = check(device, offset, size, err);

	if (r == 0 && !device->writable)
		r = kmln_fail_sys(err, EROFS, "opened for reading");
	return r < 0 ? r : device->ops->write(device, data, size, offset, err);
}

int kmln_device_flush(struct kmln_device *device, struct kmln_error *err)
{
	return device->ops->flush(device, err);
}

int kmln_device_extent(struct kmln_device *device, uint64_t offset, uint64_t *length, bool *data,
	struct kmln_error *err)
{
	int r = check(device, offset, *length, err);

	if (r < 0 || *length == 0)
		return r;
	return device->ops->extent(device, offset, length, data, err);
}

int kmln_device_check(const struct kmln_device *device, struct kmln_error *err)
{
	if (!device->failed.code)
		return 0;
	*err = device->failed;
	return -err->code;
}

void kmln_device_close(struct kmln_device **device)
{
	if (*device)
		(*device)->ops->close(*device);
	*device = NULL;
}

struct file_device {
	struct kmln_device device;
	int fd;
	uint64_t start;
};

static int file_read(struct kmln_device *device, void *data, size_t size, uint64_t offset,
	struct kmln_error *err)
{
	const struct file_device *file = (const struct file_device *)device;

	return kmln_pread_all(file->fd, data, size, file->start + offset, err);
}

static int file_write(struct kmln_device *device, const void *data, size_t size, uint64_t offset,
	struct kmln_error *err)
{
	const struct file_device *file = (const struct file_device *)device;

	return kmln_pwrite_all(file->fd, data, size, file->start + offset, err);
}

static int file_flush(struct kmln_device *device, struct kmln_error *err)
{
	const struct file_device *file = (const struct file_device *)device;

	return fdatasync(file->fd) < 0 ? kmln_fail_sys(err, errno, "sync") : 0;
}

static int file_extent(struct kmln_device *device, uint64_t offset, uint64_t *length, bool *data,
	struct kmln_error *err)
{
	const struct file_device *file = (const struct file_device *)device;
	off_t at = (off_t)(file->start + offset), end = lseek(file->fd, at, SEEK_DATA);

	(void)err;
	/* ENXIO: a hole up to the end; other errors: a file that does not know its holes */
	*data = end < 0 ? errno != ENXIO : end == at;
	if (end < 0)
		return 0;
	if (*data)
		end = lseek(file->fd, at, SEEK_HOLE);
	if (end > at && (uint64_t)(end - at) < *length)
		*length = (uint64_t)(end - at);
	return 0;
}

static void plain_close(struct kmln_device *device)
{
	free(device);
}

static const struct kmln_device_ops file_ops = {
	.name = "file",
	.read = file_read,
	.write = file_write,
	.flush = file_flush,
	.extent = file_extent,
	.close = plain_close,
};

struct kmln_device *kmln_device_fd(int fd, uint64_t offset, uint64_t size, bool writable)
{
	struct file_device *file = kmln_malloc(sizeof(*file));

	*file = (struct file_device){
		{.ops = &file_ops, .size = size, .writable = writable}, fd, offset};
	return &file->device;
}

struct memory_device {
	struct kmln_device device;
	char bytes[];
};

static int memory_read(struct kmln_device *device, void *data, size_t size, uint64_t offset,
	struct kmln_error *err)
{
	(void)err;
	memcpy(data, ((const struct memory_device *)device)->bytes + offset, size);
	return 0;
}

static int memory_write(struct kmln_device *device, const void *data, size_t size, uint64_t offset,
	struct kmln_error *err)
{
	(void)err;
	memcpy(((struct memory_device *)device)->bytes + offset, data, size);
	return 0;
}

static int memory_flush(struct kmln_device *device, struct kmln_error *err)
{
	(void)device;
	(void)err;
	return 0;
}

static int memory_extent(struct kmln_device *device, uint64_t offset, uint64_t *length, bool *data,
	struct kmln_error *err)
{
	(void)device;
	(void)offset;
	(void)length;
	(void)err;
	*data = true;
	return 0;
}

static const struct kmln_device_ops memory_ops = {
	.name = "memory",
	.read = memory_read,
	.write = memory_write,
	.flush = memory_flush,
	.extent = memory_extent,
	.close = plain_close,
};

struct kmln_device *kmln_device_memory(uint64_t size)
{
	struct memory_device *memory = kmln_malloc(sizeof(*memory) + (size_t)size);

	memset(memory->bytes, 0, (size_t)size);
	memory->device = (struct kmln_device){.ops = &memory_ops, .size = size, .writable = true};
	return &memory->device;
}

static int zeroes_read(struct kmln_device *device, void *data, size_t size, uint64_t offset,
	struct kmln_error *err)
{
	(void)device;
	(void)offset;
	(void)err;
	memset(data, 0, size);
	return 0;
}

static int zeroes_extent(struct kmln_device *device, uint64_t offset, uint64_t *length, bool *data,
	struct kmln_error *err)
{
	(void)device;
	(void)offset;
	(void)length;
	(void)err;
	*data = false;
	return 0;
}

static const struct kmln_device_ops zeroes_ops = {
	.name = "zeroes",
	.read = zeroes_read,
	.flush = memory_flush,
	.extent = zeroes_extent,
	.close = plain_close,
};

struct kmln_device *kmln_device_zeroes(uint64_t size)
{
	struct kmln_device *device = kmln_malloc(sizeof(*device));

	*device = (struct kmln_device){.ops = &zeroes_ops, .size = size};
	return device;
}

struct join_device {
	struct kmln_device device;
	struct kmln_part parts[];
};

/* The part that holds byte `offset`, where in its device, and how much of it follows. */
static const struct kmln_part *part_at(
	const struct kmln_device *device, uint64_t offset, uint64_t *at, uint64_t *room)
{
	const struct kmln_part *part = ((const struct join_device *)device)->parts;

	while (offset >= part->range.size)
		offset -= part++->range.size;
	*at = part->range.offset + offset;
	*room = part->range.size - offset;
	return part;
}

static int join_read(struct kmln_device *device, void *data, size_t size, uint64_t offset,
	struct kmln_error *err)
{
	while (size) {
		uint64_t at, room;
		const struct kmln_part *part = part_at(device, offset, &at, &room);
		size_t n = size < room ? size : (size_t)room;
		int r = kmln_device_read(part->device, data, n, at, err);

		if (r < 0)
			return r;
		data = (char *)data + n;
		offset += n;
		size -= n;
	}
	return 0;
}

static int join_write(struct kmln_device *device, const void *data, size_t size, uint64_t offset,
	struct kmln_error *err)
{
	while (size) {
		uint64_t at, room;
		const struct kmln_part *part = part_at(device, offset, &at, &room);
		size_t n = size < room ? size : (size_t)room;
		int r = kmln_device_write(part->device, data, n, at, err);

		if (r < 0)
			return r;
		data = (const char *)data + n;
		offset += n;
		size -= n;
	}
	return 0;
}

static int join_flush(struct kmln_device *device, struct kmln_error *err)
{
	const struct join_device *join = (const struct join_device *)device;
	uint64_t done = 0;
	int r = 0;

	for (const struct kmln_part *part = join->parts; r == 0 && done < device->size; part++) {
		r = kmln_device_flush(part->device, err);
		done += part->range.size;
	}
	return r;
}

static int join_extent(struct kmln_device *device, uint64_t offset, uint64_t *length, bool *data,
	struct kmln_error *err)
{
	uint64_t at, room;
	const struct kmln_part *part = part_at(device, offset, &at, &room);

	if (*length > room)
		*length = room;
	return kmln_device_extent(part->device, at, length, data, err);
}

static const struct kmln_device_ops join_ops = {
	.name = "join",
	.read = join_read,
	.write = join_write,
	.flush = join_flush,
	.extent = join_extent,
	.close = plain_close,
};

struct kmln_device *kmln_device_join(const struct kmln_part *parts, size_t count)
{
	struct join_device *join = kmln_malloc(sizeof(*join) + count * sizeof(*parts));

	join->device = (struct kmln_device){.ops = &join_ops, .writable = true};
	memcpy(join->parts, parts, count * sizeof(*parts));
	for (size_t i = 0; i < count; i++) {
		join->device.size += parts[i].range.size;
		join->device.writable = join->device.writable && parts[i].device->writable;
	}
	return &join->device;
}

bool kmln_device_file(
	const struct kmln_device *device, const struct kmln_range *range, int *fd, uint64_t *offset)
{
	const struct kmln_range whole = {0, device->size};
	struct kmln_range inner;
	uint64_t room;

	range = range ? range : &whole;
	if (device->ops == &file_ops) {
		*fd = ((const struct file_device *)device)->fd;
		*offset = ((const struct file_device *)device)->start + range->offset;
		return true;
	}
	if (device->ops == &join_ops && range->offset < device->size) {
		const struct kmln_part *part = part_at(device, range->offset, &inner.offset, &room);

		inner.size = range->size;
		return range->size <= room && kmln_device_file(part->device, &inner, fd, offset);
	}
	return false;
}
