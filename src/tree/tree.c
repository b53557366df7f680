// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The core around the kinds: checks a path once, puts it in front of errors, and follows links. The
 * kinds stay small because what is common to all is done here.
 */
#include "tree/tree.h"

#include <stdlib.h>
#include <string.h>

#include "tree/listing.h"

#define LINKS_MAX 40
#define PATH_LIMIT 4096
#define NAMES_MAX 100000

static int check_path(const char *path, struct kmln_error *err)
{
	if (path[0] != '/')
		return kmln_fail(err, EINVAL, "'%s' is not absolute", path);
	if (strlen(path) >= PATH_LIMIT)
		return kmln_fail(err, ENAMETOOLONG, "a path of %zu bytes", strlen(path));
	return 0;
}

#define CALL(tree, path, ...) \
	({ \
		int r_ = check_path(path, err); \
		if (r_ == 0) { \
			r_ = (tree)->ops->__VA_ARGS__; \
			if (r_ < 0) \
				r_ = kmln_wrap(err, "%s", path); \
		} \
		r_; \
	})

/* The same for what writes. */
#define CALL_WRITE(tree, path, ...) \
	({ \
		kmln_listings_forget(tree); \
		CALL(tree, path, __VA_ARGS__); \
	})

static int compare_xattrs(const void *a, const void *b)
{
	return strcmp(((const struct kmln_xattr *)a)->name, ((const struct kmln_xattr *)b)->name);
}

int kmln_tree_stat(
	struct kmln_tree *tree, const char *path, struct kmln_stat *st, struct kmln_error *err)
{
	return CALL(tree, path, stat(tree, path, st, err));
}

int kmln_tree_readlink(
	struct kmln_tree *tree, const char *path, struct kmln_buf *target, struct kmln_error *err)
{
	return CALL(tree, path, readlink(tree, path, target, err));
}

int kmln_tree_listing(struct kmln_tree *tree, const char *path, struct kmln_listing **listing,
	struct kmln_error *err)
{
	KMLN_LISTING struct kmln_listing *made = kmln_listing_new(tree);
	int r = CALL(tree, path, list(tree, path, made, err));

	if (r < 0)
		return r;
	kmln_listing_publish(made, tree);
	*listing = made;
	made = NULL;
	return 0;
}

int kmln_tree_list(struct kmln_tree *tree, const char *path, kmln_name_fn fn, void *data,
	struct kmln_error *err)
{
	KMLN_LISTING struct kmln_listing *listing = NULL;
	int r = kmln_tree_listing(tree, path, &listing, err);

	for (size_t i = 0; r == 0 && i < listing->count; i++)
		r = fn(data, kmln_listing_name(listing, i), err);
	return r < 0 ? r : 0;
}

int kmln_tree_open(
	struct kmln_tree *tree, const char *path, struct kmln_file **file, struct kmln_error *err)
{
	return CALL(tree, path, open(tree, path, file, err));
}

int kmln_file_next(
	struct kmln_file *file, const char **data, uint64_t *size, struct kmln_error *err)
{
	return file->ops->next(file, data, size, err);
}

void kmln_file_close(struct kmln_file **file)
{
	if (*file)
		(*file)->ops->close(*file);
	*file = NULL;
}

int kmln_tree_read(struct kmln_tree *tree, const char *path, kmln_chunk_fn fn, void *data,
	struct kmln_error *err)
{
	static const char zeros[64 * 1024];
	KMLN_FILE struct kmln_file *file = NULL;
	int r = kmln_tree_open(tree, path, &file, err);

	while (r == 0) {
		const char *bytes;
		uint64_t size;

		r = kmln_file_next(file, &bytes, &size, err);
		if (r < 0)
			return kmln_wrap(err, "%s", path);
		if (!size)
			break;
		for (uint64_t n; r == 0 && size; size -= n) {
			n = bytes || size < sizeof(zeros) ? size : sizeof(zeros);
			r = fn(data, bytes ? bytes : zeros, (size_t)n, err);
		}
		if (r < 0)
			return kmln_wrap(err, "%s", path);
	}
	return r < 0 ? r : 0;
}

int kmln_tree_xattrs(struct kmln_tree *tree, const char *path, struct kmln_xattrs *xattrs,
	struct kmln_error *err)
{
	int r = CALL(tree, path, xattrs(tree, path, xattrs, err));

	if (r == 0 && xattrs->count > 1)
		qsort(xattrs->items, xattrs->count, sizeof(*xattrs->items), compare_xattrs);
	return r;
}

int kmln_tree_mkdir(struct kmln_tree *tree, const char *path, const struct kmln_meta *meta,
	struct kmln_error *err)
{
	return CALL_WRITE(tree, path, mkdir(tree, path, meta, err));
}

int kmln_tree_put(struct kmln_tree *tree, const char *path, const struct kmln_meta *meta,
	uint64_t size, kmln_source_fn fn, void *data, struct kmln_error *err)
{
	return CALL_WRITE(tree, path, put(tree, path, meta, size, fn, data, err));
}

int kmln_tree_append(struct kmln_tree *tree, const char *path, const struct kmln_meta *meta,
	const char *bytes, uint64_t size, struct kmln_error *err)
{
	return CALL(tree, path, append(tree, path, meta, bytes, size, err));
}

int kmln_tree_symlink(struct kmln_tree *tree, const char *path, const char *target,
	const struct kmln_meta *meta, struct kmln_error *err)
{
	return CALL_WRITE(tree, path, symlink(tree, path, target, meta, err));
}

