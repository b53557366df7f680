// SPDX-License-Identifier: GPL-2.0-or-later
/* The other package databases that are text: apk's, cut at odd places, and a package of pacman's.
 */
#include "fuzz.h"

#include "image/inspect-parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_facts facts = {.pool = pool};
	struct kmln_package_list *list = kmln_package_list_new(&facts);
	struct kmln_paragraphs *apk = kmln_apk_new(list);

	for (size_t at = 0, piece = 1; at < size; at += piece, piece = piece % 7 + 1) {
		piece = piece < size - at ? piece : size - at;
		if (!kmln_paragraphs_feed(apk, (const char *)data + at, piece))
			break;
	}
	kmln_paragraphs_end(apk);
	kmln_pacman_desc(list, fuzz_text(pool, data, size));
	return 0;
}
