// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln _confine: what kmln itself puts in front of a machine's program; see run/sandbox.h. */
#include "cli/commands.h"

#include <stddef.h>

#include "run/sandbox.h"

static int confine(const void *opts, int argc, char **argv, struct kmln_error *err)
{
	(void)opts;
	return kmln_sandbox_enter(argc, argv, err);
}

static const struct kmln_opt no_opts[] = {KMLN_OPT_END};

const struct kmln_command kmln_command_confine = {
	.name = "_confine",
	.args = "[--run|--read|--write|--device|--new PATH]... [--channels N] -- PROGRAM [ARGS]",
	.summary = "Become a program that has only these rights",
	.opts = no_opts,
	.min_args = 2,
	.max_args = -1,
	.hidden = true,
	.raw = true,
	.run = confine,
};
