// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The overlay's blocks lie in a hash table by number; there are as many as a change of metadata
 * makes, a few thousand. New content goes to blocks that nobody uses and is not kept at all.
 */
#include "image/overlay.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK KMLN_OVERLAY_BLOCK
#define RUN_MAX (1u << 20)
#define FIRST_SLOTS 1024 /* a power of two */

struct kept {
	uint64_t number; /* of the block */
	char *bytes; /* NULL: the slot is free */
};

struct overlay {
	struct kmln_device device;
	struct kmln_device *base;
	struct kept *slots;
	size_t slot_count, used;
	/* what may be written through */
	struct kmln_range range;
	uint32_t block_size; /* 0: nothing */
	unsigned char *free_blocks;
	unsigned char *through; /* those of them that were written */
	uint64_t free_count;
};

static struct kept *slot_of(const struct overlay *overlay, uint64_t number)
{
	/* Knuth's multiplication spreads runs of numbers */
	size_t at = (size_t)(number * 0x9e3779b97f4a7c15ull >> 32) & (overlay->slot_count - 1);

	while (overlay->slots[at].bytes && overlay->slots[at].number != number)
		at = (at + 1) & (overlay->slot_count - 1);
	return &overlay->slots[at];
}

static void make_slots(struct overlay *overlay, size_t count)
{
	struct kept *old = overlay->slots;
	size_t old_count = overlay->slot_count;

	overlay->slots = kmln_malloc(count * sizeof(*overlay->slots));
	memset(overlay->slots, 0, count * sizeof(*overlay->slots));
	overlay->slot_count = count;
	for (size_t i = 0; i < old_count; i++)
		if (old[i].bytes)
			*slot_of(overlay, old[i].number) = old[i];
	free(old);
}

/* The block as it is kept; it is read from base first where it was not. */
static int keep(
	struct overlay *overlay, uint64_t number, struct kept **kept, struct kmln_error *err)
{
	uint64_t at = number * BLOCK;
	size_t size =
		overlay->device.size - at < BLOCK ? (size_t)(overlay->device.size - at) : BLOCK;
	char *bytes;
	int r;

	*kept = slot_of(overlay, number);
	if ((*kept)->bytes)
		return 0;
	bytes = kmln_malloc(BLOCK);
	r = kmln_device_read(overlay->base, bytes, size, at, err);
	if (r < 0) {
		free(bytes);
		return r;
	}
	if (overlay->used * 4 >= overlay->slot_count * 3)
		make_slots(overlay, overlay->slot_count * 2);
	*kept = slot_of(overlay, number);
	**kept = (struct kept){number, bytes};
	overlay->used++;
	return 0;
}

static int overlay_read(struct kmln_device *device, void *data, size_t size, uint64_t offset,
	struct kmln_error *err)
{
	const struct overlay *overlay = (const struct overlay *)device;
	bool all_kept = true;

	for (uint64_t n = offset / BLOCK; all_kept && n * BLOCK < offset + size; n++)
		all_kept = slot_of(overlay, n)->bytes;
	if (!all_kept) {
		int r = kmln_device_read(overlay->base, data, size, offset, err);

		if (r < 0)
			return r;
	}
	for (size_t done = 0; done < size;) {
		uint64_t at = offset + done;
		size_t inside = (size_t)(at % BLOCK), n = BLOCK - inside;
		const struct kept *kept = slot_of(overlay, at / BLOCK);

		n = n < size - done ? n : size - done;
		if (kept->bytes)
			memcpy((char *)data + done, kept->bytes + inside, n);
		done += n;
	}
	return 0;
}

/* How many of the bytes at `offset` are alike: to be written through, or to be kept. */
static size_t run_at(const struct overlay *overlay, uint64_t offset, size_t size, bool *through)
{
	const struct kmln_range *range = &overlay->range;
	uint64_t first, end;
	size_t n;

	*through = false;
	if (!overlay->block_size || offset < range->offset || offset >= range->offset + range->size)
		return size;
	first = (offset - range->offset) / overlay->block_size;
	for (end = first; end < overlay->free_count; end++) {
		bool is_free = overlay->free_blocks[end / 8] >> end % 8 & 1;

		if (end == first)
			*through = is_free;
		else if (is_free != *through ||
			 range->offset + end * overlay->block_size >= offset + size)
			break;
	}
	if (end == first)
		return size;
	n = (size_t)(range->offset + end * overlay->block_size - offset);
	return n < size ? n : size;
}

/* `only_kept`: blocks that are not kept are base's business. */
static int put(struct overlay *overlay, const char *data, size_t size, uint64_t offset,
	bool only_kept, struct kmln_error *err)
{
	for (size_t done = 0; done < size;) {
		uint64_t at = offset + done;
		size_t inside = (size_t)(at % BLOCK), n = BLOCK - inside;
		struct kept *kept = slot_of(overlay, at / BLOCK);
		int r = 0;

		n = n < size - done ? n : size - done;
		if (!only_kept)
			r = keep(overlay, at / BLOCK, &kept, err);
		if (r < 0)
			return r;
		if (kept->bytes)
			memcpy(kept->bytes + inside, data + done, n);
		done += n;
	}
	return 0;
}

