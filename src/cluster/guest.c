// SPDX-License-Identifier: GPL-2.0-or-later
/* What is in a guest, and making folders and links there; see guest.h. */
#include "cluster/guest.h"

#include <fcntl.h>
#include <string.h>

#include "base/file.h"

/* Silence of an agent that has something to do, ms. */
#define SILENCE 60000
/* A path of 4096 bytes in hexadecimal, one more for a link, and what stands around them. */
#define LINE_MAX_BYTES 20000

static int open_transfer(const char *folder)
{
	int fd;

	if (!folder)
		return -1;
	/* the folder is ours, in ours: only what is in it can be the guest's */
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		kmln_share_sweep(fd);
	return fd;
}

int kmln_guest_prepare(struct kmln_guest *guest, struct kmln_error *err)
{
	KMLN_STREAM struct kmln_stream stream = {.limit_ms = SILENCE};
	struct kmln_json *request = kmln_json_object();
	const struct kmln_json *status = NULL;
	int r;

	kmln_json_set(request, "do", kmln_json_text("status"));
	r = kmln_stream_open(&stream, &guest->control, request, err);
	if (r == 0)
		r = kmln_stream_finish(&stream, &status, err);
	if (r < 0)
		return r;
	if (!kmln_json_get(status, "agent"))
		return kmln_fail(err, ENOTCONN, "no agent answers");
	guest->transfer = open_transfer(kmln_json_get(status, "transfer"));
	return 0;
}

void kmln_guest_close(struct kmln_guest *guest)
{
	kmln_control_close(&guest->control);
	kmln_close_cleanup(&guest->transfer);
}

/* ---- lists ---- */

struct list {
	struct kmln_buf line; /* without its end yet */
	struct kmln_buf texts[2];
	bool below;
	bool enough;
	int (*each)(void *data, const struct kmln_guest_entry *entry, struct kmln_error *err);
	void *data;
};

static void list_fini(struct list *list)
{
	kmln_buf_fini(&list->line);
	kmln_buf_fini(&list->texts[0]);
	kmln_buf_fini(&list->texts[1]);
}

static int take_line(struct list *list, struct kmln_error *err)
{
	struct kmln_guest_entry entry;
	int r = kmln_guest_entry_read(list->line.data, list->line.size, list->texts, &entry, err);

	list->line.size = 0;
	if (r == 0)
		r = list->each(list->data, &entry, err);
	list->enough = !list->below;
	return r;
}

static int take_bytes(struct list *list, const char *bytes, size_t size, struct kmln_error *err)
{
	int r = 0;

	while (r == 0 && size && !list->enough) {
		const char *newline = memchr(bytes, '\n', size);
		size_t n = newline ? (size_t)(newline - bytes) : size;

		if (list->line.size + n > LINE_MAX_BYTES)
			return kmln_fail(err, KMLN_EINVALID, "what it says is no line of a list");
		kmln_buf_add(&list->line, bytes, n);
		if (newline)
			r = take_line(list, err);
		n += newline != NULL;
		bytes += n;
		size -= n;
	}
	return r;
}

int kmln_guest_list(struct kmln_guest *guest, const char *path, bool below,
	int (*each)(void *data, const struct kmln_guest_entry *entry, struct kmln_error *err),
	void *data, struct kmln_error *err)
{
	KMLN_CLEANUP(list_fini)
	struct list list = {.below = below, .each = each, .data = data};
	KMLN_CONTROL struct kmln_control control = KMLN_CONTROL_NONE;
	KMLN_STREAM struct kmln_stream stream = {.limit_ms = SILENCE};
	const struct kmln_json *result;
	struct kmln_frame frame;
	int r = kmln_control_open(&control, guest->folder, err);

	if (r == 0)
		r = kmln_stream_open(&stream, &control, kmln_guest_request("list", path), err);
	while (r >= 0 && !list.enough && (r = kmln_stream_read(&stream, &frame, err)) > 0)
		r = take_bytes(&list, frame.data, frame.size, err);
	if (r < 0 || list.enough)
		return r < 0 ? r : 0;
	return kmln_stream_result(&stream, &result, err);
}

static int keep(void *data, const struct kmln_guest_entry *entry, struct kmln_error *err)
{
	struct kmln_guest_entry *kept = data;

	(void)err;
	*kept = *entry;
	kept->path = kept->target = NULL;
	return 0;
}

int kmln_guest_stat(struct kmln_guest *guest, const char *path, struct kmln_guest_entry *entry,
	struct kmln_error *err)
{
	int r = kmln_guest_list(guest, path, false, keep, entry, err);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : 1;
}

/* ---- folders and links ---- */

static int ask(struct kmln_guest *guest, struct kmln_json *request, struct kmln_error *err)
{
	KMLN_STREAM struct kmln_stream stream = {.limit_ms = SILENCE};
	const struct kmln_json *result;
	int r = kmln_stream_open(&stream, &guest->control, request, err);

	if (r < 0)
		return r;
	kmln_stream_end(&stream);
	return kmln_stream_finish(&stream, &result, err);
}

int kmln_guest_make_folder(
	struct kmln_guest *guest, const char *path, mode_t mode, struct kmln_error *err)
{
	struct kmln_json *request = kmln_guest_request("put", path);

	kmln_json_set(request, "kind", kmln_json_text("folder"));
	kmln_json_set(request, "mode", kmln_json_number(mode));
	return ask(guest, request, err);
}

int kmln_guest_make_link(
	struct kmln_guest *guest, const char *path, const char *target, struct kmln_error *err)
{
	struct kmln_json *request = kmln_guest_request("put", path);

	kmln_json_set(request, "kind", kmln_json_text("link"));
	kmln_guest_set_bytes(request, "target", "target_bytes", target);
	return ask(guest, request, err);
}
