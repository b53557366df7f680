// SPDX-License-Identifier: GPL-2.0-or-later
/* See around.h. */
#include "convert/around.h"

#include <string.h>

#include "guest/record.h"

#define SECTOR 512u
#define PIECE (64u << 10)
/* A byte takes up to four in a record. */
#define BYTES_MAX (KMLN_RECORD_MAX / 4 - (256u << 10))

struct around {
	const struct kmln_disk *disk;
	struct kmln_pool *pool;
	struct kmln_goal *goal;
	uint64_t bytes;
};

static bool is_zero(const char *data, size_t size)
{
	return !data[0] && memcmp(data, data + 1, size - 1) == 0;
}

/* The runs of sectors in a piece that are not zeros. */
static void add_runs(struct around *around, const char *data, size_t size, uint64_t offset)
{
	struct kmln_pieces *pieces = &around->goal->around;

	for (size_t at = 0; at < size;) {
		size_t end = at;
		struct kmln_piece *piece;

		while (end < size && !is_zero(data + end, SECTOR))
			end += SECTOR;
		if (end == at) {
			at += SECTOR;
			continue;
		}
		piece = kmln_pool_append(
			around->pool, &pieces->items, &pieces->count, sizeof(*piece));
		piece->offset = offset + at;
		piece->size = end - at;
		piece->data = kmln_pool_memdup(around->pool, data + at, end - at);
		around->bytes += end - at;
		at = end;
	}
}

static int read_part(struct around *around, uint64_t from, uint64_t to, struct kmln_error *err)
{
	KMLN_FREE char *data = kmln_malloc(PIECE);

	for (uint64_t at = from; at < to && around->bytes <= BYTES_MAX;) {
		uint64_t length = to - at < PIECE ? to - at : PIECE;
		bool stored;
		int r = kmln_device_extent(around->disk->device, at, &length, &stored, err);

		if (r == 0 && stored)
			r = kmln_device_read(around->disk->device, data, (size_t)length, at, err);
		if (r < 0)
			return r;
		/* the last sector of a file may be cut short */
		if (stored)
			add_runs(around, data, (size_t)(length / SECTOR * SECTOR), at);
		at += length;
	}
	return 0;
}

int kmln_around_read(const struct kmln_disk *disk, const struct kmln_facts *facts,
	struct kmln_pool *pool, struct kmln_goal *goal, struct kmln_error *err)
{
	struct around around = {disk, pool, goal, 0};
	const struct kmln_range *root = &facts->root->range;
	int r;

	if (!goal->in_place || !facts->table || root->offset > disk->size ||
		root->size > disk->size - root->offset)
		return 0;
	r = read_part(&around, 0, root->offset, err);
	if (r == 0)
		r = read_part(&around, root->offset + root->size, disk->size, err);
	goal->around_too_big = around.bytes > BYTES_MAX;
	if (goal->around_too_big)
		goal->around.count = 0;
	return r;
}
