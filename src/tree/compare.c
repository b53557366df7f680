// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The walk over two trees at once; what two objects have in common is in compare-objects.c. Held
 * are the names of the folders on the way, the inodes of folders, and those of files of which not
 * all names were met: nothing grows with the number of files that are the same.
 */
#include "tree/compare.h"

#include <string.h>

#include "tree/compare-objects.h"
#include "tree/numbers.h"

/* One of the two trees. */
struct side {
	struct kmln_tree *tree;
	struct kmln_buf path;
	struct kmln_numbers folders; /* inodes of those that were entered */
};

struct walk {
	const struct kmln_compare *compare;
	struct side a, b;
	struct kmln_buf shown;
	struct kmln_links links;
};

static void walk_fini(struct walk *walk)
{
	kmln_buf_fini(&walk->a.path);
	kmln_buf_fini(&walk->b.path);
	kmln_buf_fini(&walk->shown);
	kmln_numbers_fini(&walk->a.folders);
	kmln_numbers_fini(&walk->b.folders);
	kmln_links_fini(&walk->links);
}

static void push(struct kmln_buf *path, const char *name)
{
	if (path->data[path->size - 1] != '/')
		kmln_buf_str(path, "/");
	kmln_buf_str(path, name);
}

static void cut(struct kmln_buf *path, size_t size)
{
	path->size = size;
	path->data[size] = '\0';
}

static int found(struct walk *walk, struct kmln_difference *difference, struct kmln_error *err)
{
	difference->path = walk->shown.data;
	difference->path_a = walk->a.path.data;
	difference->path_b = walk->b.path.data;
	return walk->compare->found(walk->compare->data, difference, err);
}

static int unreadable(struct walk *walk, const struct kmln_error *why, struct kmln_error *err)
{
	struct kmln_difference difference = {.kind = KMLN_UNREADABLE, .problem = why->text};

	return found(walk, &difference, err);
}

/* The names of the folder at this side's path. A damaged filesystem may have it twice. */
static int list(
	struct side *side, uint64_t inode, struct kmln_listing **listing, struct kmln_error *why)
{
	if (side->tree->ops->may_loop && inode) {
		if (kmln_numbers_find(&side->folders, inode))
			return kmln_fail(why, KMLN_EINVALID,
				"%s: a folder that is in two places; the filesystem is damaged",
				side->path.data);
		kmln_numbers_set(&side->folders, inode, 0);
	}
	return kmln_tree_listing(side->tree, side->path.data, listing, why);
}

static bool skipped(const struct walk *walk)
{
	return walk->compare->skip && walk->compare->skip(walk->compare->data, walk->shown.data);
}

static int only(struct walk *walk, bool in_a, bool below, struct kmln_error *err);

/* What is in a folder that one tree has alone. */
static int only_within(struct walk *walk, bool in_a, uint64_t inode, struct kmln_error *err)
{
	struct side *side = in_a ? &walk->a : &walk->b;
	KMLN_LISTING struct kmln_listing *listing = NULL;
	struct kmln_error why;
	int r = 0;

	if (list(side, inode, &listing, &why) < 0)
		return unreadable(walk, &why, err);
	for (size_t i = 0; r == 0 && i < listing->count; i++) {
		size_t before = side->path.size, shown = walk->shown.size;

		push(&side->path, kmln_listing_name(listing, i));
		push(&walk->shown, kmln_listing_name(listing, i));
		r = only(walk, in_a, true, err);
		cut(&side->path, before);
		cut(&walk->shown, shown);
	}
	return r;
}

/* Something that one tree has alone, and all that is in it. */
static int only(struct walk *walk, bool in_a, bool below, struct kmln_error *err)
{
	struct side *side = in_a ? &walk->a : &walk->b;
	struct kmln_difference difference = {
		.kind = in_a ? KMLN_ONLY_A : KMLN_ONLY_B, .below = below};
	KMLN_BUF struct kmln_buf target = {0};
	struct kmln_error why;
	struct kmln_stat st;
	int r;

	if (skipped(walk))
		return 0;
	if (kmln_tree_stat(side->tree, side->path.data, &st, &why) < 0)
		return unreadable(walk, &why, err);
	*(in_a ? &difference.a : &difference.b) = &st;
	if (S_ISLNK(st.mode)) {
		if (kmln_tree_readlink(side->tree, side->path.data, &target, &why) < 0)
			return unreadable(walk, &why, err);
		*(in_a ? &difference.target_a : &difference.target_b) = target.data;
	}
	r = found(walk, &difference, err);
	if (r || !S_ISDIR(st.mode))
		return r;
	return only_within(walk, in_a, st.inode, err);
}

