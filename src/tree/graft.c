// SPDX-License-Identifier: GPL-2.0-or-later
/* See graft.h. Held are the first names of files with several, and nothing of contents. */
#include "tree/graft.h"

#include <string.h>

#include "tree/numbers.h"
#include "tree/walk.h"

struct graft {
	struct kmln_tree *from, *to;
	const char *folder; /* in `to`, real */
	struct kmln_numbers inodes; /* to places in `names`, from 1 */
	struct kmln_strv names; /* in `to` */
	unsigned *flagged;
};

static void graft_fini(struct graft *graft)
{
	kmln_numbers_fini(&graft->inodes);
	kmln_strv_fini(&graft->names);
}

/* The content of an open file, piece by piece. */
struct content {
	struct kmln_file *file;
	const char *data; /* NULL: zeros */
	uint64_t left;
};

static ssize_t read_content(void *data, char *bytes, size_t room, struct kmln_error *err)
{
	struct content *content = data;
	size_t n;

	if (!content->left) {
		int r = kmln_file_next(content->file, &content->data, &content->left, err);

		if (r < 0)
			return r;
	}
	n = content->left < room ? (size_t)content->left : room;
	if (content->data) {
		memcpy(bytes, content->data, n);
		content->data += n;
	} else {
		memset(bytes, 0, n);
	}
	content->left -= n;
	return (ssize_t)n;
}

static int copy_file(struct graft *graft, const char *path, const char *target,
	const struct kmln_stat *st, const struct kmln_meta *meta, struct kmln_error *err)
{
	KMLN_FILE struct kmln_file *file = NULL;
	struct content content = {0};
	int r = kmln_tree_open(graft->from, path, &file, err);

	content.file = file;
	return r < 0 ? r
		     : kmln_tree_put(
			       graft->to, target, meta, st->size, read_content, &content, err);
}

static int copy_xattrs(
	struct graft *graft, const char *path, const char *target, struct kmln_error *err)
{
	KMLN_XATTRS struct kmln_xattrs xattrs = {0};
	int r = kmln_tree_xattrs(graft->from, path, &xattrs, err);

	for (size_t i = 0; r == 0 && i < xattrs.count; i++)
		r = kmln_tree_set_xattr(graft->to, target, xattrs.items[i].name,
			xattrs.items[i].value, xattrs.items[i].size, err);
	return r;
}

static int copy_object(struct graft *graft, const char *path, const char *target,
	const struct kmln_stat *st, struct kmln_error *err)
{
	const struct kmln_meta meta = {st->mode & 07777, st->uid, st->gid, st->mtime, st->mtime_ns,
		.sparse = st->stored < st->size};
	KMLN_BUF struct kmln_buf link = {0};
	int r;

	switch (st->mode & S_IFMT) {
	case S_IFDIR:
		r = kmln_tree_mkdir(graft->to, target, &meta, err);
		break;
	case S_IFREG:
		r = copy_file(graft, path, target, st, &meta, err);
		break;
	case S_IFLNK:
		r = kmln_tree_readlink(graft->from, path, &link, err);
		if (r == 0)
			r = kmln_tree_symlink(graft->to, target, link.data, &meta, err);
		break;
	default:
		r = kmln_tree_node(
			graft->to, target, st->mode & S_IFMT, st->major, st->minor, &meta, err);
	}
	if (st->flags)
		(*graft->flagged)++;
	return r < 0 ? r : copy_xattrs(graft, path, target, err);
}

static int each(void *data, const char *path, const struct kmln_stat *st, struct kmln_error *err)
{
	struct graft *graft = data;
	KMLN_FREE char *target = kmln_printf("%s%s", graft->folder, path);
	const bool linked = st->links > 1 && !S_ISDIR(st->mode) && st->inode;
	const uint64_t *first;

	if (strcmp(path, "/lost+found") == 0)
		return 1;
	first = linked ? kmln_numbers_find(&graft->inodes, st->inode) : NULL;
	if (first)
		return kmln_tree_link(graft->to, target, graft->names.items[*first - 1], err);
	if (linked) {
		kmln_strv_add(&graft->names, target);
		kmln_numbers_set(&graft->inodes, st->inode, graft->names.count);
	}
	return copy_object(graft, path, target, st, err);
}

static int problem(void *data, const char *path, struct kmln_error *err)
{
	(void)data;
	(void)path;
	return -err->code;
}

/* The folder to be mounted on goes, and the top of the other tree takes its place. */
static int replace_folder(struct graft *graft, struct kmln_error *err)
{
	KMLN_LISTING struct kmln_listing *listing = NULL;
	struct kmln_stat st;
	int r = kmln_tree_listing(graft->to, graft->folder, &listing, err);

	if (r < 0)
		return r;
	if (listing->count)
		return kmln_fail(err, EEXIST,
			"%s is not empty: mounting hid what is in it, %s first; take it away in the guest",
			graft->folder, kmln_listing_name(listing, 0));
	kmln_listing_free(&listing);
	r = kmln_tree_stat(graft->from, "/", &st, err);
	if (r == 0)
		r = kmln_tree_remove(graft->to, graft->folder, err);
	return r < 0 ? r : copy_object(graft, "/", graft->folder, &st, err);
}

int kmln_tree_graft(struct kmln_tree *from, struct kmln_tree *to, const char *path,
	unsigned *flagged, struct kmln_error *err)
{
	KMLN_CLEANUP(graft_fini) struct graft graft = {.from = from, .to = to, .flagged = flagged};
	const struct kmln_walk walk = {each, problem, &graft};
	KMLN_BUF struct kmln_buf real = {0};
	int r = kmln_tree_resolve(to, path, &real, err);

	if (r < 0)
		return r;
	if (real.size < 2)
		return kmln_fail(err, KMLN_EINVALID, "%s is the root itself", path);
	graft.folder = real.data;
	r = replace_folder(&graft, err);
	return r < 0 ? r : kmln_tree_walk(from, "/", &walk, err);
}
