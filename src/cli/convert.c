// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln convert */
#include "cli/commands.h"

#include <libgen.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "cli/many.h"
#include "cli/show-plan.h"
#include "convert/convert.h"

struct options {
	const char *to, *out, *kernel, *format, *form, *boot;
	uint64_t size, jobs, root;
	bool dry_run, force, in_place, backing, nofail, merge;
};

static const char *const targets[] = {"kvm", "uml", NULL};

static const char *const forms[] = {"raw", "qcow2", "vmdk", "vdi", "composite", NULL};

static const struct kmln_opt opts[] = {
	{"to", 't', KMLN_OPT_CHOICE, "PLATFORM", "the platform to convert for: kvm or uml",
		offsetof(struct options, to), targets},
	{"output", 'o', KMLN_OPT_FILE, "OUT", "the image to make; IMAGE itself is only read",
		offsetof(struct options, out), NULL},
	{"as", 'O', KMLN_OPT_CHOICE, "KIND",
		"raw (default), qcow2, vmdk or vdi; composite: a disk made of IMAGE itself and small "
		"files beside it, with --in-place",
		offsetof(struct options, form), forms},
	{"in-place", 0, KMLN_OPT_FLAG, NULL, "convert IMAGE itself, without copying it",
		offsetof(struct options, in_place), NULL},
	KMLN_OPT_BACKING(struct options),
	{"boot", 0, KMLN_OPT_CHOICE, "FORM",
		"how it starts: bios (default) or uefi from its own disk; disk: from a boot disk "
		"beside it; direct: kernel and run script beside it",
		offsetof(struct options, boot), kmln_boot_forms},
	{"kernel", 'k', KMLN_OPT_FILE, "KERNEL",
		"the kernel to boot: a .deb file, a folder, or a release that the guest, the cache or "
		"the host has",
		offsetof(struct options, kernel), NULL},
	{"size", 0, KMLN_OPT_SIZE, "SIZE", "make the root filesystem at least this big, like 2G",
		offsetof(struct options, size), NULL},
	{"merge", 0, KMLN_OPT_FLAG, NULL,
		"put /home, /var and others that the guest mounts from IMAGE into its root (uml, -o)",
		offsetof(struct options, merge), NULL},
	{"nofail", 0, KMLN_OPT_FLAG, NULL,
		"let the guest start without disks that its fstab wants and IMAGE does not have",
		offsetof(struct options, nofail), NULL},
	KMLN_OPT_ROOT(struct options),
	{"jobs", 'j', KMLN_OPT_NUMBER, "N", "of several images convert N at a time (default 1)",
		offsetof(struct options, jobs), NULL},
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
	if (composite && o->boot && !kmln_eq(o->boot, "bios") && !kmln_eq(o->boot, "uefi"))
		return kmln_fail(err, KMLN_EUSAGE,
			"convert: a composite disk starts by itself; --boot %s has none", o->boot);
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

struct batch {
	const struct options *options;
	struct kmln_convert job; /* the same for all but names */
	char **images;
	struct kmln_strv outs; /* empty in place */
};

static void batch_fini(struct batch *batch)
{
	kmln_strv_fini(&batch->outs);
}

static bool is_folder(const char *path)
{
	struct stat st;

	return path && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Into a folder each goes under its own name. */
static int name_outputs(struct batch *batch, int count, struct kmln_error *err)
{
	const char *out = batch->options->out;

	for (int i = 0; out && i < count; i++) {
		KMLN_FREE char *copy = kmln_strdup(batch->images[i]), *name = NULL;

		name = is_folder(out) ? kmln_printf("%s/%s", out, basename(copy))
				      : kmln_strdup(out);
		if (kmln_strv_has(&batch->outs, name))
			return kmln_fail(err, KMLN_EUSAGE,
				"convert: %s would be written twice; several images go into a "
				"folder: -o FOLDER",
				name);
		kmln_strv_add(&batch->outs, name);
	}
	return 0;
}

static int convert_one(void *data, size_t index, struct kmln_error *err)
{
	const struct batch *batch = data;
	struct kmln_convert job = batch->job;

	job.image = batch->images[index];
	job.out = batch->outs.count ? batch->outs.items[index] : NULL;
	return kmln_convert(&job, err);
}

/* Plans one behind the other; nothing is changed, so nothing is gained by doing it at once. */
static int show_plans(struct batch *batch, int count, struct kmln_error *err)
{
	int r = 0;

	if (count > 1 && kmln_eq(batch->options->format, "json"))
		return kmln_fail(
			err, KMLN_EUSAGE, "convert: JSON is for one image's plan at a time");
	for (int i = 0; r == 0 && i < count; i++) {
		if (count > 1)
			printf("%s%s:\n", i ? "\n" : "", batch->images[i]);
		r = convert_one(batch, (size_t)i, err);
	}
	return r;
}

static void say_ready(const struct kmln_convert *job)
{
	const char *image = job->out ? job->out : job->image;

	if (job->form == KMLN_BOOT_DISK)
		kmln_note("%s is ready: kmln boot %s --boot-disk %s.boot.img", image, image, image);
	else if (job->form == KMLN_BOOT_DIRECT)
		kmln_note("%s is ready: %s.run, or kmln boot %s.json", image, image, image);
	else if (job->out)
		kmln_note("%s is ready: kmln boot %s", image, image);
	else
		kmln_note("%s is ready", image);
}

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct options *o = values;
	KMLN_CLEANUP(batch_fini)
	struct batch batch = {
		.options = o,
		.images = argv,
		.job =
			{
				.format = o->form ? o->form : "raw",
				.backing = o->backing,
				.in_place = o->in_place,
				.kernel = o->kernel,
				.size = o->size,
				.root = (unsigned)o->root,
				.merge = o->merge,
				.nofail = o->nofail,
				.dry_run = o->dry_run,
				.force = o->force,
			},
	};
	int r;

	while (o->boot && !kmln_eq(o->boot, kmln_boot_forms[batch.job.form]))
		batch.job.form++;
	if (!o->to)
		return kmln_fail(
			err, KMLN_EUSAGE, "convert: for which platform? --to kvm or --to uml");
	r = check_output(o, err);
	if (r == 0)
		r = name_outputs(&batch, argc, err);
	if (r < 0)
		return r;
	batch.job.to = kmln_platform_find(o->to);
	if (o->dry_run) {
		batch.job.show =
			kmln_eq(o->format, "json") ? kmln_show_edits_json : kmln_show_edits_text;
		return show_plans(&batch, argc, err);
	}
	if (argc > 1)
		return kmln_many((const char *const *)argv, (size_t)argc,
			o->jobs && o->jobs < 64 ? (unsigned)o->jobs : 1, convert_one, &batch, err);
	r = convert_one(&batch, 0, err);
	if (r < 0)
		return r;
	batch.job.image = argv[0];
	batch.job.out = batch.outs.count ? batch.outs.items[0] : NULL;
	say_ready(&batch.job);
	return 0;
}

const struct kmln_command kmln_command_convert = {
	.name = "convert",
	.args = "IMAGE...",
	.summary = "Convert a guest's image for another platform, with all it holds",
	.details = "IMAGE is only read, unless --in-place is given.\n"
		   "OUT appears when it is complete and checked.",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.min_args = 1,
	.max_args = -1,
	.complete_files = true,
	.run = run,
};
