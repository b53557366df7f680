// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Content of files from and to a guest: through the transfer folder where there is one and the file
 * is worth it, else as a stream. What fails in the first way is tried in the second, which then has
 * the last word.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "cluster/guest.h"

/* Silence, ms: beyond the time that writing and syncing a file of this size may take. */
static unsigned patience(uint64_t size)
{
	uint64_t ms = 60000 + (size == UINT64_MAX ? 0 : size / 1000);

	return ms < 6 * 3600 * 1000u ? (unsigned)ms : 6 * 3600 * 1000u;
}

static void tell(const struct kmln_copied *copied, uint64_t bytes)
{
	if (copied && copied->tell)
		copied->tell(copied->data, bytes);
}

static bool worth_sharing(const struct kmln_guest *guest, uint64_t size)
{
	return guest->transfer >= 0 && size >= KMLN_SHARE_FROM && size != UINT64_MAX;
}

/* Errors that the second way would have as well, or that leave no way. */
static bool is_final(int code)
{
	static const int codes[] = {
		ENOSPC, EDQUOT, EROFS, EISDIR, ENOTDIR, EPIPE, ETIMEDOUT, ENOTCONN, EPROTO};

	for (size_t i = 0; i < KMLN_COUNT(codes); i++)
		if (codes[i] == code)
			return true;
	return false;
}

/* The first way has failed, the second has not. */
static void give_up_sharing(struct kmln_guest *guest, const struct kmln_error *why)
{
	kmln_debug("%s: not through its transfer folder: %s", guest->name, why->text);
	kmln_close_cleanup(&guest->transfer);
}

/* ---- from a guest ---- */

/* Waits for the end while the file grows. */
static int watch(struct kmln_stream *stream, int fd, const struct kmln_copied *copied,
	const struct kmln_json **result, struct kmln_error *err)
{
	unsigned limit = stream->limit_ms, waited = 0;
	uint64_t told = 0;
	struct stat st;
	int r;

	stream->limit_ms = 250;
	while ((r = kmln_stream_finish(stream, result, err)) == -ETIMEDOUT && !stream->closed &&
		waited < limit) {
		waited += stream->limit_ms;
		if (fstat(fd, &st) == 0 && (uint64_t)st.st_size > told) {
			tell(copied, (uint64_t)st.st_size - told);
			told = (uint64_t)st.st_size;
			waited = 0;
		}
	}
	return r;
}

/* Asks for content in a file of the transfer folder; returns its descriptor, at its begin. */
static int fetch(struct kmln_guest *guest, const char *path, uint64_t *size,
	const struct kmln_copied *copied, struct kmln_error *err)
{
	KMLN_STREAM struct kmln_stream stream = {.limit_ms = patience(*size)};
	KMLN_FD int fd = kmln_share_make(guest, err);
	struct kmln_json *request;
	const struct kmln_json *result;
	char name[KMLN_SHARE_NAME];
	struct stat st;
	int r = fd < 0 ? fd : kmln_share_name(guest, fd, name, err);

	if (r < 0)
		return r;
	request = kmln_guest_request("get", path);
	kmln_json_set(request, "share", kmln_json_text(name));
	r = kmln_stream_open(&stream, &guest->control, request, err);
	if (r == 0)
		r = watch(&stream, fd, copied, &result, err);
	kmln_share_unname(guest, name);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0 || st.st_size < 0 ||
		(uint64_t)st.st_size != (uint64_t)kmln_json_integer(result, "size", -1))
		return kmln_fail(err, EIO, "not all of it came through the transfer folder");
	*size = (uint64_t)st.st_size;
	r = fd;
	fd = -1;
	return r;
}

/* Output of the stream to where it goes. */
static int pump(struct kmln_stream *stream, int fd, struct kmln_stream *to,
	const struct kmln_copied *copied, struct kmln_error *err)
{
	struct kmln_frame frame;
	int r;

	while ((r = kmln_stream_read(stream, &frame, err)) > 0) {
		r = to ? kmln_stream_write(to, frame.data, frame.size, err)
		       : kmln_write_all(fd, frame.data, frame.size, err);
		if (r < 0)
			return r;
		tell(copied, frame.size);
	}
	return r;
}

static int get_stream(struct kmln_guest *guest, const char *path, int fd,
	const struct kmln_copied *copied, struct kmln_error *err)
{
	KMLN_STREAM struct kmln_stream stream = {.limit_ms = patience(0)};
	const struct kmln_json *result;
	int r = kmln_stream_open(&stream, &guest->control, kmln_guest_request("get", path), err);

	if (r == 0)
		r = pump(&stream, fd, NULL, copied, err);
	return r < 0 ? r : kmln_stream_result(&stream, &result, err);
}

int kmln_guest_get(struct kmln_guest *guest, const char *path, uint64_t size, int fd,
	const struct kmln_copied *copied, struct kmln_error *err)
{
	struct kmln_error why;
	KMLN_FD int shared = -1;
	int r;

	if (!worth_sharing(guest, size))
		return get_stream(guest, path, fd, copied, err);
	shared = fetch(guest, path, &size, copied, &why);
	if (shared >= 0)
		return kmln_copy_bytes(shared, fd, size, NULL, err);
	if (is_final(why.code)) {
		*err = why;
		return shared;
	}
	r = get_stream(guest, path, fd, copied, err);
	if (r == 0)
		give_up_sharing(guest, &why);
	return r;
}

