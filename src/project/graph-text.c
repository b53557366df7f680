// SPDX-License-Identifier: GPL-2.0-or-later
/* The cluster as a tree: a switch, and below it each interface that is attached. */
#include "project/graph.h"

#include <string.h>

/* One line below a switch. */
struct leaf {
	const struct kmln_host *host;
	const struct kmln_interface *interface; /* NULL: the host has none at all */
};

struct leaves {
	struct leaf *items;
	size_t count;
	int name_width, platform_width, device_width;
};

static int widest(int width, const char *text)
{
	int n = (int)strlen(text);

	return n > width ? n : width;
}

static void add_leaf(struct leaves *leaves, struct kmln_pool *pool, const struct kmln_host *host,
	const struct kmln_interface *interface)
{
	struct leaf *leaf = kmln_pool_append(pool, &leaves->items, &leaves->count, sizeof(*leaf));

	*leaf = (struct leaf){host, interface};
	leaves->name_width = widest(leaves->name_width, host->name.text);
	leaves->platform_width = widest(leaves->platform_width, kmln_graph_platform(host));
	if (interface)
		leaves->device_width = widest(leaves->device_width, interface->name.text);
}

/* All that is attached to `on`; NULL: to no switch of the project. */
static struct leaves gather(
	const struct kmln_model *model, const struct kmln_switch *on, struct kmln_pool *pool)
{
	struct leaves leaves = {0};

	for (size_t h = 0; h < model->host_count; h++) {
		const struct kmln_host *host = model->hosts[h];

		for (size_t i = 0; i < host->interface_count; i++)
			if (host->interfaces[i].on == on)
				add_leaf(&leaves, pool, host, &host->interfaces[i]);
		if (!on && !host->interface_count)
			add_leaf(&leaves, pool, host, NULL);
	}
	return leaves;
}

static void print_leaf(struct kmln_buf *out, struct kmln_pool *pool, const struct leaves *leaves,
	size_t i, const struct kmln_impairment *known)
{
	const struct leaf *leaf = &leaves->items[i];
	const struct kmln_interface *interface = leaf->interface;
	const char *rest[3] = {"", "", ""};

	if (interface) {
		rest[0] = kmln_graph_addresses(pool, interface);
		rest[1] = kmln_graph_elsewhere(pool, interface);
		rest[2] = kmln_graph_impairment(pool, &interface->impairment, known);
	}
	kmln_buf_printf(out, "%s %-*s  %-*s  %-*s", i + 1 < leaves->count ? "├─" : "└─",
		leaves->name_width, leaf->host->name.text, leaves->platform_width,
		kmln_graph_platform(leaf->host), leaves->device_width,
		interface ? interface->name.text : "");
	for (size_t r = 0; r < KMLN_COUNT(rest); r++)
		if (*rest[r])
			kmln_buf_printf(out, "  %s", rest[r]);
	while (out->data[out->size - 1] == ' ')
		out->data[--out->size] = '\0';
	kmln_buf_str(out, "\n");
}

static void print_leaves(struct kmln_buf *out, struct kmln_pool *pool, const struct leaves *leaves,
	const struct kmln_impairment *known)
{
	for (size_t i = 0; i < leaves->count; i++)
		print_leaf(out, pool, leaves, i, known);
}

void kmln_graph_text(struct kmln_buf *out, const struct kmln_model *model)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct leaves alone = gather(model, NULL, pool);

	kmln_buf_printf(out, "%s: %s\n", model->project, kmln_graph_size(pool, model));
	for (size_t i = 0; i < model->switch_count; i++) {
		const struct kmln_switch *s = model->switches[i];
		const struct leaves leaves = gather(model, s, pool);
		const char *what = kmln_graph_switch(pool, s);
		const char *impaired = kmln_graph_impairment(pool, &s->impairment, NULL);

		kmln_buf_printf(out, "\n%s%s%s%s%s\n", s->name.text, *what ? "  " : "", what,
			*impaired ? "  " : "", impaired);
		print_leaves(out, pool, &leaves, &s->impairment);
	}
	if (!alone.count)
		return;
	kmln_buf_str(out, "\non no switch\n");
	print_leaves(out, pool, &alone, NULL);
}
