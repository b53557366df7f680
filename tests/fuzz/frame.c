// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The frames between kmln, its nodes and agents, in pieces: the first byte is the size of a piece.
 * However they are cut, the same frames come out; what is held is bounded, and put again it is the
 * same bytes.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "channel/frame.h"

static bool take_all(const uint8_t *bytes, size_t size, size_t piece, struct kmln_buf *out)
{
	struct kmln_frame_reader reader = {0};
	bool broken;

	while (size && !reader.broken) {
		size_t n = size < piece ? size : piece;
		/* of just its size, so that a sanitizer sees a step too far */
		KMLN_FREE char *part = kmln_malloc(n);
		const char *data = part;
		size_t left = n;

		memcpy(part, bytes, n);
		while (kmln_frame_take(&reader, &data, &left)) {
			const struct kmln_frame *frame = &reader.frame;

			if (frame->size > KMLN_FRAME_MAX || frame->data[frame->size] ||
				reader.bytes.size > KMLN_FRAME_HEAD + KMLN_FRAME_MAX)
				abort();
			kmln_frame_number(frame);
			kmln_frame_put(out, frame->type, frame->stream, frame->data, frame->size);
		}
		if (left && !reader.broken)
			abort();
		bytes += n;
		size -= n;
	}
	broken = reader.broken;
	kmln_buf_fini(&reader.bytes);
	return broken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	KMLN_BUF struct kmln_buf whole = {0}, pieces = {0};
	bool broken;

	if (!size)
		return 0;
	broken = take_all(data + 1, size - 1, SIZE_MAX, &whole);
	if (take_all(data + 1, size - 1, (size_t)data[0] + 1, &pieces) != broken ||
		whole.size != pieces.size || whole.size > size - 1 ||
		(whole.size && (memcmp(whole.data, pieces.data, whole.size) != 0 ||
				       memcmp(whole.data, data + 1, whole.size) != 0)))
		abort();
	return 0;
}
