// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest's package sources, as a sources.list and as a .sources file. What is handed on to the
 * host's apt must be plain words, whatever the guest wrote.
 */
#include "fuzz.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "guest/fetch.h"

static void check_words(const char *text, bool blanks)
{
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr("._~:/%+-", *text) &&
			!(blanks && *text == ' '))
			abort();
}

static void check(void *data, const char *uri, const char *suite, const char *components,
	const char *signed_by)
{
	(void)data;
	if (!kmln_starts(uri, "http://") && !kmln_starts(uri, "https://"))
		abort();
	check_words(uri, false);
	check_words(suite, false);
	check_words(components, true);
	if (signed_by) {
		check_words(signed_by, false);
		if (signed_by[0] != '/')
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	const char *text = fuzz_text(pool, data, size);

	kmln_fetch_sources(text, false, pool, check, NULL);
	kmln_fetch_sources(text, true, pool, check, NULL);
	return 0;
}
