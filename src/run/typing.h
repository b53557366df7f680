/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How fast a machine's console may be typed on. UML's serial line stops for ever once the guest
 * leaves about 4000 bytes unread, and nothing tells what it has read: its terminal echoes a byte
 * when it arrives. So this is a guess, made to be wrong on the slow side: what is typed counts as
 * unread until the guest shows something that looks like a prompt (more than the echo, then
 * silence in an unfinished line), and otherwise drains slowly. At most `limit` bytes are unread at
 * first; a guest that reads nothing for ten seconds is not given 4000. Pure.
 */
#ifndef KMLN_RUN_TYPING_H
#define KMLN_RUN_TYPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kmln_typing {
	size_t limit; /* bytes; 0: the line bears everything */
	size_t unread; /* bytes, as guessed */
	size_t echo; /* bytes that the terminal will echo of what was typed since the last silence
		      */
	size_t heard; /* bytes that came since then */
	int64_t last; /* when something was typed or heard, in milliseconds of any clock */
	int64_t drained; /* until when the slow draining was counted */
};

void kmln_typing_typed(struct kmln_typing *typing, const char *bytes, size_t size, int64_t time);
void kmln_typing_heard(struct kmln_typing *typing, size_t size, int64_t time);
/* How many bytes may be typed now; `unfinished`: the console's last line is not empty. */
size_t kmln_typing_room(struct kmln_typing *typing, bool unfinished, int64_t time);

#endif
