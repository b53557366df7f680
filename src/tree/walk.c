// SPDX-License-Identifier: GPL-2.0-or-later
/* Walking one tree; see walk.h. Held are the names of the folders on the way, and no more. */
#include "tree/walk.h"

#include "tree/numbers.h"

struct state {
	struct kmln_tree *tree;
	const struct kmln_walk *walk;
	struct kmln_buf path;
	struct kmln_numbers seen; /* inodes of folders */
};

static void state_fini(struct state *state)
{
	kmln_buf_fini(&state->path);
	kmln_numbers_fini(&state->seen);
}

static int enter(struct state *state, uint64_t inode, struct kmln_error *err);

static int one(struct state *state, const char *name, struct kmln_error *err)
{
	size_t before = state->path.size;
	struct kmln_stat st;
	int r;

	/* "/" ends in the slash already */
	if (state->path.data[before - 1] != '/')
		kmln_buf_str(&state->path, "/");
	kmln_buf_str(&state->path, name);
	r = kmln_tree_stat(state->tree, state->path.data, &st, err);
	if (r == 0)
		r = state->walk->each(state->walk->data, state->path.data, &st, err);
	else
		r = state->walk->problem(state->walk->data, state->path.data, err) < 0 ? -err->code
										       : 1;
	if (r == 0 && S_ISDIR(st.mode))
		r = enter(state, st.inode, err);
	state->path.size = before;
	state->path.data[before] = '\0';
	return r < 0 ? r : 0;
}

static int enter(struct state *state, uint64_t inode, struct kmln_error *err)
{
	KMLN_LISTING struct kmln_listing *listing = NULL;
	int r = 0;

	if (state->tree->ops->may_loop && inode) {
		if (kmln_numbers_find(&state->seen, inode))
			r = kmln_fail(err, KMLN_EINVALID,
				"%s: a folder that is in two places; the filesystem is damaged",
				state->path.data);
		kmln_numbers_set(&state->seen, inode, 0);
	}
	if (r == 0)
		r = kmln_tree_listing(state->tree, state->path.data, &listing, err);
	if (r < 0)
		return state->walk->problem(state->walk->data, state->path.data, err);
	for (size_t i = 0; r == 0 && i < listing->count; i++)
		r = one(state, kmln_listing_name(listing, i), err);
	return r;
}

int kmln_tree_walk(struct kmln_tree *tree, const char *path, const struct kmln_walk *walk,
	struct kmln_error *err)
{
	KMLN_CLEANUP(state_fini) struct state state = {.tree = tree, .walk = walk};
	struct kmln_stat st;
	int r = kmln_tree_stat(tree, path, &st, err);

	if (r < 0)
		return r;
	kmln_buf_str(&state.path, path);
	return enter(&state, st.inode, err);
}
