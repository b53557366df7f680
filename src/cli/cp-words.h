/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Places of `kmln cp` as they are written: HOST:PATH, a path of this host, "-". Pure. */
#ifndef KMLN_CLI_CP_WORDS_H
#define KMLN_CLI_CP_WORDS_H

#include "base/mem.h"

struct kmln_place_word {
	const char *host; /* NULL: here */
	const char *path; /* in a guest always from its root */
	bool stream; /* "-": standard input or output */
};

/*
 * A guest's where a colon stands in front of any slash; ./a:b is a file here. Text is the pool's,
 * or the word's.
 */
struct kmln_place_word kmln_place_read(struct kmln_pool *pool, const char *word);
/* The name that a copy of it has: its last part, "" for /, . and .., whose contents are meant. */
const char *kmln_place_base(struct kmln_pool *pool, const char *path);
/* "a/b"; where one of them is empty the other. */
const char *kmln_place_join(struct kmln_pool *pool, const char *a, const char *b);

#endif
