/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes that may be anything (names out of a guest, words of a child) on their way to a terminal or
 * into JSON.
 */
#ifndef KMLN_BASE_UTF8_H
#define KMLN_BASE_UTF8_H

#include <stddef.h>

/* The length of the UTF-8 character at `text` (1 to 4), or 0 where the bytes are none. */
size_t kmln_utf8_length(const char *text);
/*
 * As above, and 0 for characters that would steer a terminal: the control characters of ASCII and
 * their 8-bit kin (U+0080 to U+009F), DEL, and those that turn the direction of writing.
 */
size_t kmln_utf8_printable(const char *text);

#endif
