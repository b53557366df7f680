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

#define CHUNK (64u << 10) /* of the cache */
#define CHUNKS 64
#define AHEAD_MAX 8 /* chunks at once, where reads go on in a row */
#define BIG (256u << 10) /* from this size on a read does not go through the cache */
#define PIECE (256u << 10) /* of one request */
#define FLIGHT 8 /* requests at once */
#define STATUS_MAX 512 /* extents that are kept of an answer */
#define STATUS_RANGE (1u << 30) /* how much one question asks for */
#define NOWHERE UINT64_MAX

struct extent {
	uint64_t end;
	bool data;
};

struct nbd_device {
	struct kmln_device device;
	struct kmln_storage *storage; /* owned */
	struct nbd_handle *nbd; /* owned */
	bool has_status;
	unsigned pending; /* requests in flight */
	int refused; /* the first error that the server gave to one of them */
	struct kmln_error lost; /* how the connection ended; code 0: it lasts */

	uint64_t at[CHUNKS]; /* number of the chunk in this slot; NOWHERE: none */
	uint64_t used[CHUNKS]; /* when it was last wanted */
	char *data[CHUNKS]; /* CHUNK bytes each */
	uint64_t clock;
	uint64_t next; /* chunk behind the last one that was fetched */
	unsigned ahead; /* chunks that the next fetch in this row takes */

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

/* 0 where requests can be made. A connection that is over has failed for good. */
static int ready(struct nbd_device *n, struct kmln_error *err)
{
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

static size_t find(const struct nbd_device *n, uint64_t chunk)
{
	size_t i = 0;

	while (i < CHUNKS && n->at[i] != chunk)
		i++;
	return i;
}

static size_t oldest(const struct nbd_device *n)
{
	size_t best = 0;

	for (size_t i = 1; i < CHUNKS; i++)
		if (n->used[i] < n->used[best])
			best = i;
	return best;
}

static void forget(struct nbd_device *n, size_t slot)
{
	n->at[slot] = NOWHERE;
	n->used[slot] = 0;
}

static size_t chunk_size(const struct nbd_device *n, uint64_t chunk)
{
	uint64_t rest = n->device.size - chunk * CHUNK;

	return rest < CHUNK ? (size_t)rest : CHUNK;
}

/* Brings a chunk, and where reads go on in a row, as many of the following as pay off. */
static int fetch(struct nbd_device *n, uint64_t chunk, struct kmln_error *err)
{
	size_t slots[AHEAD_MAX], count = 0;
	uint64_t last = (n->device.size - 1) / CHUNK;
	int r = ready(n, err);

	if (r < 0)
		return r;
	n->ahead = chunk != n->next ? 1 : n->ahead * 2 < AHEAD_MAX ? n->ahead * 2 : AHEAD_MAX;
	n->next = chunk;
	while (count < n->ahead && n->next <= last && find(n, n->next) == CHUNKS) {
		size_t slot = oldest(n);

		if (!n->data[slot])
			n->data[slot] = kmln_malloc(CHUNK);
		n->at[slot] = n->next;
		n->used[slot] = ++n->clock;
		slots[count++] = slot;
		ask_read(n, n->data[slot], chunk_size(n, n->next), n->next * CHUNK);
		n->next++;
	}
	r = done(n, "read", chunk * CHUNK, err);
	for (size_t i = 0; r < 0 && i < count; i++)
		forget(n, slots[i]);
	return r;
}

static int nbd_read(struct kmln_device *device, void *data, size_t size, uint64_t offset,
	struct kmln_error *err)
{
	struct nbd_device *n = (struct nbd_device *)device;
	char *to = data;

	if (size >= BIG)
		return read_big(n, to, size, offset, err);
	while (size) {
		uint64_t chunk = offset / CHUNK;
		size_t from = (size_t)(offset % CHUNK), slot = find(n, chunk), piece;

		if (slot == CHUNKS) {
			int r = fetch(n, chunk, err);

			if (r < 0)
				return r;
			slot = find(n, chunk);
		}
		n->used[slot] = ++n->clock;
		piece = CHUNK - from < size ? CHUNK - from : size;
		memcpy(to, n->data[slot] + from, piece);
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
	for (size_t i = 0; i < CHUNKS; i++) {
		uint64_t start = n->at[i] * CHUNK, from, to;

		if (n->at[i] == NOWHERE || start >= offset + size || start + CHUNK <= offset)
			continue;
		if (!written) {
			forget(n, i);
			continue;
		}
		from = start > offset ? start : offset;
		to = start + CHUNK < offset + size ? start + CHUNK : offset + size;
		memcpy(n->data[i] + (from - start), data + (from - offset), (size_t)(to - from));
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
	for (size_t i = 0; i < CHUNKS; i++)
		free(n->data[i]);
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

	*n = (struct nbd_device){.device.ops = &nbd_ops, .storage = storage, .next = NOWHERE};
	for (size_t i = 0; i < CHUNKS; i++)
		forget(n, i);
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
