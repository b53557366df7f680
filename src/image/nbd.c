// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The NBD kind of device. All waiting is in one place, settle(), which also hears what the server's
 * process says: it would stop where nobody reads its words, and we would wait for it.
 */
#include "image/nbd.h"

#include <libnbd.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define CHUNK (32u << 10) /* of the cache */
#define SLOTS 96
#define CACHE_MAX (6u << 20) /* bytes in all slots */
#define RUN_MAX 8 /* chunks of one slot, where reads go on in a row */
#define AHEAD 2 /* such slots are asked for ahead */
#define BIG (1u << 20) /* from this size on a read does not go through the cache */
#define PIECE (256u << 10) /* of one request */
#define FLIGHT 8 /* requests at once */
#define STATUS_MAX 512 /* extents that are kept of an answer */
#define STATUS_RANGE (1u << 30) /* how much one question asks for */

struct extent {
	uint64_t end;
	bool data;
};

struct nbd_device;

/* A place in the cache, for some chunks in a row. No chunk is in two. */
struct slot {
	struct nbd_device *owner;
	uint64_t chunk; /* number of the first */
	unsigned count; /* 0: it is empty */
	uint64_t used; /* when it was last wanted */
	bool loading; /* asked for, and not yet come */
	bool ahead; /* asked for before it was wanted, and not yet wanted */
	int refused; /* the error that came instead, until the slot is forgotten */
	char *data; /* count * CHUNK bytes */
};

struct nbd_device {
	struct kmln_device device;
	struct kmln_storage *storage; /* owned */
	struct nbd_handle *nbd; /* owned */
	bool has_status;
	unsigned pending; /* requests in flight */
	int refused; /* the first error that the server gave to one of them */
	struct kmln_error lost; /* how the connection ended; code 0: it lasts */

	struct slot slots[SLOTS];
	uint64_t clock;
	size_t cached; /* bytes in all slots */

	uint64_t status_start; /* of the kept answer */
	struct extent status[STATUS_MAX];
	size_t status_count;
};

/* ---- requests ---- */

static bool is_over(const struct nbd_device *n)
{
	return nbd_aio_is_dead(n->nbd) > 0 || nbd_aio_is_closed(n->nbd) > 0;
}

static int fail(struct nbd_device *n, const char *what, uint64_t offset, struct kmln_error *err)
{
	KMLN_FREE char *where = kmln_printf("%s at byte %llu", what, (unsigned long long)offset);

	if (!is_over(n))
		return kmln_fail_sys(err, n->refused ? n->refused : EIO, "%s", where);
	kmln_storage_lost(n->storage, where, err);
	n->lost = *err;
	return -err->code;
}

static int completed(void *user, int *error)
{
	struct nbd_device *n = user;

	n->pending--;
	if (*error && !n->refused)
		n->refused = *error;
	return 1; /* libnbd need not keep it */
}

static nbd_completion_callback on_completion(struct nbd_device *n)
{
	return (nbd_completion_callback){.callback = completed, .user_data = n};
}

/* Until at most `most` requests are in flight. Those of a connection that ends are completed with
 * an error, so that no buffer is written to afterwards. */
static void settle(struct nbd_device *n, unsigned most)
{
	while (n->pending > most && !is_over(n)) {
		unsigned direction = nbd_aio_get_direction(n->nbd);
		struct pollfd fds[] = {
			{nbd_aio_get_fd(n->nbd), 0, 0},
			{kmln_storage_words(n->storage), POLLIN, 0},
		};

		if (direction & LIBNBD_AIO_DIRECTION_READ)
			fds[0].events |= POLLIN;
		if (direction & LIBNBD_AIO_DIRECTION_WRITE)
			fds[0].events |= POLLOUT;
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents)
			kmln_storage_hear(n->storage);
		/* its own errors end the connection, which is asked for above */
		if (fds[0].revents & (POLLIN | POLLHUP | POLLERR) &&
			direction & LIBNBD_AIO_DIRECTION_READ)
			nbd_aio_notify_read(n->nbd);
		else if (fds[0].revents)
			nbd_aio_notify_write(n->nbd);
	}
}

/* Behind each request's start. One that libnbd does not take is never completed. */
static void begun(struct nbd_device *n, int64_t cookie)
{
	if (cookie >= 0)
		return;
	n->pending--;
	if (!n->refused)
		n->refused = EIO;
}

