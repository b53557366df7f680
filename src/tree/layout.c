// SPDX-License-Identifier: GPL-2.0-or-later
/* One walk that counts; see layout.h. */
#include "tree/layout.h"

#include <string.h>

#include "tree/walk.h"

struct counting {
	struct kmln_tree *tree;
	struct kmln_layout *layout;
};

static int problem(void *data, const char *path, struct kmln_error *err)
{
	struct counting *counting = data;

	(void)path;
	(void)err;
	counting->layout->unreadable++;
	return 0;
}

static void add_item(struct counting *counting, const char *path, const struct kmln_stat *st)
{
	struct kmln_layout *layout = counting->layout;
	struct kmln_layout_item *item =
		kmln_pool_append(layout->pool, &layout->items, &layout->count, sizeof(*item));
	KMLN_BUF struct kmln_buf target = {0};
	struct kmln_error ignored;

	item->path = kmln_pool_strdup(layout->pool, path);
	item->mode = st->mode;
	item->bytes = S_ISREG(st->mode) ? st->size : 0;
	if (!S_ISLNK(st->mode))
		return;
	if (kmln_tree_readlink(counting->tree, path, &target, &ignored) < 0)
		layout->unreadable++;
	else
		item->target = kmln_pool_strdup(layout->pool, target.data);
}

static int each(void *data, const char *path, const struct kmln_stat *st, struct kmln_error *err)
{
	struct counting *counting = data;
	struct kmln_layout *layout = counting->layout;
	struct kmln_layout_item *item;

	(void)err;
	layout->objects++;
	layout->bytes += S_ISREG(st->mode) ? st->size : 0;
	if (!strchr(path + 1, '/')) {
		add_item(counting, path, st);
		return 0;
	}
	/* depth first: it is in the folder that came last */
	item = &layout->items[layout->count - 1];
	item->folders += S_ISDIR(st->mode);
	item->others += !S_ISDIR(st->mode);
	item->bytes += S_ISREG(st->mode) ? st->size : 0;
	return 0;
}

int kmln_tree_layout(struct kmln_tree *tree, struct kmln_layout *layout, struct kmln_error *err)
{
	struct counting counting = {tree, layout};
	const struct kmln_walk walk = {each, problem, &counting};

	return kmln_tree_walk(tree, "/", &walk, err);
}
