/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON: the one home of jansson. Values are made, put into their parent, which then owns them, and
 * the root is printed and freed in one call. Reading gives an object whose texts can be asked for.
 */
#ifndef KMLN_TEXT_JSON_H
#define KMLN_TEXT_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/mem.h"

struct kmln_json;

struct kmln_json *kmln_json_object(void);
struct kmln_json *kmln_json_array(void);
/* NULL gives null. Bytes that are not UTF-8 become the text \xNN. */
struct kmln_json *kmln_json_text(const char *text);
/* Beyond 63 bits: the greatest that fits. */
struct kmln_json *kmln_json_number(uint64_t number);
struct kmln_json *kmln_json_signed(int64_t number);
/* Not finite gives null. */
struct kmln_json *kmln_json_real(double number);
struct kmln_json *kmln_json_bool(bool yes);

/* Both take `value` over and return it, for filling it further. A key is cleaned as a text is. */
struct kmln_json *kmln_json_set(struct kmln_json *object, const char *key, struct kmln_json *value);
struct kmln_json *kmln_json_add(struct kmln_json *array, struct kmln_json *value);

/* Prints with two blanks of indent and a newline, keys in the order they were set, and frees. */
int kmln_json_print_free(struct kmln_json *root, FILE *to, struct kmln_error *err);

/* An object out of its text. KMLN_EINVALID, with the line, for what is none. */
int kmln_json_parse(
	const char *text, size_t size, struct kmln_json **object, struct kmln_error *err);
/* A member that is a text, valid as long as the object; NULL where it is not there, or is none. */
const char *kmln_json_get(const struct kmln_json *object, const char *key);
/* A member of any kind, an object, a number ..., that belongs to the object; NULL where it is not.
 */
const struct kmln_json *kmln_json_member(const struct kmln_json *object, const char *key);
/* A member that is a whole number; `otherwise` where it is not there, or is none. */
int64_t kmln_json_integer(const struct kmln_json *object, const char *key, int64_t otherwise);
/* True for a member that is true. */
bool kmln_json_true(const struct kmln_json *object, const char *key);
/* Members of an array, which belong to it; of anything else there are none. */
size_t kmln_json_count(const struct kmln_json *array);
const struct kmln_json *kmln_json_item(const struct kmln_json *array, size_t index);
/* A value that is a text; NULL where it is none. */
const char *kmln_json_words(const struct kmln_json *value);
/* A copy of a value, without a parent; NULL gives null. */
struct kmln_json *kmln_json_copy(const struct kmln_json *value);
/* Appends the value on one line, without a newline. */
void kmln_json_line(const struct kmln_json *value, struct kmln_buf *out);
/* Frees a value that has no parent, and forgets it; NULL is fine. */
void kmln_json_free(struct kmln_json **value);
#define KMLN_JSON KMLN_CLEANUP(kmln_json_free)

/*
 * Writing piece by piece, for what is too long to be held: zeroed but for `to`. Errors of the
 * output are left to whoever closes it.
 */
struct kmln_json_stream {
	FILE *to;
	unsigned depth; /* brackets that are open, at most 7 */
	char open[8];
	bool filled; /* something stands in the innermost already */
};

/* Opens an object ('{') or an array ('['); `key` is NULL but inside an object. */
void kmln_json_begin(struct kmln_json_stream *stream, const char *key, char bracket);
/* One value on a line, which is freed. */
void kmln_json_put(struct kmln_json_stream *stream, const char *key, struct kmln_json *value);
/* Closes the innermost; the outermost ends with a newline. */
void kmln_json_end(struct kmln_json_stream *stream);

#endif
