// SPDX-License-Identifier: GPL-2.0-or-later
/* Two objects of one name: attributes first, since most differences show there. */
#include "tree/compare-objects.h"

#include <string.h>

static const char *const names[KMLN_DIFF_COUNT] = {"type", "mode", "owner", "size", "content",
	"target", "device", "mtime", "links", "xattrs", "flags"};

const char *kmln_difference_name(unsigned bit)
{
	return names[bit];
}

void kmln_links_fini(struct kmln_links *links)
{
	kmln_numbers_fini(&links->a);
	kmln_numbers_fini(&links->b);
	kmln_numbers_fini(&links->names_a);
	kmln_numbers_fini(&links->names_b);
}

void kmln_pair_fini(struct kmln_pair *pair)
{
	kmln_buf_fini(&pair->target_a);
	kmln_buf_fini(&pair->target_b);
	kmln_xattrs_fini(&pair->xattrs_a);
	kmln_xattrs_fini(&pair->xattrs_b);
}

/* Keeps the pair until all names of the inode were met. */
static bool fits(struct kmln_numbers *pairs, struct kmln_numbers *left, const struct kmln_stat *st,
	uint64_t other)
{
	const uint64_t *known = kmln_numbers_find(pairs, st->inode);
	bool same = !known || *known == other;
	uint64_t *to_come;

	if (st->links < 2)
		return same;
	if (!known) {
		kmln_numbers_set(pairs, st->inode, other);
		kmln_numbers_set(left, st->inode, st->links - 1);
		return same;
	}
	to_come = kmln_numbers_find(left, st->inode);
	if (to_come && --*to_come == 0) {
		kmln_numbers_remove(pairs, st->inode);
		kmln_numbers_remove(left, st->inode);
	}
	return same;
}

/* The same number of names, and the same names together. A folder's number says only how many
 * folders are in it, which shows there. */
static bool same_links(const struct kmln_pair *pair, struct kmln_links *links)
{
	bool forth, back;

	if (S_ISDIR(pair->a.mode) || (pair->a.links < 2 && pair->b.links < 2))
		return true;
	forth = fits(&links->a, &links->names_a, &pair->a, pair->b.inode);
	back = fits(&links->b, &links->names_b, &pair->b, pair->a.inode);
	return forth && back && pair->a.links == pair->b.links;
}

bool kmln_xattr_same(const struct kmln_xattr *a, const struct kmln_xattr *b)
{
	return a->size == b->size && strcmp(a->name, b->name) == 0 &&
	       memcmp(a->value, b->value, a->size) == 0;
}

static bool same_xattrs(const struct kmln_pair *pair)
{
	if (pair->xattrs_a.count != pair->xattrs_b.count)
		return false;
	for (size_t i = 0; i < pair->xattrs_a.count; i++)
		if (!kmln_xattr_same(&pair->xattrs_a.items[i], &pair->xattrs_b.items[i]))
			return false;
	return true;
}

static bool is_zero(const char *bytes, uint64_t size)
{
	return !size || (!bytes[0] && memcmp(bytes, bytes + 1, (size_t)size - 1) == 0);
}

/* 1: the same, 0: not, negative: it cannot be read. */
static int same_content(const struct kmln_pair *pair, struct kmln_error *err)
{
	KMLN_FILE struct kmln_file *a = NULL, *b = NULL;
	const char *x = NULL, *y = NULL;
	uint64_t left_x = 0, left_y = 0, n;
	int r = kmln_tree_open(pair->tree_a, pair->path_a, &a, err);

	if (r == 0)
		r = kmln_tree_open(pair->tree_b, pair->path_b, &b, err);
	while (r == 0) {
		if (!left_x)
			r = kmln_file_next(a, &x, &left_x, err);
		if (r == 0 && !left_y)
			r = kmln_file_next(b, &y, &left_y, err);
		if (r < 0)
			return kmln_wrap(err, "%s", pair->path_a);
		if (!left_x || !left_y)
			return left_x == left_y;
		n = left_x < left_y ? left_x : left_y;
		if (x && y ? memcmp(x, y, (size_t)n) != 0
			   : (x && !is_zero(x, n)) || (y && !is_zero(y, n)))
			return 0;
		left_x -= n;
		left_y -= n;
		x += x ? n : 0;
		y += y ? n : 0;
	}
	return r;
}

static unsigned compare_plain(const struct kmln_pair *pair)
{
	const struct kmln_stat *a = &pair->a, *b = &pair->b;
	unsigned what = 0;

	if ((a->mode & 07777) != (b->mode & 07777))
		what |= KMLN_DIFF_MODE;
	if (a->uid != b->uid || a->gid != b->gid)
		what |= KMLN_DIFF_OWNER;
	if (S_ISREG(a->mode) && a->size != b->size)
		what |= KMLN_DIFF_SIZE;
	if (a->major != b->major || a->minor != b->minor)
		what |= KMLN_DIFF_DEVICE;
	if (!pair->no_mtime && (a->mtime != b->mtime || a->mtime_ns != b->mtime_ns))
		what |= KMLN_DIFF_MTIME;
	if (a->flags != b->flags)
		what |= KMLN_DIFF_FLAGS;
	return what;
}

static void cannot_read(struct kmln_pair *pair, const struct kmln_error *why)
{
	pair->unread = true;
	pair->why = *why;
}

static void compare_deep(struct kmln_pair *pair)
{
	struct kmln_error why;
	int r;

	if (kmln_tree_xattrs(pair->tree_a, pair->path_a, &pair->xattrs_a, &why) < 0 ||
		kmln_tree_xattrs(pair->tree_b, pair->path_b, &pair->xattrs_b, &why) < 0)
		cannot_read(pair, &why);
	else if (!same_xattrs(pair))
		pair->what |= KMLN_DIFF_XATTRS;
	if (S_ISLNK(pair->a.mode)) {
		if (kmln_tree_readlink(pair->tree_a, pair->path_a, &pair->target_a, &why) < 0 ||
			kmln_tree_readlink(pair->tree_b, pair->path_b, &pair->target_b, &why) < 0)
			cannot_read(pair, &why);
		else if (strcmp(pair->target_a.data, pair->target_b.data) != 0)
			pair->what |= KMLN_DIFF_TARGET;
	}
	if (!S_ISREG(pair->a.mode) || pair->no_content)
		return;
	if (pair->what & KMLN_DIFF_SIZE) {
		pair->what |= KMLN_DIFF_CONTENT;
		return;
	}
	r = pair->a.size ? same_content(pair, &why) : 1;
	if (r < 0)
		cannot_read(pair, &why);
	else if (r == 0)
		pair->what |= KMLN_DIFF_CONTENT;
}

int kmln_pair_compare(struct kmln_pair *pair, struct kmln_links *links, struct kmln_error *err)
{
	int r = kmln_tree_stat(pair->tree_a, pair->path_a, &pair->a, err);

	if (r == 0)
		r = kmln_tree_stat(pair->tree_b, pair->path_b, &pair->b, err);
	if (r < 0)
		return r;
	if ((pair->a.mode & S_IFMT) != (pair->b.mode & S_IFMT)) {
		pair->what = KMLN_DIFF_TYPE;
		return 0;
	}
	pair->what = compare_plain(pair);
	if (!same_links(pair, links))
		pair->what |= KMLN_DIFF_LINKS;
	compare_deep(pair);
	return 0;
}
