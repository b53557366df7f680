// SPDX-License-Identifier: GPL-2.0-or-later
/* The words of `kmln cp`; see cp-words.h. */
#include "cli/cp-words.h"

#include <string.h>

struct kmln_place_word kmln_place_read(struct kmln_pool *pool, const char *word)
{
	size_t n = strcspn(word, ":/");
	struct kmln_place_word place = {.path = word};

	if (kmln_eq(word, "-")) {
		place.stream = true;
		return place;
	}
	if (word[n] != ':' || !n)
		return place;
	place.host = kmln_pool_memdup(pool, word, n);
	place.path =
		word[n + 1] == '/' ? word + n + 1 : kmln_pool_printf(pool, "/%s", word + n + 1);
	return place;
}

const char *kmln_place_base(struct kmln_pool *pool, const char *path)
{
	size_t end = strlen(path), start;

	while (end && path[end - 1] == '/')
		end--;
	for (start = end; start && path[start - 1] != '/';)
		start--;
	path = kmln_pool_memdup(pool, path + start, end - start);
	return kmln_eq(path, ".") || kmln_eq(path, "..") ? "" : path;
}

const char *kmln_place_join(struct kmln_pool *pool, const char *a, const char *b)
{
	if (!*a || !*b)
		return *a ? a : b;
	return kmln_pool_printf(pool, "%s%s%s", a, kmln_ends(a, "/") ? "" : "/", b);
}