static void mark_through(struct overlay *overlay, uint64_t offset, size_t size)
{
	uint64_t first = (offset - overlay->range.offset) / overlay->block_size;
	uint64_t last = (offset + size - 1 - overlay->range.offset) / overlay->block_size;

	for (uint64_t b = first; b <= last; b++)
		overlay->through[b / 8] |= (unsigned char)(1u << b % 8);
}

static int overlay_write(struct kmln_device *device, const void *data, size_t size, uint64_t offset,
	struct kmln_error *err)
{
	struct overlay *overlay = (struct overlay *)device;
	const char *bytes = data;

	while (size) {
		bool through;
		size_t n = run_at(overlay, offset, size, &through);
		int r = 0;

		if (through) {
			r = kmln_device_write(overlay->base, bytes, n, offset, err);
			mark_through(overlay, offset, n);
		}
		if (r == 0)
			r = put(overlay, bytes, n, offset, through, err);
		if (r < 0)
			return r;
		bytes += n;
		offset += n;
		size -= n;
	}
	return 0;
}

static int overlay_flush(struct kmln_device *device, struct kmln_error *err)
{
	const struct overlay *overlay = (const struct overlay *)device;

	return overlay->base->writable ? kmln_device_flush(overlay->base, err) : 0;
}

static int overlay_extent(struct kmln_device *device, uint64_t offset, uint64_t *length, bool *data,
	struct kmln_error *err)
{
	const struct overlay *overlay = (const struct overlay *)device;
	uint64_t n = offset / BLOCK;
	int r;

	if (slot_of(overlay, n)->bytes) {
		uint64_t end = (n + 1) * BLOCK - offset;

		*data = true;
		*length = *length < end ? *length : end;
		return 0;
	}
	r = kmln_device_extent(overlay->base, offset, length, data, err);
	for (n++; r == 0 && !*data && n * BLOCK < offset + *length; n++)
		if (slot_of(overlay, n)->bytes)
			*length = n * BLOCK - offset;
	return r;
}

static void overlay_close(struct kmln_device *device)
{
	struct overlay *overlay = (struct overlay *)device;

	for (size_t i = 0; i < overlay->slot_count; i++)
		free(overlay->slots[i].bytes);
	free(overlay->slots);
	free(overlay->free_blocks);
	free(overlay->through);
	free(overlay);
}

static const struct kmln_device_ops overlay_ops = {
	.name = "overlay",
	.read = overlay_read,
	.write = overlay_write,
	.flush = overlay_flush,
	.extent = overlay_extent,
	.close = overlay_close,
};

struct kmln_device *kmln_device_overlay(struct kmln_device *base)
{
	struct overlay *overlay = kmln_malloc(sizeof(*overlay));

	*overlay = (struct overlay){
		.device = {.ops = &overlay_ops, .size = base->size, .writable = true},
		.base = base,
	};
	make_slots(overlay, FIRST_SLOTS);
	return &overlay->device;
}

void kmln_overlay_write_through(struct kmln_device *device, const struct kmln_range *range,
	uint32_t block_size, const unsigned char *free_blocks, uint64_t count)
{
	struct overlay *overlay = (struct overlay *)device;
	size_t bytes = (size_t)(count + 7) / 8;

	overlay->range = *range;
	overlay->block_size = block_size;
	overlay->free_count = count;
	free(overlay->free_blocks);
	overlay->free_blocks = kmln_malloc(bytes + 1);
	memcpy(overlay->free_blocks, free_blocks, bytes);
	free(overlay->through);
	overlay->through = kmln_malloc(bytes + 1);
	memset(overlay->through, 0, bytes + 1);
}

int kmln_overlay_each_through(const struct kmln_device *device,
	int (*fn)(void *data, const struct kmln_range *run, struct kmln_error *err), void *data,
	struct kmln_error *err)
{
	const struct overlay *overlay = (const struct overlay *)device;
	uint64_t most = overlay->block_size ? RUN_MAX / overlay->block_size : 0;
	int r = 0;

	for (uint64_t from = 0, to; r == 0 && from < overlay->free_count; from = to) {
		bool written = overlay->through[from / 8] >> from % 8 & 1;
		struct kmln_range run = {overlay->range.offset + from * overlay->block_size, 0};

		for (to = from + 1; to < overlay->free_count && to - from < most &&
				    (bool)(overlay->through[to / 8] >> to % 8 & 1) == written;
			to++)
			;
		run.size = (to - from) * overlay->block_size;
		if (written)
			r = fn(data, &run, err);
	}
	return r;
}

static int by_number(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

int kmln_overlay_each(const struct kmln_device *device,
	int (*fn)(void *data, uint64_t offset, const void *bytes, size_t size,
		struct kmln_error *err),
	void *data, struct kmln_error *err)
{
	const struct overlay *overlay = (const struct overlay *)device;
	KMLN_FREE struct kept *all = kmln_malloc((overlay->used + 1) * sizeof(*all));
	size_t count = 0;
	int r = 0;

	for (size_t i = 0; i < overlay->slot_count; i++)
		if (overlay->slots[i].bytes)
			all[count++] = overlay->slots[i];
	qsort(all, count, sizeof(*all), by_number);
	for (size_t i = 0; r == 0 && i < count; i++) {
		uint64_t at = all[i].number * BLOCK, left = device->size - at;

		r = fn(data, at, all[i].bytes, left < BLOCK ? (size_t)left : BLOCK, err);
	}
	return r;
}