/* Counted before it starts: libnbd may complete a request while it takes it. */
static void ask_read(struct nbd_device *n, void *data, size_t size, uint64_t offset)
{
	n->pending++;
	begun(n, nbd_aio_pread(n->nbd, data, size, offset, on_completion(n), 0));
}

static void ask_write(struct nbd_device *n, const void *data, size_t size, uint64_t offset)
{
	n->pending++;
	begun(n, nbd_aio_pwrite(n->nbd, data, size, offset, on_completion(n), 0));
}

/* 0 where requests can be made, and nothing is under way. A connection that is over has failed for
 * good. */
static int ready(struct nbd_device *n, struct kmln_error *err)
{
	settle(n, 0);
	n->refused = 0;
	if (!is_over(n))
		return 0;
	if (!n->lost.code)
		return fail(n, "connect", 0, err);
	*err = n->lost;
	return -err->code;
}

static int done(struct nbd_device *n, const char *what, uint64_t offset, struct kmln_error *err)
{
	settle(n, 0);
	return is_over(n) || n->refused ? fail(n, what, offset, err) : 0;
}

static int read_big(
	struct nbd_device *n, char *data, size_t size, uint64_t offset, struct kmln_error *err)
{
	size_t at = 0;
	int r = ready(n, err);

	while (r == 0 && at < size && !n->refused && !is_over(n)) {
		size_t piece = size - at < PIECE ? size - at : PIECE;

		settle(n, FLIGHT - 1);
		ask_read(n, data + at, piece, offset + at);
		at += piece;
	}
	return r < 0 ? r : done(n, "read", offset, err);
}

/* ---- the cache ---- */

static struct slot *find(struct nbd_device *n, uint64_t chunk)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (chunk - n->slots[i].chunk < n->slots[i].count)
			return &n->slots[i];
	return NULL;
}

/* The one that was not wanted for longest, empty ones first. Some are always free of requests. */
static struct slot *oldest(struct nbd_device *n)
{
	struct slot *best = NULL;

	for (size_t i = 0; i < SLOTS; i++)
		if (!n->slots[i].loading && (!best || n->slots[i].used < best->used))
			best = &n->slots[i];
	return best;
}

/* The one with bytes in it that was not wanted for longest. */
static struct slot *fattest(struct nbd_device *n)
{
	struct slot *best = NULL;

	for (size_t i = 0; i < SLOTS; i++)
		if (!n->slots[i].loading && n->slots[i].count &&
			(!best || n->slots[i].used < best->used))
			best = &n->slots[i];
	return best;
}

static void forget(struct slot *slot)
{
	slot->owner->cached -= (size_t)slot->count * CHUNK;
	free(slot->data);
	*slot = (struct slot){.owner = slot->owner};
}

static int loaded(void *user, int *error)
{
	struct slot *slot = user;

	slot->owner->pending--;
	slot->loading = false;
	slot->refused = *error;
	return 1;
}

/* Asks for up to `count` chunks, as far as they are not there already and the disk goes. */
static struct slot *load(struct nbd_device *n, uint64_t chunk, unsigned count, bool ahead)
{
	uint64_t rest = n->device.size - chunk * CHUNK, size;
	unsigned room = 1;
	struct slot *slot;
	int64_t cookie;

	while (room < count && room * (uint64_t)CHUNK < rest && !find(n, chunk + room))
		room++;
	size = room * (uint64_t)CHUNK < rest ? room * (uint64_t)CHUNK : rest;
	for (slot = fattest(n); slot && n->cached + room * CHUNK > CACHE_MAX; slot = fattest(n))
		forget(slot);
	slot = oldest(n);
	forget(slot);
	n->cached += (size_t)room * CHUNK;
	*slot = (struct slot){
		.owner = n,
		.chunk = chunk,
		.count = room,
		.used = ++n->clock,
		.loading = true,
		.ahead = ahead,
		.data = kmln_malloc((size_t)room * CHUNK),
	};
	n->pending++;
	cookie = nbd_aio_pread(n->nbd, slot->data, (size_t)size, chunk * CHUNK,
		(nbd_completion_callback){.callback = loaded, .user_data = slot}, 0);
	if (cookie < 0)
		loaded(slot, &(int){EIO});
	return slot;
}

