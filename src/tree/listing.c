// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Listings and lists of attributes: what the kinds fill and their users hold. Both are bounded,
 * since a damaged folder may go on for ever.
 */
#include "tree/listing.h"

#include <stdlib.h>
#include <string.h>

#define XATTRS_MAX (1u << 20)

struct kmln_listing *kmln_listing_new(const struct kmln_tree *tree)
{
	struct kmln_listing *listing = kmln_malloc(sizeof(*listing));

	*listing = (struct kmln_listing){
		.holders = 1,
		.limit = KMLN_LISTING_MAX - tree->held,
	};
	return listing;
}

static size_t bytes_of(const struct kmln_listing *listing)
{
	return listing->bytes.size + listing->count * sizeof(struct kmln_entry);
}

int kmln_listing_add(
	struct kmln_listing *listing, const char *name, uint32_t inode, struct kmln_error *err)
{
	size_t size = strlen(name) + 1;

	if (bytes_of(listing) + size + sizeof(struct kmln_entry) > listing->limit)
		return kmln_fail(err, KMLN_EINVALID, "more than %u MiB of names; is it damaged?",
			KMLN_LISTING_MAX >> 20);
	if (listing->count == listing->room) {
		listing->room = listing->room ? listing->room * 2 : 32;
		listing->entries =
			kmln_realloc(listing->entries, listing->room * sizeof(*listing->entries));
	}
	listing->entries[listing->count++] =
		(struct kmln_entry){(uint32_t)listing->bytes.size, inode};
	kmln_buf_add(&listing->bytes, name, size);
	return 0;
}

static int compare(const void *a, const void *b, void *bytes)
{
	return strcmp((const char *)bytes + ((const struct kmln_entry *)a)->name,
		(const char *)bytes + ((const struct kmln_entry *)b)->name);
}

void kmln_listing_publish(struct kmln_listing *listing, struct kmln_tree *tree)
{
	if (listing->count > 1)
		qsort_r(listing->entries, listing->count, sizeof(*listing->entries), compare,
			listing->bytes.data);
	listing->tree = tree;
	tree->held += bytes_of(listing);
	listing->next = tree->listings;
	tree->listings = listing;
	listing->holders++;
	kmln_listing_free(&tree->last);
	tree->last = listing;
}

ssize_t kmln_listing_find(const struct kmln_listing *listing, const char *name, size_t length)
{
	size_t low = 0, high = listing->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *at = kmln_listing_name(listing, middle);
		int order = strncmp(name, at, length);

		if (order == 0 && at[length] == '\0')
			return (ssize_t)middle;
		/* the same start and longer: it stands behind */
		if (order <= 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}

static void take_from_tree(struct kmln_listing *listing)
{
	struct kmln_listing **at = &listing->tree->listings;

	while (*at != listing)
		at = &(*at)->next;
	*at = listing->next;
	listing->tree->held -= bytes_of(listing);
	listing->tree = NULL;
}

void kmln_listing_free(struct kmln_listing **listing)
{
	struct kmln_listing *l = *listing;

	*listing = NULL;
	if (!l || --l->holders)
		return;
	if (l->tree)
		take_from_tree(l);
	kmln_buf_fini(&l->bytes);
	free(l->entries);
	free(l);
}

void kmln_listings_forget(struct kmln_tree *tree)
{
	kmln_listing_free(&tree->last);
	while (tree->listings)
		take_from_tree(tree->listings);
}

void kmln_xattrs_fini(struct kmln_xattrs *xattrs)
{
	kmln_pool_free(xattrs->pool);
	*xattrs = (struct kmln_xattrs){0};
}

int kmln_xattrs_add(struct kmln_xattrs *xattrs, const char *name, const void *value, size_t size,
	struct kmln_error *err)
{
	struct kmln_xattr *x;

	xattrs->bytes += strlen(name) + size;
	if (xattrs->bytes > XATTRS_MAX)
		return kmln_fail(err, KMLN_EINVALID, "more than %u bytes of extended attributes",
			XATTRS_MAX);
	if (!xattrs->pool)
		xattrs->pool = kmln_pool_new();
	x = kmln_pool_append(xattrs->pool, &xattrs->items, &xattrs->count, sizeof(*x));
	x->name = kmln_pool_strdup(xattrs->pool, name);
	x->value = kmln_pool_memdup(xattrs->pool, value, size);
	x->size = size;
	return 0;
}
