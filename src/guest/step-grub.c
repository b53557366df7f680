// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * GRUB's configuration: the kernel of the other steps first, then all others that can start the
 * guest. What it is made from is kept in a file where kmln-guest, in the guest, makes it anew.
 */
#include "guest/steps.h"

#include <ctype.h>
#include <string.h>

#include "boot/grub-config.h"
#include "guest/boot-files.h"
#include "guest/vouch.h"

#define CONFIG KMLN_GRUB_CONFIG

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

/* The kernels as they are after the plan: the one to be booted is among them, with our initramfs.
 */
static struct kmln_kernel *kernels_after(
	const struct kmln_planning *planning, struct kmln_pool *pool, size_t *count)
{
	const struct kmln_facts *facts = planning->facts;
	const struct kmln_goal *goal = planning->goal;
	struct kmln_kernel *list = kmln_pool_array(pool, facts->kernel_count + 1, sizeof(*list));
	size_t at = 0;

	*count = facts->kernel_count;
	if (*count)
		memcpy(list, facts->kernels, *count * sizeof(*list));
	while (at < *count && !kmln_eq(list[at].release, goal->kernel->release))
		at++;
	if (at == *count || goal->from_kit) {
		const char *initramfs = at < *count ? list[at].initramfs : NULL;

		*count = at == *count ? at + 1 : *count;
		list[at] = *goal->kernel;
		list[at].initramfs = initramfs;
	}
	if (kmln_wants_initramfs(planning))
		list[at].initramfs = kmln_initramfs_name(pool, facts, goal->kernel->release);
	return list;
}

/* True where a kernel other than the one to be booted is the newest that could be. */
static bool is_not_newest(const struct kmln_boot_config *config, const struct kmln_kernel *kernels,
	size_t count, const char *release)
{
	for (size_t i = 0; i < count; i++)
		if (kernels[i].initramfs && kmln_boot_suits(config, &kernels[i]) &&
			kmln_release_compare(kernels[i].release, release) > 0)
			return true;
	return false;
}

/* Where a folder or file lies for GRUB: as in the guest, since /boot is on the root filesystem. */
static void write_config(struct kmln_planning *planning, const char *boot,
	struct kmln_boot_config *config, struct kmln_buf *out)
{
	const struct kmln_facts *facts = planning->facts;
	const struct kmln_known_file *known = kmln_facts_file(facts, KMLN_BOOT_CONFIG);
	struct kmln_pool *pool = planning->edits->pool;
	KMLN_BUF struct kmln_buf drivers = {0};
	struct kmln_boot_config before;
	struct kmln_kernel *kernels;
	size_t count;

	for (const char *const *d = planning->platform->drivers; d && *d; d++)
		kmln_buf_printf(&drivers, "%s ", *d);
	kmln_buf_str(&drivers, facts->root->is_ext ? "ext4" : "");
	*config = (struct kmln_boot_config){
		.filesystem = facts->root->uuid,
		.boot = boot,
		.programs = facts->arch ? facts->arch : "",
		.drivers = kmln_pool_strdup(pool, drivers.data),
		.kernel = "",
		.options = kmln_menu_words(pool, facts, planning->platform),
		.append = "",
	};
	/* the words of the guest's administrator stay */
	if (known->data && kmln_boot_config_read(known->data, pool, &before))
		config->append = before.append;
	kernels = kernels_after(planning, pool, &count);
	if (is_not_newest(config, kernels, count, planning->goal->kernel->release))
		config->kernel = planning->goal->kernel->release;
	kmln_grub_config_write(config, kernels, count, out);
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

/* As kmln_want_file(), also for a file in a folder that this plan makes. */
static int want_text(struct kmln_planning *planning, const char *why, const char *path,
	const char *folder, const struct kmln_buf *text, struct kmln_error *err)
{
	struct kmln_pool *pool = planning->edits->pool;
	const struct kmln_edit edit = {
		.kind = KMLN_EDIT_PUT,
		.by = "grub",
		.why = why,
		.path = kmln_pool_printf(pool, "%s%s", folder, strrchr(path, '/')),
		.mode = 0644,
		.mtime = KMLN_MTIME_NOW,
		.data = kmln_pool_memdup(pool, text->data, text->size),
		.size = text->size,
	};

	if (kmln_facts_file(planning->facts, path)->real)
		return kmln_want_file(
			planning, "grub", why, path, edit.data, edit.size, edit.mode, false, err);
	return kmln_edits_add(planning->edits, &edit, err);
}

static int plan(struct kmln_planning *planning, struct kmln_error *err)
{
	const struct kmln_facts *facts = planning->facts;
	const struct kmln_fstab_line *other = other_boot(facts);
	const char *feature = unreadable_feature(facts->root);
	KMLN_BUF struct kmln_buf text = {0};
	struct kmln_boot_config config;
	const char *boot, *folder;
	int r;

	if (!kmln_wants_menu(planning) || kmln_has_own_loader(facts))
		return 0;
	/* pygrub reads every ext4, and a domain's kernel may lie beside the image as well */
	if (!kmln_wants_loader(planning)) {
		if (other)
			return 0;
		feature = NULL;
	}
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
	write_config(planning, boot, &config, &text);
	r = want_text(planning, "what GRUB starts", CONFIG, folder, &text, err);
	/* only kmln-guest reads it */
	if (r == 0 && kmln_brings_guest_program(planning)) {
		text.size = 0;
		kmln_boot_config_write(&config, &text);
		r = kmln_want_folder(planning, "grub", "/etc/kmln", &folder, err);
		if (r == 0)
			r = want_text(planning, "for when kernels come and go", KMLN_BOOT_CONFIG,
				folder, &text, err);
	}
	return r;
}

static bool could_write(const struct kmln_facts *facts, const struct kmln_record_item *item)
{
	if (item->kind == KMLN_RECORD_MKDIR)
		return item->mode == 0755 &&
		       (kmln_is_place(facts, "/boot", item->path) ||
			       kmln_is_place(facts, "/boot/grub", item->path) ||
			       kmln_is_place(facts, "/etc/kmln", item->path));
	return item->kind == KMLN_RECORD_PUT && !item->timed && item->was != KMLN_WAS_UNKNOWN &&
	       (kmln_is_place(facts, CONFIG, item->path) ||
		       kmln_is_place(facts, KMLN_BOOT_CONFIG, item->path));
}

const struct kmln_step kmln_step_grub = {
	.name = "grub",
	.summary = "configure GRUB for the guest's kernel",
	.plan = plan,
	.could_write = could_write,
};
