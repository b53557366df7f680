// SPDX-License-Identifier: GPL-2.0-or-later
/* Base64; see base64.h. */
#include "text/base64.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void kmln_base64_add(struct kmln_buf *out, const void *data, size_t size)
{
	const unsigned char *bytes = data;
	char *to = kmln_buf_grow(out, (size + 2) / 3 * 4);

	for (size_t at = 0; at < size; at += 3) {
		const size_t n = size - at < 3 ? size - at : 3;
		const uint32_t bits = (uint32_t)bytes[at] << 16 |
				      (n > 1 ? (uint32_t)bytes[at + 1] << 8 : 0) |
				      (n > 2 ? bytes[at + 2] : 0);

		*to++ = digits[bits >> 18];
		*to++ = digits[bits >> 12 & 63];
		*to++ = n > 1 ? digits[bits >> 6 & 63] : '=';
		*to++ = n > 2 ? digits[bits & 63] : '=';
	}
}

bool kmln_base64_read(const char *text, struct kmln_buf *out)
{
	const size_t length = strlen(text);

	for (size_t at = 0; at < length; at += 4) {
		const bool last = at + 4 == length;
		size_t n = 4;
		uint32_t bits = 0;

		if (length - at < 4)
			return false;
		while (last && n > 2 && text[at + n - 1] == '=')
			n--;
		for (size_t i = 0; i < 4; i++) {
			const char *digit = i < n ? strchr(digits, text[at + i]) : digits;

			if (!digit || (i < n && !text[at + i]))
				return false;
			bits = bits << 6 | (uint32_t)(digit - digits);
		}
		kmln_buf_add(out, (const char[]){(char)(bits >> 16), (char)(bits >> 8), (char)bits},
			n - 1);
	}
	return true;
}
