/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The console of a node's program: what it showed last, in bytes and as text, and what is to be
 * typed. Memory is bounded; readers that are too slow miss what they did not take in time.
 */
#ifndef KMLN_NODE_SCREEN_H
#define KMLN_NODE_SCREEN_H

#include "run/console.h"
#include "run/typing.h"

/* Bytes that are kept for those who come later. */
#define KMLN_SCREEN_KEPT 65536
/* Bytes that wait to be typed, at most. */
#define KMLN_SCREEN_TO_TYPE 65536

struct kmln_screen {
	struct kmln_console text;
	char *kept; /* the last KMLN_SCREEN_KEPT bytes, in a circle */
	uint64_t end; /* bytes shown, all in all */
	struct kmln_buf to_type;
	struct kmln_typing typing;
};

/* `time` is in milliseconds of any clock. */
void kmln_screen_show(struct kmln_screen *screen, const char *bytes, size_t size, int64_t time);
/* From where a reader begins who wants the last `replay` bytes. */
uint64_t kmln_screen_from(const struct kmln_screen *screen, uint64_t replay);
/* Copies what was shown from *position on, up to `room` bytes, and moves *position behind it; first
 * to the oldest byte that is kept. Returns how many bytes. */
size_t kmln_screen_read(
	const struct kmln_screen *screen, uint64_t *position, char *to, size_t room);
/* The last line that is not empty, appended without its newline; at most 200 bytes. */
void kmln_screen_last_line(const struct kmln_screen *screen, struct kmln_buf *out);
/* Types what may be typed now into the descriptor. */
void kmln_screen_type(struct kmln_screen *screen, int fd, int64_t time);
/* Forgets all but what was shown: another program gets the console. */
void kmln_screen_restart(struct kmln_screen *screen, size_t type_ahead);
void kmln_screen_fini(struct kmln_screen *screen);

#endif
