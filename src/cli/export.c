// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln export: a project in the other notation, as it was written or as what it comes to. */
#include "cli/commands.h"

#include <stddef.h>

#include "base/file.h"
#include "cli/project.h"
#include "project/print.h"
#include "project/xml.h"

struct options {
	const char *file, *notation, *output;
	bool allow_include, resolved;
};

static const char *const notations[] = {"xml", "kmln", NULL};

static const struct kmln_opt opts[] = {
	KMLN_OPT_PROJECT(struct options),
	{"format", 0, KMLN_OPT_CHOICE, "NOTATION", "xml (default), or kmln: the text notation",
		offsetof(struct options, notation), notations},
	{"resolved", 'r', KMLN_OPT_FLAG, NULL,
		"what it comes to: every host by itself, with all addresses",
		offsetof(struct options, resolved), NULL},
	{"output", 'o', KMLN_OPT_FILE, "FILE", "write to FILE, not to standard output",
		offsetof(struct options, output), NULL},
	KMLN_OPT_END,
};

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct options *o = values;
	KMLN_LOADED struct kmln_loaded loaded = {0};
	KMLN_BUF struct kmln_buf out = {0};
	const struct kmln_syntax *syntax;
	int r = kmln_project_load_valid(
		&loaded, o->file, argc ? argv[0] : NULL, o->allow_include, false, err);

	if (r < 0)
		return r;
	syntax = o->resolved ? kmln_model_syntax(loaded.model, loaded.pool) : loaded.syntax;
	if (kmln_eq(o->notation, "kmln"))
		kmln_syntax_print(&out, syntax);
	else
		r = kmln_xml_print(&out, syntax, err);
	/* there may be password hashes in it */
	return r < 0 ? r : kmln_project_write(o->output, &out, 0600, err);
}

const struct kmln_command kmln_command_export = {
	.name = "export",
	.args = "[FILE]",
	.summary = "Translate a project into XML, or back",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.max_args = 1,
	.complete_files = true,
	.run = run,
};
