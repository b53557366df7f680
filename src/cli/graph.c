// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln graph: a picture of a project, made of its file alone. */
#include "cli/commands.h"

#include <stddef.h>

#include "cli/project.h"
#include "project/graph.h"

struct options {
	const char *file, *kind, *output;
	bool allow_include;
};

static const char *const kinds[] = {"svg", "dot", "text", NULL};

static const struct kmln_opt opts[] = {
	KMLN_OPT_PROJECT(struct options),
	{"format", 0, KMLN_OPT_CHOICE, "KIND",
		"text (default), svg for a browser, or dot for Graphviz",
		offsetof(struct options, kind), kinds},
	{"output", 'o', KMLN_OPT_FILE, "FILE",
		"write to FILE, whose suffix says the format: .svg, .dot or .txt",
		offsetof(struct options, output), NULL},
	KMLN_OPT_END,
};

static const char *kind_of(const struct options *o)
{
	if (o->kind || !o->output)
		return o->kind ? o->kind : "text";
	if (kmln_ends(o->output, ".svg"))
		return "svg";
	return kmln_ends(o->output, ".dot") || kmln_ends(o->output, ".gv") ? "dot" : "text";
}

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct options *o = values;
	const char *kind = kind_of(o);
	KMLN_LOADED struct kmln_loaded loaded = {0};
	KMLN_BUF struct kmln_buf out = {0};
	int r = kmln_project_load_valid(
		&loaded, o->file, argc ? argv[0] : NULL, o->allow_include, false, err);

	if (r < 0)
		return r;
	if (kmln_eq(kind, "svg"))
		kmln_graph_svg(&out, loaded.model);
	else if (kmln_eq(kind, "dot"))
		kmln_graph_dot(&out, loaded.model);
	else
		kmln_graph_text(&out, loaded.model);
	return kmln_project_write(o->output, &out, 0644, err);
}

const struct kmln_command kmln_command_graph = {
	.name = "graph",
	.args = "[FILE]",
	.summary = "Draw a project: switches, hosts, addresses",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.max_args = 1,
	.complete_files = true,
	.run = run,
};