int kmln_tree_node(struct kmln_tree *tree, const char *path, uint32_t type, uint32_t major,
	uint32_t minor, const struct kmln_meta *meta, struct kmln_error *err)
{
	return CALL_WRITE(tree, path, node(tree, path, type, major, minor, meta, err));
}

int kmln_tree_link(
	struct kmln_tree *tree, const char *path, const char *existing, struct kmln_error *err)
{
	return CALL_WRITE(tree, path, link(tree, path, existing, err));
}

int kmln_tree_remove(struct kmln_tree *tree, const char *path, struct kmln_error *err)
{
	return CALL_WRITE(tree, path, remove(tree, path, err));
}

int kmln_tree_set_xattr(struct kmln_tree *tree, const char *path, const char *name,
	const void *value, size_t size, struct kmln_error *err)
{
	return CALL_WRITE(tree, path, set_xattr(tree, path, name, value, size, err));
}

int kmln_tree_close(struct kmln_tree **tree, struct kmln_error *err)
{
	struct kmln_tree *t = *tree;

	*tree = NULL;
	if (!t)
		return 0;
	kmln_listings_forget(t);
	return t->ops->close(t, err);
}

void kmln_tree_cleanup(struct kmln_tree **tree)
{
	struct kmln_error ignored;

	kmln_tree_close(tree, &ignored);
}

/* Puts `first` in front of what is still to be walked, which begins with a slash or is empty. */
static void put_in_front(struct kmln_buf *rest, const char *first, const char *behind)
{
	struct kmln_buf joined = {0};

	kmln_buf_printf(&joined, "%s%s", first, behind);
	kmln_buf_fini(rest);
	*rest = joined;
}

int kmln_tree_resolve(
	struct kmln_tree *tree, const char *path, struct kmln_buf *real, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf rest = {0}, at = {0};
	unsigned links = 0;
	int r = check_path(path, err);

	if (r < 0)
		return r;
	kmln_buf_str(&rest, path);
	for (const char *p = rest.data; *p;) {
		size_t length = strcspn(p, "/"), before = at.size;
		struct kmln_stat st;

		if (length == 0 || (length == 1 && p[0] == '.')) {
			p += length + (p[length] == '/');
			continue;
		}
		if (length == 2 && p[0] == '.' && p[1] == '.') {
			while (at.size && at.data[--at.size] != '/')
				;
			if (at.data)
				at.data[at.size] = '\0';
			p += length + (p[length] == '/');
			continue;
		}
		kmln_buf_str(&at, "/");
		kmln_buf_add(&at, p, length);
		p += length;
		if (at.size >= PATH_LIMIT)
			return kmln_fail(
				err, ENAMETOOLONG, "%s: resolves to a path too long", path);
		r = kmln_tree_stat(tree, at.data, &st, err);
		if (r == -ENOENT && p[strspn(p, "/")] == '\0')
			break; /* the last one may be missing */
		if (r < 0)
			return r;
		if (S_ISLNK(st.mode)) {
			KMLN_BUF struct kmln_buf target = {0};
			KMLN_FREE char *behind = kmln_strdup(p);

			if (++links > LINKS_MAX)
				return kmln_fail_sys(err, ELOOP, "%s", path);
			r = kmln_tree_readlink(tree, at.data, &target, err);
			if (r < 0)
				return r;
			if (!target.size) /* only a damaged image has one */
				return kmln_fail_sys(err, ENOENT, "%s: empty link", at.data);
			at.size = target.data[0] == '/' ? 0 : before;
			at.data[at.size] = '\0';
			put_in_front(&rest, target.data, behind);
			p = rest.data;
		} else if (*p && !S_ISDIR(st.mode)) {
			return kmln_fail_sys(err, ENOTDIR, "%s", at.data);
		}
	}
	kmln_buf_str(real, at.size ? at.data : "/");
	return 0;
}

struct load {
	struct kmln_buf *to;
	size_t start, limit;
};

static int load_chunk(void *data, const char *bytes, size_t size, struct kmln_error *err)
{
	struct load *load = data;

	if (load->to->size - load->start + size > load->limit)
		return kmln_fail(err, EFBIG, "longer than %zu bytes", load->limit);
	kmln_buf_add(load->to, bytes, size);
	return 0;
}

int kmln_tree_load(struct kmln_tree *tree, const char *path, size_t limit, struct kmln_buf *to,
	struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf real = {0};
	struct load load = {to, to->size, limit};
	struct kmln_stat st;
	int r = kmln_tree_resolve(tree, path, &real, err);

	if (r == 0)
		r = kmln_tree_stat(tree, real.data, &st, err);
	if (r < 0)
		return r;
	if (!S_ISREG(st.mode))
		return kmln_fail(err, EINVAL, "%s: not a regular file", path);
	kmln_buf_add(to, "", 0);
	return kmln_tree_read(tree, real.data, load_chunk, &load, err);
}

static int add_name(void *data, const char *name, struct kmln_error *err)
{
	struct kmln_strv *names = data;

	/* a damaged folder may go on for ever */
	if (names->count >= NAMES_MAX)
		return kmln_fail(err, KMLN_EINVALID, "more than %d names", NAMES_MAX);
	kmln_strv_add(names, name);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int kmln_tree_names(
	struct kmln_tree *tree, const char *path, struct kmln_strv *names, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf real = {0};
	int r = kmln_tree_resolve(tree, path, &real, err);

	if (r == 0)
		r = kmln_tree_list(tree, real.data, add_name, names, err);
	if (r == 0 && names->count)
		qsort(names->items, names->count, sizeof(char *), compare_names);
	return r;
}
