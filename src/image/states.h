/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands at given paths of a tree now, as plain data: for planning that must know more than
 * the facts. Nothing is followed: a path with a link on the way names nothing.
 */
#ifndef KMLN_IMAGE_STATES_H
#define KMLN_IMAGE_STATES_H

#include "tree/tree.h"

enum kmln_want_content {
	KMLN_WANT_NONE,
	KMLN_WANT_SAME_SIZE, /* where the file is `asked_size` bytes long */
	KMLN_WANT_ALL,
};

struct kmln_state {
	/* Asked for. */
	const char *path;
	enum kmln_want_content content;
	uint64_t asked_size;
	/* Found. Pointers live in the pool that was given. */
	uint32_t mode; /* with its type; 0: nothing is there */
	uint64_t size;
	int64_t mtime;
	uint32_t mtime_ns;
	const char
		*data; /* of a file, where it was asked for and there is room for it; NUL-ended */
	const char *target; /* of a link */
	const char *const *names; /* in a folder; NULL-ended, in no order */
	bool more_names; /* there are more of them than KMLN_STATE_NAMES_MAX */
};
#define KMLN_STATE_NAMES_MAX 20000u
#define KMLN_STATE_CONTENT_MAX (32ull << 20) /* bytes of all contents together */

/* KMLN_EINVALID for a damaged filesystem. */
int kmln_states_read(struct kmln_tree *tree, struct kmln_pool *pool, struct kmln_state *states,
	size_t count, struct kmln_error *err);

#endif