/* ---- to a guest ---- */

static struct kmln_json *put_request(const char *path, mode_t mode, uint64_t size)
{
	struct kmln_json *request = kmln_guest_request("put", path);

	kmln_json_set(request, "mode", kmln_json_number(mode));
	if (size != UINT64_MAX)
		kmln_json_set(request, "size", kmln_json_number(size));
	return request;
}

static int put_share(struct kmln_guest *guest, const char *path, mode_t mode, int fd, uint64_t size,
	const struct kmln_copied *copied, struct kmln_error *err)
{
	KMLN_STREAM struct kmln_stream stream = {.limit_ms = patience(size)};
	KMLN_FD int shared = kmln_share_make(guest, err);
	struct kmln_json *request;
	const struct kmln_json *result;
	char name[KMLN_SHARE_NAME];
	int r = shared < 0 ? shared : kmln_copy_bytes(fd, shared, size, copied, err);

	if (r == 0)
		r = kmln_share_name(guest, shared, name, err);
	if (r < 0)
		return r;
	request = put_request(path, mode, size);
	kmln_json_set(request, "share", kmln_json_text(name));
	r = kmln_stream_open(&stream, &guest->control, request, err);
	if (r == 0)
		r = kmln_stream_finish(&stream, &result, err);
	kmln_share_unname(guest, name);
	return r;
}

/* What the agent says counts more than that a line has broken. */
static int finish_put(struct kmln_stream *stream, int r, struct kmln_error *err)
{
	const struct kmln_json *result;

	if (r < 0)
		return stream->closed && stream->failure.code
			       ? kmln_stream_result(stream, &result, err)
			       : r;
	kmln_stream_end(stream);
	return kmln_stream_finish(stream, &result, err);
}

static int put_stream(struct kmln_guest *guest, const char *path, mode_t mode, int fd,
	uint64_t size, const struct kmln_copied *copied, struct kmln_error *err)
{
	KMLN_STREAM struct kmln_stream stream = {.limit_ms = patience(size)};
	char piece[KMLN_FRAME_MAX];
	uint64_t left = size;
	ssize_t n = 0;
	int r = kmln_stream_open(&stream, &guest->control, put_request(path, mode, size), err);

	while (r == 0 && left) {
		n = read(fd, piece, left < sizeof(piece) ? left : sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		r = kmln_stream_write(&stream, piece, (size_t)n, err);
		left -= size == UINT64_MAX ? 0 : (uint64_t)n;
		tell(copied, (uint64_t)n);
	}
	if (r == 0 && n < 0)
		return kmln_fail_sys(err, errno, "reading");
	return stream.control ? finish_put(&stream, r, err) : r;
}

int kmln_guest_put(struct kmln_guest *guest, const char *path, mode_t mode, int fd, uint64_t size,
	const struct kmln_copied *copied, struct kmln_error *err)
{
	struct kmln_error why;
	off_t start = lseek(fd, 0, SEEK_CUR);
	int r;

	if (start < 0 || !worth_sharing(guest, size))
		return put_stream(guest, path, mode, fd, size, copied, err);
	r = put_share(guest, path, mode, fd, size, copied, &why);
	if (r == 0)
		return 0;
	if (is_final(why.code)) {
		*err = why;
		return r;
	}
	if (lseek(fd, start, SEEK_SET) < 0)
		return kmln_fail_sys(err, errno, "lseek");
	r = put_stream(guest, path, mode, fd, size, NULL, err);
	if (r == 0)
		give_up_sharing(guest, &why);
	return r;
}

/* ---- from one to another ---- */

static int relay_stream(struct kmln_guest *from, const char *path, struct kmln_guest *to,
	const char *to_path, mode_t mode, const struct kmln_copied *copied, struct kmln_error *err)
{
	KMLN_STREAM struct kmln_stream in = {.limit_ms = patience(0)};
	KMLN_STREAM struct kmln_stream out = {.limit_ms = patience(0)};
	const struct kmln_json *result;
	int r = kmln_stream_open(&in, &from->control, kmln_guest_request("get", path), err);

	if (r == 0)
		r = kmln_stream_open(
			&out, &to->control, put_request(to_path, mode, UINT64_MAX), err);
	if (r == 0)
		r = pump(&in, -1, &out, copied, err);
	/* half a file must not become a whole one: the put is ended with us, not finished */
	if (r == 0)
		r = kmln_stream_result(&in, &result, err);
	return out.control ? finish_put(&out, r, err) : r;
}

int kmln_guest_relay(struct kmln_guest *from, const char *path, uint64_t size,
	struct kmln_guest *to, const char *to_path, mode_t mode, const struct kmln_copied *copied,
	struct kmln_error *err)
{
	struct kmln_error why;
	KMLN_FD int shared = -1;

	if (worth_sharing(from, size))
		shared = fetch(from, path, &size, copied, &why);
	if (shared >= 0)
		return kmln_guest_put(to, to_path, mode, shared, size, NULL, err);
	return relay_stream(from, path, to, to_path, mode, copied, err);
}
