// SPDX-License-Identifier: GPL-2.0-or-later
/* The text of a console; see console.h. */
#include "run/console.h"

#include <stdio.h>
#include <string.h>

enum { PLAIN, ESCAPE, INTERMEDIATE, CONTROL, STRING, STRING_ESCAPE };

/* ECMA-48: which bytes belong to an escape sequence. Returns true for a byte of text. */
static bool is_text(struct kmln_console *console, unsigned char c)
{
	/* a control byte that cancels whatever was begun */
	if (c == 0x18 || c == 0x1a) {
		console->escape = PLAIN;
		return false;
	}
	switch (console->escape) {
	case PLAIN:
		if (c == 0x1b)
			console->escape = ESCAPE;
		return c == '\n' || c == '\t' || (c >= 0x20 && c != 0x7f);
	case ESCAPE:
		console->escape = c == '['		    ? CONTROL
				  : strchr("]PX^_", c) && c ? STRING
				  : c >= 0x20 && c <= 0x2f  ? INTERMEDIATE
				  : c == 0x1b		    ? ESCAPE
							    : PLAIN;
		return false;
	case INTERMEDIATE:
		if (c < 0x20 || c > 0x2f)
			console->escape = PLAIN;
		return false;
	case CONTROL:
		if (c >= 0x40 && c <= 0x7e)
			console->escape = PLAIN;
		else if (c == 0x1b)
			console->escape = ESCAPE;
		break;
	case STRING:
		if (c == 0x07)
			console->escape = PLAIN;
		else if (c == 0x1b)
			console->escape = STRING_ESCAPE;
		break;
	case STRING_ESCAPE:
		console->escape = c == '\\' ? PLAIN : STRING;
		break;
	}
	/* a new line ends a sequence that never ends itself: it must not swallow the rest */
	if (c == '\n')
		console->escape = PLAIN;
	return c == '\n';
}

static void keep_line(char *to, size_t room, const char *line, size_t size)
{
	if (*to)
		return;
	snprintf(to, room, "%.*s", (int)size, line);
}

/* The kernel's own words, at the begin of a line or behind its "[    1.234567] ". */
static void look_at_line(struct kmln_console *console, const char *line, size_t size)
{
	static const char panic[] = "Kernel panic - not syncing", lock[] = "Failed to lock '";
	const char *text = line;
	size_t left = size;

	if (size && line[0] == '[') {
		const char *end = memmem(line, size, "] ", 2);

		if (end && strspn(line + 1, " .0123456789") == (size_t)(end - line - 1)) {
			text = end + 2;
			left = size - (size_t)(text - line);
		}
	}
	if (left >= sizeof(panic) - 1 && memcmp(text, panic, sizeof(panic) - 1) == 0)
		keep_line(console->panic, sizeof(console->panic), text, left);
	if (left >= sizeof(lock) - 1 && memcmp(text, lock, sizeof(lock) - 1) == 0)
		keep_line(console->locked, sizeof(console->locked), text, left);
}

/* Drops the older half, so that each byte is moved a constant number of times. */
static void shorten(struct kmln_console *console)
{
	size_t drop = console->text.size - KMLN_CONSOLE_WINDOW / 2;

	memmove(console->text.data, console->text.data + drop, console->text.size - drop + 1);
	console->text.size -= drop;
	if (console->mark < drop)
		console->mark_in_line = true;
	console->mark -= console->mark < drop ? console->mark : drop;
	console->line -= console->line < drop ? console->line : drop;
}

void kmln_console_add(struct kmln_console *console, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (!is_text(console, (unsigned char)bytes[i]))
			continue;
		kmln_buf_add(&console->text, &bytes[i], 1);
		if (bytes[i] == '\n') {
			look_at_line(console, console->text.data + console->line,
				console->text.size - 1 - console->line);
			console->line = console->text.size;
		}
		if (console->text.size >= KMLN_CONSOLE_WINDOW)
			shorten(console);
	}
}

bool kmln_console_match(struct kmln_console *console, const regex_t *regex)
{
	while (console->mark < console->text.size) {
		const char *start = console->text.data + console->mark;
		size_t rest = console->text.size - console->mark;
		const char *end = memchr(start, '\n', rest);
		size_t size = end ? (size_t)(end - start) : rest;
		bool piece = size > KMLN_CONSOLE_LINE;
		int flags = console->mark_in_line ? REG_NOTBOL : 0;
		regmatch_t match;

		if (piece)
			size = KMLN_CONSOLE_LINE;
		match = (regmatch_t){.rm_so = 0, .rm_eo = (regoff_t)size};
		if (regexec(regex, start, 1, &match, flags | REG_STARTEND) == 0) {
			console->mark += (size_t)match.rm_eo;
			console->mark_in_line = true;
			/* a pattern that matches nothing must not match the same nothing again */
			if (match.rm_eo == 0 && end && !piece) {
				console->mark++;
				console->mark_in_line = false;
			}
			return true;
		}
		if (!end && !piece)
			return false;
		console->mark += size + !piece;
		console->mark_in_line = piece;
	}
	return false;
}

void kmln_console_tail(const struct kmln_console *console, unsigned lines, struct kmln_buf *out)
{
	const char *text = console->text.data;
	size_t end = console->text.size, start, panic = strlen(console->panic);
	const char *line = panic && text ? memmem(text, end, console->panic, panic) : NULL;

	/* what led to a panic is told before it; behind it are only addresses */
	if (line)
		end = (size_t)(line - text) + panic;
	while (end && text[end - 1] == '\n')
		end--;
	for (start = end; start && end - start < KMLN_CONSOLE_LINE; start--)
		if (text[start - 1] == '\n' && --lines == 0)
			break;
	if (end > start) {
		kmln_buf_add(out, text + start, end - start);
		kmln_buf_str(out, "\n");
	}
}

void kmln_console_fini(struct kmln_console *console)
{
	kmln_buf_fini(&console->text);
}