/*
 * Reads go on in rows, several at a time: a filesystem's tables, its folders, a file. Each part of
 * a row is twice as long as the one before; what comes behind a long one is asked for already, and
 * is under way while the caller works.
 */
static void load_ahead(struct nbd_device *n, uint64_t chunk)
{
	for (unsigned i = 0; i < AHEAD && chunk * CHUNK < n->device.size; i++) {
		const struct slot *slot = find(n, chunk);

		if (!slot)
			slot = load(n, chunk, RUN_MAX, true);
		chunk = slot->chunk + slot->count;
	}
}

/* The slot with the chunk in it; NULL and an error where it cannot be read. */
static struct slot *fetch(struct nbd_device *n, uint64_t chunk, struct kmln_error *err)
{
	struct slot *slot = find(n, chunk);
	bool long_row = slot && slot->ahead;

	if (is_over(n) && ready(n, err) < 0)
		return NULL;
	/* what was asked for ahead and refused is asked for again, now that it is wanted */
	if (slot && !slot->loading && slot->refused) {
		forget(slot);
		slot = NULL;
	}
	if (!slot) {
		const struct slot *before = chunk ? find(n, chunk - 1) : NULL;
		unsigned count = before ? before->count * 2 : 1;

		long_row = long_row || count >= RUN_MAX;
		slot = load(n, chunk, count < RUN_MAX ? count : RUN_MAX, false);
	}
	/* so it is not given up for what comes ahead */
	slot->used = ++n->clock;
	slot->ahead = false;
	if (long_row)
		load_ahead(n, slot->chunk + slot->count);
	while (slot->loading && !is_over(n))
		settle(n, n->pending - 1);
	if (!slot->loading && !slot->refused)
		return slot;
	n->refused = slot->refused;
	forget(slot);
	fail(n, "read", chunk * CHUNK, err);
	return NULL;
}

static int nbd_read(struct kmln_device *device, void *data, size_t size, uint64_t offset,
	struct kmln_error *err)
{
	struct nbd_device *n = (struct nbd_device *)device;
	char *to = data;

	if (size >= BIG)
		return read_big(n, to, size, offset, err);
	while (size) {
		const struct slot *slot = fetch(n, offset / CHUNK, err);
		size_t from, piece;

		if (!slot)
			return -err->code;
		from = (size_t)(offset - slot->chunk * CHUNK);
		piece = (size_t)slot->count * CHUNK - from;
		piece = piece < size ? piece : size;
		memcpy(to, slot->data + from, piece);
		to += piece;
		offset += piece;
		size -= piece;
	}
	return 0;
}

/* Brings what was written into the chunks that are kept; what failed may be there or not. */
static void update(
	struct nbd_device *n, const char *data, size_t size, uint64_t offset, bool written)
{
	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *slot = &n->slots[i];
		uint64_t start = slot->chunk * CHUNK, end = start + (uint64_t)slot->count * CHUNK;
		uint64_t from = start > offset ? start : offset;
		uint64_t to = end < offset + size ? end : offset + size;

		if (from < to && !written)
			forget(slot);
		else if (from < to)
			memcpy(slot->data + (from - start), data + (from - offset),
				(size_t)(to - from));
	}
}

static int nbd_write(struct kmln_device *device, const void *data, size_t size, uint64_t offset,
	struct kmln_error *err)
{
	struct nbd_device *n = (struct nbd_device *)device;
	const char *from = data;
	size_t at = 0;
	int r = ready(n, err);

	n->status_count = 0;
	while (r == 0 && at < size && !n->refused && !is_over(n)) {
		size_t piece = size - at < PIECE ? size - at : PIECE;

		settle(n, FLIGHT - 1);
		ask_write(n, from + at, piece, offset + at);
		at += piece;
	}
	if (r == 0)
		r = done(n, "write", offset, err);
	update(n, from, size, offset, r == 0);
	return r;
}

static int nbd_flush_device(struct kmln_device *device, struct kmln_error *err)
{
	struct nbd_device *n = (struct nbd_device *)device;
	int r = ready(n, err);

	if (r < 0 || nbd_can_flush(n->nbd) <= 0)
		return r;
	n->pending++;
	begun(n, nbd_aio_flush(n->nbd, on_completion(n), 0));
	return done(n, "sync", 0, err);
}

/* ---- where data is ---- */

