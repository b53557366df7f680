// SPDX-License-Identifier: GPL-2.0-or-later
/* What a console shows and is told; see screen.h. */
#include "node/screen.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LAST_LINE 200

void kmln_screen_show(struct kmln_screen *screen, const char *bytes, size_t size, int64_t time)
{
	kmln_typing_heard(&screen->typing, size, time);
	kmln_console_add(&screen->text, bytes, size);
	if (!screen->kept)
		screen->kept = kmln_malloc(KMLN_SCREEN_KEPT);
	while (size) {
		size_t at = screen->end % KMLN_SCREEN_KEPT, n = KMLN_SCREEN_KEPT - at;

		if (n > size)
			n = size;
		memcpy(screen->kept + at, bytes, n);
		screen->end += n;
		bytes += n;
		size -= n;
	}
}

uint64_t kmln_screen_from(const struct kmln_screen *screen, uint64_t replay)
{
	if (replay > KMLN_SCREEN_KEPT)
		replay = KMLN_SCREEN_KEPT;
	return replay < screen->end ? screen->end - replay : 0;
}

size_t kmln_screen_read(const struct kmln_screen *screen, uint64_t *position, char *to, size_t room)
{
	size_t size = 0;

	if (screen->end - *position > KMLN_SCREEN_KEPT)
		*position = screen->end - KMLN_SCREEN_KEPT;
	while (size < room && *position < screen->end) {
		size_t at = *position % KMLN_SCREEN_KEPT, n = KMLN_SCREEN_KEPT - at;

		if (n > screen->end - *position)
			n = screen->end - *position;
		if (n > room - size)
			n = room - size;
		memcpy(to + size, screen->kept + at, n);
		size += n;
		*position += n;
	}
	return size;
}

void kmln_screen_last_line(const struct kmln_screen *screen, struct kmln_buf *out)
{
	KMLN_BUF struct kmln_buf line = {0};

	kmln_console_tail(&screen->text, 1, &line);
	while (line.size && line.data[line.size - 1] == '\n')
		line.size--;
	kmln_buf_add(out, line.data, line.size < LAST_LINE ? line.size : LAST_LINE);
}

void kmln_screen_type(struct kmln_screen *screen, int fd, int64_t time)
{
	struct kmln_buf *bytes = &screen->to_type;
	bool unfinished = screen->text.text.size > screen->text.line;
	size_t size = bytes->size ? kmln_typing_room(&screen->typing, unfinished, time) : 0;
	ssize_t n;

	if (size > bytes->size)
		size = bytes->size;
	if (!size || fd < 0)
		return;
	n = write(fd, bytes->data, size);
	if (n > 0) {
		kmln_typing_typed(&screen->typing, bytes->data, (size_t)n, time);
		memmove(bytes->data, bytes->data + n, bytes->size - (size_t)n);
		bytes->size -= (size_t)n;
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		bytes->size = 0;
	}
}

void kmln_screen_restart(struct kmln_screen *screen, size_t type_ahead)
{
	kmln_console_fini(&screen->text);
	screen->text = (struct kmln_console){0};
	screen->to_type.size = 0;
	screen->typing = (struct kmln_typing){.limit = type_ahead};
}

void kmln_screen_fini(struct kmln_screen *screen)
{
	kmln_console_fini(&screen->text);
	kmln_buf_fini(&screen->to_type);
	free(screen->kept);
	screen->kept = NULL;
}
