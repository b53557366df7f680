/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Short forms for the lines of the table of words, in words-*.c alone. */
#ifndef KMLN_PROJECT_WORDS_TABLES_H
#define KMLN_PROJECT_WORDS_TABLES_H

#include "project/words.h"

/* Columns: one word of a type; the same, which may be absent. */
#define KMLN_COLUMNS(...) ((const struct kmln_column[]){__VA_ARGS__, {.name = NULL}})
#define KMLN_ONE(word, of) KMLN_COLUMNS({.name = word, .type = KMLN_TYPE_##of})
#define KMLN_MAYBE(word, of) KMLN_COLUMNS({.name = word, .type = KMLN_TYPE_##of, .optional = true})
#define KMLN_RANGE(word, from, to) \
	KMLN_COLUMNS({.name = word, .type = KMLN_TYPE_NUMBER, .least = from, .most = to})
#define KMLN_CHOICE(word, ...) \
	KMLN_COLUMNS({.name = word, \
		.type = KMLN_TYPE_CHOICE, \
		.choices = (const char *const[]){__VA_ARGS__, NULL}})

extern const struct kmln_keyword kmln_words_top[], kmln_words_machine[], kmln_words_lists[],
	kmln_words_network[];

#endif