static int both(struct walk *walk, struct kmln_error *err);

/* The next name of two sorted listings, and which of them have it. */
static int step(struct walk *walk, const char *a, const char *b, struct kmln_error *err)
{
	size_t size_a = walk->a.path.size, size_b = walk->b.path.size, shown = walk->shown.size;
	const char *name = a ? a : b;
	int r;

	push(&walk->a.path, name);
	push(&walk->b.path, name);
	push(&walk->shown, name);
	r = a && b ? both(walk, err) : only(walk, a != NULL, false, err);
	cut(&walk->a.path, size_a);
	cut(&walk->b.path, size_b);
	cut(&walk->shown, shown);
	return r;
}

static int folders(struct walk *walk, const struct kmln_stat *a, const struct kmln_stat *b,
	struct kmln_error *err)
{
	KMLN_LISTING struct kmln_listing *in_a = NULL, *in_b = NULL;
	struct kmln_error why;
	size_t i = 0, j = 0;
	int r = 0;

	if (list(&walk->a, a->inode, &in_a, &why) < 0 || list(&walk->b, b->inode, &in_b, &why) < 0)
		return unreadable(walk, &why, err);
	while (r == 0 && (i < in_a->count || j < in_b->count)) {
		const char *x = i < in_a->count ? kmln_listing_name(in_a, i) : NULL;
		const char *y = j < in_b->count ? kmln_listing_name(in_b, j) : NULL;
		int order = !x ? 1 : !y ? -1 : strcmp(x, y);

		i += order <= 0;
		j += order >= 0;
		r = step(walk, order <= 0 ? x : NULL, order >= 0 ? y : NULL, err);
	}
	return r;
}

static int both(struct walk *walk, struct kmln_error *err)
{
	const struct kmln_compare *compare = walk->compare;
	KMLN_CLEANUP(kmln_pair_fini)
	struct kmln_pair pair = {
		.tree_a = compare->a,
		.tree_b = compare->b,
		.path_a = walk->a.path.data,
		.path_b = walk->b.path.data,
		.no_content = compare->no_content,
		.no_mtime = compare->no_mtime,
	};
	struct kmln_difference difference = {.kind = KMLN_DIFFERS, .a = &pair.a, .b = &pair.b};
	struct kmln_error why;
	int r = 0;

	if (skipped(walk))
		return 0;
	if (kmln_pair_compare(&pair, &walk->links, &why) < 0)
		return unreadable(walk, &why, err);
	if (pair.what) {
		difference.what = pair.what;
		difference.target_a = pair.target_a.data;
		difference.target_b = pair.target_b.data;
		if (pair.what & KMLN_DIFF_XATTRS) {
			difference.xattrs_a = &pair.xattrs_a;
			difference.xattrs_b = &pair.xattrs_b;
		}
		r = found(walk, &difference, err);
	}
	if (r == 0 && pair.unread)
		r = unreadable(walk, &pair.why, err);
	if (r)
		return r;
	if (!(pair.what & KMLN_DIFF_TYPE))
		return S_ISDIR(pair.a.mode) ? folders(walk, &pair.a, &pair.b, err) : 0;
	if (S_ISDIR(pair.a.mode))
		return only_within(walk, true, pair.a.inode, err);
	return S_ISDIR(pair.b.mode) ? only_within(walk, false, pair.b.inode, err) : 0;
}

int kmln_trees_compare(const struct kmln_compare *compare, struct kmln_error *err)
{
	KMLN_CLEANUP(walk_fini)
	struct walk walk = {
		.compare = compare,
		.a.tree = compare->a,
		.b.tree = compare->b,
	};
	struct kmln_error why;
	struct kmln_stat st;
	int in_a, in_b, r;

	kmln_buf_str(&walk.a.path, compare->path_a);
	kmln_buf_str(&walk.b.path, compare->path_b);
	kmln_buf_str(&walk.shown, compare->shown);
	in_a = kmln_tree_stat(compare->a, compare->path_a, &st, &why);
	in_b = kmln_tree_stat(compare->b, compare->path_b, &st, &why);
	if (in_a == -ENOENT && in_b == 0)
		r = only(&walk, false, false, err);
	else if (in_b == -ENOENT && in_a == 0)
		r = only(&walk, true, false, err);
	else
		r = both(&walk, err);
	return r < 0 ? r : 0;
}
