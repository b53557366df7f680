/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames: what kmln, its nodes and the agent in a guest say to each other; docs/life.md has the
 * table. Bytes in, frames out; pure. The other side may be hostile: nothing is kept but one frame.
 */
#ifndef KMLN_CHANNEL_FRAME_H
#define KMLN_CHANNEL_FRAME_H

#include <stdint.h>

#include "base/mem.h"

#define KMLN_FRAME_MARK 0x4b
#define KMLN_FRAME_HEAD 8 /* bytes */
#define KMLN_FRAME_MAX 16384 /* of payload, bytes */
/* What a sender may send on a new stream before it is given more, bytes. */
#define KMLN_FRAME_CREDIT 65536

enum kmln_frame_type {
	KMLN_FRAME_OPEN = 1,
	KMLN_FRAME_DATA,
	KMLN_FRAME_ERROR_DATA,
	KMLN_FRAME_END,
	KMLN_FRAME_CREDIT_MORE,
	KMLN_FRAME_CONTROL,
	KMLN_FRAME_CLOSE,
	KMLN_FRAME_ACK,
	KMLN_FRAME_TYPES
};

struct kmln_frame {
	enum kmln_frame_type type;
	uint32_t stream;
	const char *data; /* the payload, with a NUL behind it that is not counted */
	uint16_t size;
};

/* Appends a frame; `size` is at most KMLN_FRAME_MAX. */
void kmln_frame_put(struct kmln_buf *out, enum kmln_frame_type type, uint32_t stream,
	const void *data, size_t size);
/* One whose payload is a number (CREDIT_MORE, ACK). */
void kmln_frame_put_number(
	struct kmln_buf *out, enum kmln_frame_type type, uint32_t stream, uint32_t number);
/* The number of such a frame; 0 where its payload is none. */
uint32_t kmln_frame_number(const struct kmln_frame *frame);

/* The receiving end. Zeroed to begin with; kmln_buf_fini(&reader->bytes) ends it. */
struct kmln_frame_reader {
	struct kmln_buf bytes; /* the beginning of a frame that is not whole */
	struct kmln_frame frame; /* the last one; valid until the next call */
	bool broken; /* what came is no frame; nothing is read any more */
};

/*
 * Takes bytes from *data until a frame is whole, and moves *data and *size behind what was taken.
 * True: reader->frame is one, and there may be more in the rest. False: all was taken, or the
 * reader is broken, and *data stands behind what was looked at.
 */
bool kmln_frame_take(struct kmln_frame_reader *reader, const char **data, size_t *size);

/*
 * The window of a line that stalls for good when it is flooded: the sender's end. Bytes of frames,
 * heads included, not frames, are counted; both counts run over at 2^32. Zeroed but for the size.
 */
struct kmln_window {
	uint32_t size; /* bytes that may be on the way; 0: as many as one likes */
	uint32_t sent; /* bytes, all in all */
	uint32_t taken; /* of these, acknowledged */
};

/* How many bytes may be sent now. */
size_t kmln_window_room(const struct kmln_window *window);
/* So many were: not more than there was room for. */
void kmln_window_sent(struct kmln_window *window, size_t size);
/* The number of an ACK frame. False: more than was ever sent, so that the line must start anew. */
bool kmln_window_taken(struct kmln_window *window, uint32_t taken);

/* The receiver's end. Zeroed but for the size, which is the sender's. */
struct kmln_window_reader {
	uint32_t size;
	uint32_t taken; /* bytes, all in all; what an ACK frame says */
	uint32_t told; /* as the last ACK frame said */
};

/* So many bytes were taken off the line. True: an ACK frame is due, and counts as sent. */
bool kmln_window_take(struct kmln_window_reader *reader, size_t size);

#endif
