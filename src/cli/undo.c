// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln undo */
#include "convert/undo.h"

#include <stddef.h>
#include <stdio.h>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/show-plan.h"

struct options {
	const char *out, *format;
	uint64_t root;
	bool dry_run, force, backing;
};

static const struct kmln_opt opts[] = {
	{"output", 'o', KMLN_OPT_FILE, "OUT", "make a copy as IMAGE was; IMAGE itself is only read",
		offsetof(struct options, out), NULL},
	{"dry-run", 'n', KMLN_OPT_FLAG, NULL, "show what would change, and change nothing",
		offsetof(struct options, dry_run), NULL},
	{"force", 'f', KMLN_OPT_FLAG, NULL,
		"take back what was edited in the guest since as well, and replace OUT where it is "
		"there already",
		offsetof(struct options, force), NULL},
	KMLN_OPT_ROOT(struct options),
	KMLN_OPT_BACKING(struct options),
	KMLN_OPT_FORMAT(struct options),
	KMLN_OPT_END,
};

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct options *o = values;
	struct kmln_undo_job job = {
		.image = argv[0],
		.out = o->out,
		.root = (unsigned)o->root,
		.backing = o->backing,
		.dry_run = o->dry_run,
		.force = o->force,
	};
	int r;

	(void)argc;
	if (o->dry_run)
		job.show = kmln_eq(o->format, "json") ? kmln_show_edits_json : kmln_show_edits_text;
	r = kmln_undo_image(&job, err);
	if (r == 0 && !o->dry_run)
		kmln_note("%s is as it was before it was converted", o->out ? o->out : argv[0]);
	return r;
}

const struct kmln_command kmln_command_undo = {
	.name = "undo",
	.args = "IMAGE",
	.summary = "Take back what conversions changed in a guest's image",
	.details = "Only what kmln put in is taken out; what others changed since stays.\n"
		   "IMAGE is changed in place, unless -o is given.",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 1,
	.complete_files = true,
	.run = run,
};
