// SPDX-License-Identifier: GPL-2.0-or-later
/* Lines of several guests on one output; see output.h. */
#include "cli/output.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"

/* The length of the escape sequence that begins here (colours, mostly); 0 for none that is whole.
 */
static size_t sequence(const char *bytes, size_t size)
{
	size_t n = 2;

	if (size < 3 || bytes[0] != '\033' || bytes[1] != '[')
		return 0;
	while (n < size && bytes[n] >= 0x20 && bytes[n] < 0x40)
		n++;
	return n < size && bytes[n] >= 0x40 && bytes[n] < 0x7f ? n + 1 : 0;
}

void kmln_harmless(const char *bytes, size_t size, struct kmln_buf *out)
{
	while (size) {
		char c[5] = "";
		size_t n = sequence(bytes, size);

		if (n) {
			bytes += n;
			size -= n;
			continue;
		}
		/* a copy with a NUL behind it: a character may be cut off at the end */
		memcpy(c, bytes, size < 4 ? size : 4);
		n = kmln_utf8_printable(c);
		if (!n && (*bytes == '\n' || *bytes == '\t'))
			n = 1;
		if (n)
			kmln_buf_add(out, bytes, n);
		else
			kmln_buf_printf(out, "\\x%02x", (unsigned char)*bytes);
		n = n ? n : 1;
		bytes += n;
		size -= n;
	}
}

static void flush(struct kmln_prefixer *p, struct kmln_buf *out)
{
	size_t size = p->line.size;

	if (p->name && p->color)
		kmln_buf_printf(out, "\033[%sm%s:\033[0m ", p->color, p->name);
	else if (p->name)
		kmln_buf_printf(out, "%s: ", p->name);
	/* the carriage return of a terminal's line end is none of the text */
	if (p->harmless && size && p->line.data[size - 1] == '\r')
		size--;
	if (p->harmless)
		kmln_harmless(p->line.data, size, out);
	else
		kmln_buf_add(out, p->line.data, size);
	kmln_buf_add(out, "\n", 1);
	p->line.size = 0;
}

void kmln_prefixer_add(
	struct kmln_prefixer *prefixer, const char *bytes, size_t size, struct kmln_buf *out)
{
	kmln_buf_add(&prefixer->line, "", 0);
	while (size) {
		const char *newline = memchr(bytes, '\n', size);
		size_t n = newline ? (size_t)(newline - bytes) : size;
		size_t room = KMLN_OUTPUT_LINE - prefixer->line.size;
		bool cut = n > room;

		if (cut)
			n = room;
		kmln_buf_add(&prefixer->line, bytes, n);
		if (cut || newline)
			flush(prefixer, out);
		n += !cut && newline;
		bytes += n;
		size -= n;
	}
}

void kmln_prefixer_end(struct kmln_prefixer *prefixer, struct kmln_buf *out)
{
	if (prefixer->line.size)
		flush(prefixer, out);
}

const char *kmln_color(int fd, size_t number)
{
	static const char *const colors[] = {"36", "33", "32", "35", "34", "31"};
	const char *plain = getenv("NO_COLOR");

	if (!isatty(fd) || (plain && *plain))
		return NULL;
	return colors[number % KMLN_COUNT(colors)];
}
