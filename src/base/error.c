// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Filling and wrapping errors. Names out of a guest may stand in a message, so control bytes are
 * made harmless here (with bytes that are no UTF-8), once, for every message: a guest must not be
 * able to write escape sequences to the user's terminal.
 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static void escape_controls(char *text, size_t size)
{
	char copy[sizeof(((struct kmln_error *)0)->text)];
	size_t out = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	for (const char *c = copy; *c;) {
		char piece[8];
		size_t n = *c == '\t' ? 1 : kmln_utf8_printable(c), length = n;

		if (n)
			memcpy(piece, c, n);
		else if (*c ==
			 '\n') /* words of a child may span lines: keep them apart on one line */
			length = (size_t)snprintf(piece, sizeof(piece), " | ");
		else
			length = (size_t)snprintf(
				piece, sizeof(piece), "\\x%02x", (unsigned char)*c);
		if (out + length >= size)
			break;
		memcpy(text + out, piece, length);
		out += length;
		c += n ? n : 1;
	}
	text[out] = '\0';
}

KMLN_PRINTF(3, 0)
static void fill(struct kmln_error *err, int code, const char *fmt, va_list args)
{
	err->code = code;
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	escape_controls(err->text, sizeof(err->text));
}

int kmln_fail(struct kmln_error *err, int code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fill(err, code, fmt, args);
	va_end(args);
	return -code;
}

int kmln_fail_sys(struct kmln_error *err, int code, const char *fmt, ...)
{
	va_list args;
	size_t used;

	va_start(args, fmt);
	fill(err, code, fmt, args);
	va_end(args);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerror(code));
	return -code;
}

int kmln_wrap(struct kmln_error *err, const char *fmt, ...)
{
	struct kmln_error outer;
	va_list args;
	size_t used;

	va_start(args, fmt);
	fill(&outer, err->code, fmt, args);
	va_end(args);
	used = strlen(outer.text);
	snprintf(outer.text + used, sizeof(outer.text) - used, ": %s", err->text);
	*err = outer;
	return -err->code;
}

int kmln_exit_status(const struct kmln_error *err)
{
	switch (err->code) {
	case 0:
		return 0;
	case KMLN_EUSAGE:
		return 2;
	case KMLN_EINVALID:
		return 3;
	case KMLN_ENO:
		return 4;
	case KMLN_ELACK:
		return 5;
	default:
		return 1;
	}
}
