// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln convert */
#include "cli/commands.h"

#include <stddef.h>
#include <stdio.h>

#include "base/log.h"
#include "cli/show-plan.h"
#include "convert/convert.h"

struct options {
	const char *to, *out, *kernel, *boot, *format;
	uint64_t size;
	bool dry_run, force;
};

static const char *const targets[] = {"kvm", NULL};

static const struct kmln_opt opts[] = {
	{"to", 't', KMLN_OPT_CHOICE, "PLATFORM", "the platform to convert for: kvm",
		offsetof(struct options, to), targets},
	{"output", 'o', KMLN_OPT_FILE, "OUT", "the image to make; IMAGE itself is only read",
		offsetof(struct options, out), NULL},
	{"kernel", 'k', KMLN_OPT_FILE, "KERNEL",
		"the kernel to boot: a .deb file, a folder, or a release that the guest, the cache or "
		"the host has",
		offsetof(struct options, kernel), NULL},
	{"boot", 0, KMLN_OPT_CHOICE, "FORM",
		"how it starts: bios (default) or uefi from its own disk; disk: from a boot disk "
		"beside it; direct: kernel and run script beside it",
		offsetof(struct options, boot), kmln_boot_forms},
	{"size", 0, KMLN_OPT_SIZE, "SIZE", "make the root filesystem at least this big, like 2G",
		offsetof(struct options, size), NULL},
	{"dry-run", 'n', KMLN_OPT_FLAG, NULL, "show what would change, and change nothing",
		offsetof(struct options, dry_run), NULL},
	{"force", 'f', KMLN_OPT_FLAG, NULL, "replace OUT where it is there already",
		offsetof(struct options, force), NULL},
	KMLN_OPT_FORMAT(struct options),
	KMLN_OPT_END,
};

static int show_text(const struct kmln_edits *edits, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf text = {0};

	(void)err;
	kmln_edits_print(edits, kmln_verbosity > 0, &text);
	printf("%s", text.size ? text.data : "nothing to do\n");
	return 0;
}

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct options *o = values;
	struct kmln_convert job = {
		.image = argv[0],
		.out = o->out,
		.kernel = o->kernel,
		.size = o->size,
		.dry_run = o->dry_run,
		.force = o->force,
	};
	int r;

	(void)argc;
	while (o->boot && !kmln_eq(o->boot, kmln_boot_forms[job.form]))
		job.form++;
	if (!o->to)
		return kmln_fail(err, KMLN_EUSAGE, "convert: for which platform? --to kvm");
	if (!o->out && !o->dry_run)
		return kmln_fail(
			err, KMLN_EUSAGE, "convert: into which file? -o OUT, or --dry-run");
	job.to = kmln_platform_find(o->to);
	if (o->dry_run)
		job.show = kmln_eq(o->format, "json") ? kmln_show_edits_json : show_text;
	r = kmln_convert(&job, err);
	if (r == 0 && !o->dry_run && job.form == KMLN_BOOT_DISK)
		kmln_note("%s is ready: kmln boot %s --boot-disk %s.boot.img", o->out, o->out,
			o->out);
	else if (r == 0 && !o->dry_run && job.form == KMLN_BOOT_DIRECT)
		kmln_note("%s is ready: %s.run, or kmln boot %s.json", o->out, o->out, o->out);
	else if (r == 0 && !o->dry_run)
		kmln_note("%s is ready: kmln boot %s", o->out, o->out);
	return r;
}

const struct kmln_command kmln_command_convert = {
	.name = "convert",
	.args = "IMAGE",
	.summary = "Convert a guest's image for another platform, with all it holds",
	.details = "IMAGE is only read. OUT appears when it is complete and checked.",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 1,
	.complete_files = true,
	.run = run,
};
