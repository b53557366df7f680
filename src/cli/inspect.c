// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln inspect */
#include "cli/commands.h"

#include <stddef.h>

#include "cli/show-facts.h"
#include "image/source.h"

struct options {
	const char *format;
	bool backing;
	uint64_t root;
};

static const struct kmln_opt opts[] = {
	KMLN_OPT_ROOT(struct options),
	KMLN_OPT_BACKING(struct options),
	KMLN_OPT_FORMAT(struct options),
	KMLN_OPT_END,
};

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct options *o = values;
	KMLN_SOURCE struct kmln_source source = {0};
	const struct kmln_facts *facts;
	int r = kmln_source_open(argv[0], o->backing, &source, err);

	(void)argc;
	source.disk.root = (unsigned)o->root;
	if (r == 0)
		r = kmln_source_inspect(&source, &facts, err);
	if (r < 0)
		return r;
	if (kmln_eq(o->format, "json"))
		return kmln_show_facts_json(facts, err);
	kmln_show_facts_text(facts);
	return 0;
}

const struct kmln_command kmln_command_inspect = {
	.name = "inspect",
	.args = "IMAGE",
	.summary = "Show what an image holds, and on which platforms it is ready to run",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 1,
	.complete_files = true,
	.run = run,
};
