// SPDX-License-Identifier: GPL-2.0-or-later
/* JSON through jansson. struct kmln_json is json_t by another name; out of memory aborts. */
#include "text/json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static struct kmln_json *made(json_t *value)
{
	if (!value)
		abort();
	return (struct kmln_json *)value;
}

struct kmln_json *kmln_json_object(void)
{
	return made(json_object());
}

struct kmln_json *kmln_json_array(void)
{
	return made(json_array());
}

/* The length of the UTF-8 sequence at text, or 0 where there is none. */
static size_t utf8_length(const unsigned char *c)
{
	size_t n = c[0] < 0x80			 ? 1
		   : c[0] >= 0xc2 && c[0] < 0xe0 ? 2
		   : (c[0] & 0xf0) == 0xe0	 ? 3
		   : c[0] >= 0xf0 && c[0] < 0xf5 ? 4
						 : 0;

	for (size_t i = 1; i < n; i++)
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) ||
		(c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f))
		return 0; /* overlong, surrogate, or beyond Unicode */
	return n;
}

struct kmln_json *kmln_json_text(const char *text)
{
	KMLN_BUF struct kmln_buf clean = {0};

	if (!text)
		return made(json_null());
	for (const unsigned char *c = (const unsigned char *)text; *c;) {
		size_t n = utf8_length(c);

		if (n)
			kmln_buf_add(&clean, c, n);
		else
			kmln_buf_printf(&clean, "\\x%02x", *c);
		c += n ? n : 1;
	}
	return made(json_stringn(clean.data ? clean.data : "", clean.size));
}

struct kmln_json *kmln_json_number(uint64_t number)
{
	return made(json_integer((json_int_t)number));
}

struct kmln_json *kmln_json_real(double number)
{
	return made(json_real(number));
}

struct kmln_json *kmln_json_bool(bool yes)
{
	return made(json_boolean(yes));
}

struct kmln_json *kmln_json_set(struct kmln_json *object, const char *key, struct kmln_json *value)
{
	if (json_object_set_new((json_t *)object, key, (json_t *)value) < 0)
		abort();
	return value;
}

struct kmln_json *kmln_json_add(struct kmln_json *array, struct kmln_json *value)
{
	if (json_array_append_new((json_t *)array, (json_t *)value) < 0)
		abort();
	return value;
}

int kmln_json_print_free(struct kmln_json *root, FILE *to, struct kmln_error *err)
{
	int r = json_dumpf((json_t *)root, to, JSON_INDENT(2) | JSON_REAL_PRECISION(6));

	json_decref((json_t *)root);
	if (r < 0 || fputc('\n', to) == EOF)
		return kmln_fail(err, EIO, "cannot write JSON to the output");
	return 0;
}
