// SPDX-License-Identifier: GPL-2.0-or-later
/* The pace of typing; see typing.h. */
#include "run/typing.h"

#define SILENCE 50 /* milliseconds after which a console is silent */
#define DRAIN 256u /* bytes a second */

void kmln_typing_typed(struct kmln_typing *typing, const char *bytes, size_t size, int64_t time)
{
	/* a line that was full drains from now on, an empty one has nothing to drain */
	if (!typing->unread)
		typing->drained = time;
	typing->unread += size;
	typing->last = time;
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)bytes[i];

		/* a new line is echoed as two bytes, a control byte as ^X */
		typing->echo += c < 0x20 || c == 0x7f ? 2 : 1;
	}
}

void kmln_typing_heard(struct kmln_typing *typing, size_t size, int64_t time)
{
	typing->heard += size;
	typing->last = time;
}

/* In one piece a second: drop by drop there would be no silence to see a prompt in. */
static void drain(struct kmln_typing *typing, int64_t time)
{
	if (time - typing->drained < 1000)
		return;
	typing->drained = time;
	typing->unread -= DRAIN < typing->unread ? DRAIN : typing->unread;
}

size_t kmln_typing_room(struct kmln_typing *typing, bool unfinished, int64_t time)
{
	if (!typing->limit)
		return SIZE_MAX;
	if (time - typing->last >= SILENCE) {
		if (unfinished && typing->heard > typing->echo)
			typing->unread = 0;
		typing->heard = typing->echo = 0;
	}
	drain(typing, time);
	return typing->unread < typing->limit ? typing->limit - typing->unread : 0;
}
