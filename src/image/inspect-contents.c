// SPDX-License-Identifier: GPL-2.0-or-later
/* More of a guest's content than inspection looks at, for who plans settings: sums of files, and
 * what a new home is made from.
 */
#include <string.h>

#include "base/sum.h"
#include "image/inspect-parts.h"
#include "image/inspect.h"
#include "tree/walk.h"

#define SUM_MAX (256u << 20)
#define SKELETON_BYTES (1u << 20)
#define SKELETON_ENTRIES 200

static int sum_chunk(void *data, const char *bytes, size_t size, struct kmln_error *err)
{
	(void)err;
	kmln_sha256_add(data, bytes, size);
	return 0;
}

void kmln_inspect_sums(
	struct kmln_tree *tree, struct kmln_facts *facts, const struct kmln_strv *paths)
{
	for (size_t i = 0; i < facts->file_count; i++) {
		struct kmln_known_file *f = &facts->files[i];
		char text[KMLN_SHA256_TEXT];
		struct kmln_sha256 sum;
		struct kmln_error ignored;

		if (f->sum || f->data || !S_ISREG(f->mode) || f->size > SUM_MAX || !paths->count ||
			!kmln_strv_has(paths, f->path))
			continue;
		kmln_sha256_start(&sum);
		if (kmln_tree_read(tree, f->real, sum_chunk, &sum, &ignored) < 0)
			continue;
		kmln_sha256_end(&sum, text);
		f->sum = kmln_pool_strdup(facts->pool, text);
	}
}

struct copying {
	struct kmln_tree *tree;
	struct kmln_facts *facts;
	size_t prefix, left; /* of the paths; bytes */
};

static int copy_one(
	void *data, const char *path, const struct kmln_stat *st, struct kmln_error *err)
{
	struct copying *c = data;
	KMLN_BUF struct kmln_buf content = {0};
	struct kmln_skeleton *s;
	struct kmln_error ignored;
	int r = 0;

	(void)err;
	if (S_ISREG(st->mode) && st->size <= c->left)
		r = kmln_tree_load(c->tree, path, c->left, &content, &ignored);
	else if (S_ISLNK(st->mode))
		r = kmln_tree_readlink(c->tree, path, &content, &ignored);
	else if (!S_ISDIR(st->mode))
		r = -1;
	if (r < 0 || c->facts->skeleton_count == SKELETON_ENTRIES || content.size > c->left) {
		kmln_note_fact(
			c->facts, "%s is not put into new homes: it is not small and plain", path);
		return S_ISDIR(st->mode);
	}
	c->left -= content.size;
	s = kmln_pool_append(
		c->facts->pool, &c->facts->skeleton, &c->facts->skeleton_count, sizeof(*s));
	*s = (struct kmln_skeleton){
		.path = kmln_pool_strdup(c->facts->pool, path + c->prefix),
		.mode = st->mode,
		.data = kmln_pool_memdup(
			c->facts->pool, content.data ? content.data : "", content.size),
		.size = content.size,
	};
	return 0;
}

static int pass_over(void *data, const char *path, struct kmln_error *err)
{
	const struct copying *c = data;

	kmln_note_fact(c->facts, "%s is not put into new homes: %s", path, err->text);
	return 0;
}

void kmln_inspect_skeleton(struct kmln_tree *tree, struct kmln_facts *facts)
{
	struct copying c = {tree, facts, 0, SKELETON_BYTES};
	const struct kmln_walk walk = {copy_one, pass_over, &c};
	KMLN_BUF struct kmln_buf real = {0};
	struct kmln_error ignored;
	struct kmln_stat st;

	if (facts->skeleton || kmln_tree_resolve(tree, KMLN_SKELETON_FOLDER, &real, &ignored) < 0 ||
		kmln_tree_stat(tree, real.data, &st, &ignored) < 0 || !S_ISDIR(st.mode))
		return;
	c.prefix = strlen(real.data) + 1;
	kmln_tree_walk(tree, real.data, &walk, &ignored);
}
