// SPDX-License-Identifier: GPL-2.0-or-later
/* GRUB's configuration: one entry, for the kernel and the initramfs of the other steps. */
#include "guest/steps.h"

#include <ctype.h>
#include <string.h>

#include "guest/boot-files.h"
#include "guest/grub-config.h"
#include "guest/vouch.h"

#define CONFIG "/boot/grub/grub.cfg"

bool kmln_has_own_loader(const struct kmln_facts *facts)
{
	const struct kmln_known_file *config = kmln_facts_file(facts, CONFIG);
	bool in_esp = facts->esp && facts->esp->has_loader && !facts->esp->loader_sum;

	return ((facts->boot && facts->loader) || in_esp) &&
	       !(config->data && kmln_starts(config->data, KMLN_GRUB_MARK));
}

/*
 * ext4 features that the GRUB 2.06 which kmln writes cannot read: with them it would find no file
 * at all.
 */
static const char *unreadable_feature(const struct kmln_filesystem *root)
{
	static const char *const features[] = {"inline_data", "casefold", "bigalloc", "ea_inode"};

	for (const char *const *f = root->features; f && *f; f++)
		for (size_t i = 0; i < KMLN_COUNT(features); i++)
			if (kmln_eq(*f, features[i]))
				return features[i];
	return NULL;
}

/* Where a file lies for GRUB: as in the guest, since /boot is on the root filesystem. */
static void write_config(struct kmln_buf *out, struct kmln_planning *planning, const char *boot)
{
	const struct kmln_facts *facts = planning->facts;
	const struct kmln_goal *goal = planning->goal;
	struct kmln_pool *pool = planning->edits->pool;
	const char *initramfs =
		goal->initramfs ? kmln_pool_printf(pool, "%s/%s", boot,
					  kmln_initramfs_name(pool, facts, goal->kernel->release))
				: goal->kernel->initramfs;
	const struct kmln_grub_config config = {
		.title = goal->kernel->release,
		.uuid = facts->root->uuid,
		.kernel = kmln_pool_printf(pool, "%s%s", boot, strrchr(goal->kernel->image, '/')),
		.initramfs = initramfs,
		.words = kmln_kernel_words(pool, facts),
	};

	kmln_grub_config(&config, out);
}

/* GRUB's own words are divided by blanks, and a guest may call its folders as it likes. */
static bool plain_path(const char *path)
{
	for (; *path; path++)
		if (!isalnum((unsigned char)*path) && !strchr("._/+-", *path))
			return false;
	return true;
}

/* What is put into /boot would be hidden under another filesystem, and its loader lost. */
static const struct kmln_fstab_line *other_boot(const struct kmln_facts *facts)
{
	for (size_t i = 0; i < facts->fstab_count; i++)
		if (kmln_eq(facts->fstab[i].mount, "/boot") ||
			kmln_eq(facts->fstab[i].mount, "/boot/grub"))
			return &facts->fstab[i];
	return NULL;
}

static int plan(struct kmln_planning *planning, struct kmln_error *err)
{
	const struct kmln_facts *facts = planning->facts;
	const struct kmln_fstab_line *other = other_boot(facts);
	const char *feature = unreadable_feature(facts->root);
	KMLN_BUF struct kmln_buf text = {0};
	const char *boot, *folder;
	int r;

	if (!kmln_wants_loader(planning) || kmln_has_own_loader(facts))
		return 0;
	if (!facts->loader)
		kmln_missing(planning, "a boot loader configuration");
	if (feature)
		kmln_missing(planning, "a filesystem that GRUB can read (it has %s)", feature);
	if (other)
		kmln_missing(planning, "%s on the root filesystem", other->mount);
	if (!planning->edits)
		return 0;
	if (other)
		return kmln_fail(err, KMLN_EINVALID,
			"the guest keeps %s on a filesystem of its own (/etc/fstab:%u), and kmln does "
			"not convert that yet",
			other->mount, other->line);
	if (feature)
		return kmln_fail(err, KMLN_EINVALID,
			"the filesystem has the feature %s, which GRUB cannot read: it could not load "
			"the kernel from it; --boot disk puts the kernel on a disk of its own",
			feature);
	r = kmln_want_folder(planning, "grub", "/boot", &boot, err);
	if (r == 0)
		r = kmln_want_folder(planning, "grub", "/boot/grub", &folder, err);
	if (r < 0)
		return r;
	if (!plain_path(boot))
		return kmln_fail(err, KMLN_EINVALID,
			"in the guest, /boot is %s, a name that GRUB's configuration cannot hold",
			boot);
	write_config(&text, planning, boot);
	if (!kmln_facts_file(facts, CONFIG)->real) {
		/* its folder is made by this plan */
		const struct kmln_edit edit = {
			.kind = KMLN_EDIT_PUT,
			.by = "grub",
			.why = "what GRUB starts",
			.path = kmln_pool_printf(planning->edits->pool, "%s/grub.cfg", folder),
			.mode = 0644,
			.mtime = KMLN_MTIME_NOW,
			.data = kmln_pool_memdup(planning->edits->pool, text.data, text.size),
			.size = text.size,
		};

		return kmln_edits_add(planning->edits, &edit, err);
	}
	return kmln_want_file(planning, "grub", "what GRUB starts", CONFIG,
		kmln_pool_memdup(planning->edits->pool, text.data, text.size), text.size, 0644,
		false, err);
}

static bool could_write(const struct kmln_facts *facts, const struct kmln_record_item *item)
{
	if (item->kind == KMLN_RECORD_MKDIR)
		return item->mode == 0755 &&
		       (kmln_is_place(facts, "/boot", item->path) ||
			       kmln_is_place(facts, "/boot/grub", item->path));
	return item->kind == KMLN_RECORD_PUT && !item->timed && item->was != KMLN_WAS_UNKNOWN &&
	       kmln_is_place(facts, CONFIG, item->path);
}

const struct kmln_step kmln_step_grub = {
	.name = "grub",
	.summary = "configure GRUB for the guest's kernel",
	.plan = plan,
	.could_write = could_write,
};
