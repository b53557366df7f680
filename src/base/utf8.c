// SPDX-License-Identifier: GPL-2.0-or-later
/* UTF-8, strictly: no overlong forms, no surrogates, nothing beyond Unicode. */
#include "base/utf8.h"

static size_t expected_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first < 0xe0)
		return 2;
	if ((first & 0xf0) == 0xe0)
		return 3;
	return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

size_t kmln_utf8_length(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;
	size_t n = expected_length(c[0]);

	/* a NUL is no continuation, so this never reads past the end */
	for (size_t i = 1; i < n; i++)
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) ||
		(c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f))
		return 0;
	return n;
}

size_t kmln_utf8_printable(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;
	size_t n = kmln_utf8_length(text);

	if (n == 1)
		return c[0] >= 0x20 && c[0] != 0x7f;
	if (n == 2 && c[0] == 0xc2 && c[1] < 0xa0)
		return 0;
	/* U+202A to U+202E, U+2066 to U+2069 */
	if (n == 3 && c[0] == 0xe2 && c[1] == 0x80 && c[2] >= 0xaa && c[2] <= 0xae)
		return 0;
	if (n == 3 && c[0] == 0xe2 && c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9)
		return 0;
	return n;
}
