// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln compare: reads both, looks at what a conversion would do, and shows it. */
#include "cli/compare.h"

#include <stddef.h>

#include "cli/commands.h"
#include "cli/show-entry.h"

struct options {
	const char *to, *format;
	bool backing;
};

static const char *const platforms[] = {"kvm", "uml", "qemu", "xen", "container", NULL};

static const struct kmln_opt opts[] = {
	{"to", 't', KMLN_OPT_CHOICE, "PLATFORM",
		"the platform that A is to be converted for: kvm, uml, qemu, xen, container; by "
		"default the first that B is ready for",
		offsetof(struct options, to), platforms},
	KMLN_OPT_BACKING(struct options),
	KMLN_OPT_FORMAT(struct options),
	KMLN_OPT_END,
};

static void comparison_fini(struct kmln_comparison *c)
{
	kmln_prospect_fini(&c->prospect);
	kmln_source_close(&c->a.source);
	kmln_source_close(&c->b.source);
	kmln_pool_free(c->pool);
}

static int look(struct kmln_compared *side, const char *path, bool backing, struct kmln_pool *pool,
	struct kmln_error *err)
{
	struct kmln_tree *tree;
	int r = kmln_source_open(path, backing, &side->source, err);

	side->path = path;
	side->layout.pool = pool;
	if (r == 0)
		r = kmln_source_inspect(&side->source, &side->facts, err);
	if (r < 0 || !side->facts->root)
		return r;
	r = kmln_source_tree(&side->source, 0, &tree, err);
	return r < 0 ? r : kmln_tree_layout(tree, &side->layout, err);
}

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct options *o = values;
	KMLN_CLEANUP(comparison_fini)
	struct kmln_comparison c = {.pool = kmln_pool_new(), .backing = o->backing};
	uint64_t unreadable;
	int r = look(&c.a, argv[0], o->backing, c.pool, err);

	(void)argc;
	kmln_out_start();
	if (r == 0)
		r = look(&c.b, argv[1], o->backing, c.pool, err);
	if (r < 0)
		return r;
	kmln_packages_compare(c.a.facts, c.b.facts, c.pool, &c.packages, &c.package_count);
	r = kmln_prospect_make(&c, o->to, err);
	if (r < 0)
		return r;
	if (kmln_eq(o->format, "json"))
		r = kmln_comparison_json(&c, err);
	else
		kmln_comparison_text(&c);
	unreadable = c.a.layout.unreadable + c.b.layout.unreadable;
	if (r == 0 && unreadable)
		r = kmln_fail(err, EIO, "%llu objects could not be read; the counts leave them out",
			(unsigned long long)unreadable);
	return r;
}

const struct kmln_command kmln_command_compare = {
	.name = "compare",
	.args = "A B",
	.summary = "Show two guests side by side, and what moving one takes",
	.details = "A and B are images, or folders with a root filesystem laid out.",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.min_args = 2,
	.max_args = 2,
	.complete_files = true,
	.run = run,
};