static int on_status(void *user, const char *context, uint64_t offset, uint32_t *entries,
	size_t count, int *error)
{
	struct nbd_device *n = user;

	(void)error;
	if (strcmp(context, LIBNBD_CONTEXT_BASE_ALLOCATION) != 0)
		return 0;
	n->status_start = offset;
	n->status_count = 0;
	for (size_t i = 0; i + 1 < count && n->status_count < STATUS_MAX; i += 2) {
		bool data = !(entries[i + 1] & LIBNBD_STATE_ZERO);

		offset += entries[i];
		if (n->status_count && n->status[n->status_count - 1].data == data)
			n->status[n->status_count - 1].end = offset;
		else
			n->status[n->status_count++] = (struct extent){offset, data};
	}
	return 0;
}

static int ask_status(
	struct nbd_device *n, uint64_t offset, uint64_t length, struct kmln_error *err)
{
	nbd_extent_callback found = {.callback = on_status, .user_data = n};
	int r = ready(n, err);

	if (r < 0)
		return r;
	n->status_count = 0;
	n->pending++;
	begun(n, nbd_aio_block_status(n->nbd, length < STATUS_RANGE ? length : STATUS_RANGE, offset,
			 found, on_completion(n), 0));
	return done(n, "ask for holes", offset, err);
}

/* The kept extent that holds `offset`; NULL: none. */
static const struct extent *kept(const struct nbd_device *n, uint64_t offset)
{
	if (!n->status_count || offset < n->status_start)
		return NULL;
	for (size_t i = 0; i < n->status_count; i++)
		if (offset < n->status[i].end)
			return &n->status[i];
	return NULL;
}

static int nbd_extent(struct kmln_device *device, uint64_t offset, uint64_t *length, bool *data,
	struct kmln_error *err)
{
	struct nbd_device *n = (struct nbd_device *)device;
	const struct extent *extent = kept(n, offset);

	*data = true;
	if (!n->has_status)
		return 0;
	if (!extent) {
		int r = ask_status(n, offset, n->device.size - offset, err);

		if (r < 0)
			return r;
		extent = kept(n, offset);
	}
	if (!extent) /* an answer that tells nothing of it */
		return 0;
	*data = extent->data;
	if (extent->end - offset < *length)
		*length = extent->end - offset;
	return 0;
}

/* ---- its life ---- */

static void nbd_end(struct kmln_device *device)
{
	struct nbd_device *n = (struct nbd_device *)device;

	nbd_close(n->nbd);
	kmln_storage_stop(&n->storage);
	for (size_t i = 0; i < SLOTS; i++)
		free(n->slots[i].data);
	free(n);
}

static const struct kmln_device_ops nbd_ops = {
	.name = "nbd",
	.read = nbd_read,
	.write = nbd_write,
	.flush = nbd_flush_device,
	.extent = nbd_extent,
	.close = nbd_end,
};

static int negotiate(struct nbd_device *n, int client, struct kmln_error *err)
{
	int64_t size = -1;

	if (nbd_set_export_name(n->nbd, KMLN_STORAGE_EXPORT) < 0 ||
		nbd_set_pread_initialize(n->nbd, false) < 0 ||
		nbd_add_meta_context(n->nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) < 0) {
		close(client);
		return kmln_fail(err, EIO, "libnbd: %s", nbd_get_error());
	}
	if (nbd_connect_socket(n->nbd, client) < 0 || (size = nbd_get_size(n->nbd)) < 0) {
		kmln_debug("libnbd: %s", nbd_get_error());
		return kmln_storage_lost(n->storage, "connect", err);
	}
	n->device.size = (uint64_t)size;
	n->device.writable = nbd_is_read_only(n->nbd) == 0;
	n->has_status = nbd_can_meta_context(n->nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) > 0;
	return size ? 0 : kmln_fail(err, KMLN_EINVALID, "not an image: its disk has no bytes");
}

int kmln_device_nbd(struct kmln_storage *storage, int client, struct kmln_device **device,
	struct kmln_error *err)
{
	struct nbd_device *n = kmln_malloc(sizeof(*n));
	int r;

	*n = (struct nbd_device){.device.ops = &nbd_ops, .storage = storage};
	for (size_t i = 0; i < SLOTS; i++)
		n->slots[i].owner = n;
	n->nbd = nbd_create();
	if (!n->nbd)
		abort();
	r = negotiate(n, client, err);
	if (r < 0)
		nbd_end(&n->device);
	else
		*device = &n->device;
	return r;
}
