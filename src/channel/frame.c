// SPDX-License-Identifier: GPL-2.0-or-later
/* Making and reading frames; see frame.h. */
#include "channel/frame.h"

#include <string.h>

void kmln_frame_put(struct kmln_buf *out, enum kmln_frame_type type, uint32_t stream,
	const void *data, size_t size)
{
	const unsigned char head[KMLN_FRAME_HEAD] = {
		KMLN_FRAME_MARK,
		(unsigned char)type,
		(unsigned char)size,
		(unsigned char)(size >> 8),
		(unsigned char)stream,
		(unsigned char)(stream >> 8),
		(unsigned char)(stream >> 16),
		(unsigned char)(stream >> 24),
	};

	kmln_buf_add(out, head, sizeof(head));
	if (size)
		kmln_buf_add(out, data, size);
}

void kmln_frame_put_number(
	struct kmln_buf *out, enum kmln_frame_type type, uint32_t stream, uint32_t number)
{
	const unsigned char bytes[] = {(unsigned char)number, (unsigned char)(number >> 8),
		(unsigned char)(number >> 16), (unsigned char)(number >> 24)};

	kmln_frame_put(out, type, stream, bytes, sizeof(bytes));
}

static uint32_t number_at(const char *data)
{
	const unsigned char *b = (const unsigned char *)data;

	return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

uint32_t kmln_frame_number(const struct kmln_frame *frame)
{
	return frame->size == 4 ? number_at(frame->data) : 0;
}

static void add(struct kmln_buf *bytes, size_t want, const char **data, size_t *size)
{
	size_t n = bytes->size < want ? want - bytes->size : 0;

	if (n > *size)
		n = *size;
	kmln_buf_add(bytes, *data, n);
	*data += n;
	*size -= n;
}

static size_t payload(const char *head)
{
	return (unsigned char)head[2] | (size_t)(unsigned char)head[3] << 8;
}

static bool is_head(const char *head)
{
	return head[1] >= KMLN_FRAME_OPEN && head[1] < KMLN_FRAME_TYPES &&
	       payload(head) <= KMLN_FRAME_MAX;
}

bool kmln_frame_take(struct kmln_frame_reader *reader, const char **data, size_t *size)
{
	struct kmln_buf *bytes = &reader->bytes;

	if (bytes->size >= KMLN_FRAME_HEAD && bytes->size == KMLN_FRAME_HEAD + payload(bytes->data))
		bytes->size = 0;
	if (!reader->broken && !bytes->size && *size && (unsigned char)**data != KMLN_FRAME_MARK)
		reader->broken = true;
	if (reader->broken || !*size)
		return false;
	add(bytes, KMLN_FRAME_HEAD, data, size);
	if (bytes->size < KMLN_FRAME_HEAD)
		return false;
	if (!is_head(bytes->data)) {
		reader->broken = true;
		return false;
	}
	add(bytes, KMLN_FRAME_HEAD + payload(bytes->data), data, size);
	if (bytes->size < KMLN_FRAME_HEAD + payload(bytes->data))
		return false;
	reader->frame = (struct kmln_frame){
		.type = (enum kmln_frame_type)bytes->data[1],
		.stream = number_at(bytes->data + 4),
		.data = bytes->data + KMLN_FRAME_HEAD,
		.size = (uint16_t)payload(bytes->data),
	};
	return true;
}

size_t kmln_window_room(const struct kmln_window *window)
{
	uint32_t on_way = window->sent - window->taken;

	if (!window->size)
		return SIZE_MAX;
	return on_way < window->size ? window->size - on_way : 0;
}

void kmln_window_sent(struct kmln_window *window, size_t size)
{
	window->sent += (uint32_t)size;
}

bool kmln_window_taken(struct kmln_window *window, uint32_t taken)
{
	if (taken - window->taken > window->sent - window->taken)
		return false;
	window->taken = taken;
	return true;
}

/* Also without a window the other side learns how far one is. */
#define UNBOUND 65536u

bool kmln_window_take(struct kmln_window_reader *reader, size_t size)
{
	uint32_t limit = reader->size ? reader->size : UNBOUND;

	reader->taken += (uint32_t)size;
	/* half of it, rounded down: with a window of one byte each byte is acknowledged */
	if (reader->taken - reader->told < limit / 2 || reader->taken == reader->told)
		return false;
	reader->told = reader->taken;
	return true;
}
