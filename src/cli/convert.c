// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln convert */
#include "cli/commands.h"

#include <stddef.h>

#include "base/log.h"
#include "cli/show-plan.h"
#include "convert/convert.h"

struct options {
	const char *to, *out, *kernel, *format, *form;
	uint64_t size;
	bool dry_run, force, in_place;
};

static const char *const targets[] = {"kvm", NULL};

static const char *const forms[] = {"raw", "qcow2", "vmdk", "vdi", "composite", NULL};

static const struct kmln_opt opts[] = {
	{"to", 't', KMLN_OPT_CHOICE, "PLATFORM", "the platform to convert for: kvm",
		offsetof(struct options, to), targets},
	{"output", 'o', KMLN_OPT_FILE, "OUT", "the image to make; IMAGE itself is only read",
		offsetof(struct options, out), NULL},
	{"output-format", 'O', KMLN_OPT_CHOICE, "FORMAT",
		"raw (default), qcow2, vmdk or vdi; composite: a disk made of IMAGE itself and small "
		"files beside it, with --in-place",
		offsetof(struct options, form), forms},
	{"in-place", 0, KMLN_OPT_FLAG, NULL, "convert IMAGE itself, without copying it",
		offsetof(struct options, in_place), NULL},
	{"kernel", 'k', KMLN_OPT_FILE, "KERNEL",
		"the kernel to boot: a .deb file, a folder, or a release that the guest, the cache or "
		"the host has",
		offsetof(struct options, kernel), NULL},
	{"size", 0, KMLN_OPT_SIZE, "SIZE", "make the root filesystem at least this big, like 2G",
		offsetof(struct options, size), NULL},
	{"dry-run", 'n', KMLN_OPT_FLAG, NULL, "show what would change, and change nothing",
		offsetof(struct options, dry_run), NULL},
	{"force", 'f', KMLN_OPT_FLAG, NULL, "replace OUT where it is there already",
		offsetof(struct options, force), NULL},
	KMLN_OPT_FORMAT(struct options),
	KMLN_OPT_END,
};

/* Where the result goes: a file of its own, or the image. */
static int check_output(const struct options *o, struct kmln_error *err)
{
	const bool composite = kmln_eq(o->form, "composite");

	if (composite && !o->in_place)
		return kmln_fail(err, KMLN_EUSAGE,
			"convert: a composite disk is made of IMAGE itself: say --in-place as well");
	if (o->in_place && o->form && !composite)
		return kmln_fail(err, KMLN_EUSAGE,
			"convert: --in-place keeps the format of IMAGE; -O %s makes a copy: -o OUT",
			o->form);
	if (o->in_place && o->out && !composite)
		return kmln_fail(err, KMLN_EUSAGE, "convert: either -o OUT or --in-place");
	if (!o->out && !o->dry_run && !o->in_place)
		return kmln_fail(err, KMLN_EUSAGE,
			"convert: into which file? -o OUT; or --in-place, or --dry-run");
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
		.format = o->form ? o->form : "raw",
		.in_place = o->in_place,
		.dry_run = o->dry_run,
		.force = o->force,
	};
	int r;

	(void)argc;
	if (!o->to)
		return kmln_fail(err, KMLN_EUSAGE, "convert: for which platform? --to kvm");
	r = check_output(o, err);
	if (r < 0)
		return r;
	job.to = kmln_platform_find(o->to);
	if (o->dry_run)
		job.show = kmln_eq(o->format, "json") ? kmln_show_edits_json : kmln_show_edits_text;
	r = kmln_convert(&job, err);
	if (r == 0 && !o->dry_run && o->out)
		kmln_note("%s is ready: kmln boot %s", o->out, o->out);
	else if (r == 0 && !o->dry_run)
		kmln_note("%s is ready", argv[0]);
	return r;
}

const struct kmln_command kmln_command_convert = {
	.name = "convert",
	.args = "IMAGE",
	.summary = "Convert a guest's image for another platform, with all it holds",
	.details =
		"IMAGE is only read, unless --in-place is given. OUT appears when it is complete and "
		"checked.",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 1,
	.complete_files = true,
	.run = run,
};
