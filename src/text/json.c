// SPDX-License-Identifier: GPL-2.0-or-later
/* JSON through jansson. struct kmln_json is json_t by another name; out of memory aborts. */
#include "text/json.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"

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

/* Appends text with what is no UTF-8 as \xNN: jansson takes nothing else. */
static void clean(struct kmln_buf *out, const char *text)
{
	kmln_buf_add(out, "", 0);
	while (*text) {
		size_t n = kmln_utf8_length(text);

		if (n)
			kmln_buf_add(out, text, n);
		else
			kmln_buf_printf(out, "\\x%02x", (unsigned char)*text);
		text += n ? n : 1;
	}
}

struct kmln_json *kmln_json_text(const char *text)
{
	KMLN_BUF struct kmln_buf utf8 = {0};

	if (!text)
		return made(json_null());
	clean(&utf8, text);
	return made(json_stringn(utf8.data, utf8.size));
}

struct kmln_json *kmln_json_number(uint64_t number)
{
	/* a number out of an image may be anything; JSON's readers take 63 bits */
	return made(json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number));
}

struct kmln_json *kmln_json_signed(int64_t number)
{
	return made(json_integer(number));
}

struct kmln_json *kmln_json_real(double number)
{
	return made(isfinite(number) ? json_real(number) : json_null());
}

struct kmln_json *kmln_json_bool(bool yes)
{
	return made(json_boolean(yes));
}

struct kmln_json *kmln_json_set(struct kmln_json *object, const char *key, struct kmln_json *value)
{
	KMLN_BUF struct kmln_buf utf8 = {0};

	clean(&utf8, key);
	if (json_object_set_new((json_t *)object, utf8.data, (json_t *)value) < 0)
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

int kmln_json_parse(
	const char *text, size_t size, struct kmln_json **object, struct kmln_error *err)
{
	json_error_t problem;
	json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &problem);

	if (root && !json_is_object(root)) {
		json_decref(root);
		return kmln_fail(err, KMLN_EINVALID, "not a JSON object");
	}
	if (!root)
		return kmln_fail(
			err, KMLN_EINVALID, "not JSON: line %d: %s", problem.line, problem.text);
	*object = (struct kmln_json *)root;
	return 0;
}

const char *kmln_json_get(const struct kmln_json *object, const char *key)
{
	return json_string_value(json_object_get((const json_t *)object, key));
}

const struct kmln_json *kmln_json_member(const struct kmln_json *object, const char *key)
{
	return (const struct kmln_json *)json_object_get((const json_t *)object, key);
}

int64_t kmln_json_integer(const struct kmln_json *object, const char *key, int64_t otherwise)
{
	const json_t *member = json_object_get((const json_t *)object, key);

	return json_is_integer(member) ? json_integer_value(member) : otherwise;
}

bool kmln_json_true(const struct kmln_json *object, const char *key)
{
	return json_is_true(json_object_get((const json_t *)object, key));
}

size_t kmln_json_count(const struct kmln_json *array)
{
	return json_array_size((const json_t *)array);
}

const struct kmln_json *kmln_json_item(const struct kmln_json *array, size_t index)
{
	return (const struct kmln_json *)json_array_get((const json_t *)array, index);
}

const char *kmln_json_words(const struct kmln_json *value)
{
	return json_string_value((const json_t *)value);
}

struct kmln_json *kmln_json_copy(const struct kmln_json *value)
{
	return value ? made(json_deep_copy((const json_t *)value)) : made(json_null());
}

static int append(const char *bytes, size_t size, void *out)
{
	kmln_buf_add(out, bytes, size);
	return 0;
}

void kmln_json_line(const struct kmln_json *value, struct kmln_buf *out)
{
	if (json_dump_callback((const json_t *)value, append, out,
		    JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6)) < 0)
		abort();
}

void kmln_json_free(struct kmln_json **value)
{
	json_decref((json_t *)*value);
	*value = NULL;
}

static void dump(FILE *to, struct kmln_json *value)
{
	json_dumpf((json_t *)value, to, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
	json_decref((json_t *)value);
}

/* The comma behind what stands there, the indent, the key. */
static void start_value(struct kmln_json_stream *stream, const char *key)
{
	if (stream->depth)
		fprintf(stream->to, "%s\n%*s", stream->filled ? "," : "", (int)(2 * stream->depth),
			"");
	stream->filled = true;
	if (key) {
		dump(stream->to, kmln_json_text(key));
		fputs(": ", stream->to);
	}
}

void kmln_json_begin(struct kmln_json_stream *stream, const char *key, char bracket)
{
	start_value(stream, key);
	if (stream->depth + 1 >= sizeof(stream->open))
		abort();
	stream->open[stream->depth++] = bracket == '{' ? '}' : ']';
	stream->filled = false;
	fputc(bracket, stream->to);
}

void kmln_json_put(struct kmln_json_stream *stream, const char *key, struct kmln_json *value)
{
	start_value(stream, key);
	dump(stream->to, value);
}

void kmln_json_end(struct kmln_json_stream *stream)
{
	stream->depth--;
	if (stream->filled)
		fprintf(stream->to, "\n%*s", (int)(2 * stream->depth), "");
	fputc(stream->open[stream->depth], stream->to);
	stream->filled = true;
	if (!stream->depth)
		fputc('\n', stream->to);
}
