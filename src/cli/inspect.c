// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln inspect */
#include "cli/commands.h"

#include <stddef.h>

#include "base/log.h"
#include "cli/show-facts.h"
#include "image/inspect.h"

struct options {
	const char *format;
	bool backing;
};

static const struct kmln_opt opts[] = {
	KMLN_OPT_BACKING(struct options),
	KMLN_OPT_FORMAT(struct options),
	KMLN_OPT_END,
};

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct options *o = values;
	KMLN_DISK struct kmln_disk disk = {.fd = -1};
	KMLN_FACTS struct kmln_facts *facts = NULL;
	int r = kmln_disk_open(
		argv[0], KMLN_DISK_SHARED | (o->backing ? KMLN_DISK_BACKING : 0), &disk, err);

	(void)argc;
	if (r < 0)
		return r;
	if (kmln_disk_busy(&disk))
		kmln_warn("%s is in use: what is shown may be out of date", argv[0]);
	r = kmln_inspect(&disk, &facts, err);
	if (r < 0)
		return kmln_wrap(err, "%s", argv[0]);
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
