// SPDX-License-Identifier: GPL-2.0-or-later
/* Looking at paths one by one; see states.h. All that a guest could make endless is bounded. */
#include "image/states.h"

struct names {
	struct kmln_pool *pool;
	const char **items;
	size_t count;
	bool more;
};

static int add_name(void *data, const char *name, struct kmln_error *err)
{
	struct names *names = data;

	(void)err;
	if (names->count == KMLN_STATE_NAMES_MAX) {
		names->more = true;
		return 1;
	}
	*(const char **)kmln_pool_append(names->pool, &names->items, &names->count,
		sizeof(char *)) = kmln_pool_strdup(names->pool, name);
	return 0;
}

static int read_names(struct kmln_tree *tree, struct kmln_pool *pool, struct kmln_state *s,
	struct kmln_error *err)
{
	struct names names = {.pool = pool};
	int r = kmln_tree_list(tree, s->path, add_name, &names, err);

	if (r < 0)
		return r;
	kmln_pool_append(pool, &names.items, &names.count, sizeof(char *));
	s->names = names.items;
	s->more_names = names.more;
	return 0;
}

static int read_content(struct kmln_tree *tree, struct kmln_pool *pool, struct kmln_state *s,
	uint64_t *left, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf bytes = {0};
	int r;

	if (s->content == KMLN_WANT_NONE ||
		(s->content == KMLN_WANT_SAME_SIZE && s->size != s->asked_size) || s->size > *left)
		return 0;
	*left -= s->size;
	r = kmln_tree_load(tree, s->path, (size_t)s->size, &bytes, err);
	if (r < 0)
		return r;
	s->size = bytes.size;
	s->data = kmln_pool_memdup(pool, bytes.data, bytes.size);
	return 0;
}

static int read_one(struct kmln_tree *tree, struct kmln_pool *pool, struct kmln_state *s,
	uint64_t *left, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf target = {0};
	struct kmln_error missing;
	struct kmln_stat st;
	int r = kmln_tree_stat(tree, s->path, &st, &missing);

	if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP)
		return 0;
	if (r < 0) {
		*err = missing;
		return r;
	}
	s->mode = st.mode;
	s->size = st.size;
	s->mtime = st.mtime;
	s->mtime_ns = st.mtime_ns;
	if (S_ISDIR(st.mode))
		return read_names(tree, pool, s, err);
	if (S_ISREG(st.mode))
		return read_content(tree, pool, s, left, err);
	if (!S_ISLNK(st.mode))
		return 0;
	r = kmln_tree_readlink(tree, s->path, &target, err);
	s->target = r < 0 ? NULL : kmln_pool_strdup(pool, target.data);
	return r;
}

int kmln_states_read(struct kmln_tree *tree, struct kmln_pool *pool, struct kmln_state *states,
	size_t count, struct kmln_error *err)
{
	uint64_t left = KMLN_STATE_CONTENT_MAX;

	for (size_t i = 0; i < count; i++) {
		int r = read_one(tree, pool, &states[i], &left, err);

		if (r < 0)
			return r;
	}
	return 0;
}
