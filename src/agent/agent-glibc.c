// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Debian's libjansson.a is made for glibc with its checked functions; these three are all that musl
 * lacks of what it uses. Everything else that it calls is the same in both.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int __vsnprintf_chk(char *to, size_t size, int flags, size_t room, const char *fmt, va_list args)
	__attribute__((format(printf, 5, 0)));
int __snprintf_chk(char *to, size_t size, int flags, size_t room, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
char *__strncpy_chk(char *to, const char *from, size_t size, size_t room);

int __vsnprintf_chk(char *to, size_t size, int flags, size_t room, const char *fmt, va_list args)
{
	(void)flags;
	if (room < size)
		abort();
	return vsnprintf(to, size, fmt, args);
}

int __snprintf_chk(char *to, size_t size, int flags, size_t room, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = __vsnprintf_chk(to, size, flags, room, fmt, args);
	va_end(args);
	return n;
}

char *__strncpy_chk(char *to, const char *from, size_t size, size_t room)
{
	if (room < size)
		abort();
	memcpy(to, from, strnlen(from, size));
	memset(to + strnlen(from, size), 0, size - strnlen(from, size));
	return to;
}
