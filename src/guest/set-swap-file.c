// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A file to swap on. Its blocks are its own from the first to the last, as the kernel wants them,
 * and none but the first is written: what they hold does not matter, and so a disk that is an
 * overlay does not grow by it. Its line in fstab is set-mounts.c's.
 */
#include <string.h>

#include "guest/set.h"

#define WHY "to swap on"
#define PAGE 4096u
#define LAST_PAGE_MAX 0xfffffffeu

static void look(const struct kmln_set *set, struct kmln_strv *paths)
{
	(void)set;
	kmln_set_look(paths, KMLN_SWAP_FILE);
}

static void put_number(char *at, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (char)(value >> (8 * i));
}

/* The first page, as mkswap(8) writes it: version, last page, none that is bad; the sign. */
static const char *header(struct kmln_pool *pool, uint64_t pages)
{
	static const char sign[] = "SWAPSPACE2";
	char *page = kmln_pool_alloc(pool, PAGE);

	put_number(page + 1024, 1);
	put_number(page + 1028, (uint32_t)(pages - 1));
	memcpy(page + PAGE - (sizeof(sign) - 1), sign, sizeof(sign) - 1);
	return page;
}

static int plan(struct kmln_set *set, struct kmln_error *err)
{
	const struct kmln_known_file *known = kmln_set_known(set, KMLN_SWAP_FILE);
	const bool ours = kmln_set_before(set, "swap", KMLN_SWAP_FILE, NULL);
	const uint64_t pages = set->settings->swap_file / PAGE, size = pages * PAGE;
	struct kmln_set_file file = {.path = KMLN_SWAP_FILE, .size = PAGE, .mode = 0600};
	int r;

	if (!size)
		return ours ? kmln_set_remove(set, KMLN_SWAP_FILE, "no longer asked for", err) : 0;
	if (pages > LAST_PAGE_MAX)
		return kmln_fail(err, KMLN_EUSAGE, "a file to swap on has at most 16 TiB");
	if (known && (known->mode || known->link) && !ours)
		return kmln_fail(err, KMLN_EINVALID,
			"in the guest, %s is there already, and is not kmln's", KMLN_SWAP_FILE);
	kmln_set_note(set, "swap", KMLN_SWAP_FILE, NULL);
	if (known && known->mode == (S_IFREG | file.mode) && known->size == size)
		return 0;
	file.data = header(set->pool, pages);
	r = kmln_set_put(set, &file, WHY, known && known->mode, true, err);
	if (r == 0)
		set->edits->items[set->edits->count - 1].reserve = size - PAGE;
	return r;
}

const struct kmln_setting kmln_set_swap_file = {.name = "swap", .look = look, .plan = plan};
