// SPDX-License-Identifier: GPL-2.0-or-later
/* The edit distance of two words, as far as people misspell. */
#include "base/nearest.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

static size_t least(size_t a, size_t b, size_t c)
{
	a = a < b ? a : b;
	return a < c ? a : c;
}

size_t kmln_distance(const char *word, const char *name)
{
	size_t row[32], n = strlen(name), m = strlen(word);

	if (m < 2 || n + 1 > KMLN_COUNT(row) || m > KMLN_COUNT(row))
		return SIZE_MAX;
	if (kmln_starts(name, word) || kmln_starts(word, name))
		return 0;
	/* the edit distance, one row at a time */
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; i <= m; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t above = row[j];

			row[j] = least(
				above + 1, row[j - 1] + 1, diagonal + (word[i - 1] != name[j - 1]));
			diagonal = above;
		}
	}
	return row[n] <= 2 && row[n] < n ? row[n] : SIZE_MAX;
}
