// SPDX-License-Identifier: GPL-2.0-or-later
/* A kernel and an initramfs for starting a guest as it is; see direct.h. */
#include "convert/direct.h"

#include <string.h>

#include "base/file.h"
#include "guest/initramfs.h"
#include "image/entries.h"
#include "image/ext.h"
#include "platform/uml.h"

#define KERNEL_MAX (256u << 20)

/*
 * A guest that calls its root by the name it has elsewhere (/dev/ubda) finds it under that name
 * here as well: our init makes the link, so nothing in the guest has to change.
 */
const char *kmln_direct_alias(
	const struct kmln_facts *facts, const char *disk, struct kmln_pool *pool)
{
	for (size_t i = 0; i < facts->fstab_count; i++) {
		const char *device = facts->fstab[i].device;

		if (!kmln_eq(facts->fstab[i].mount, "/"))
			continue;
		for (const struct kmln_platform *const *p = kmln_platforms; *p; p++)
			if ((*p)->disk && !kmln_eq((*p)->disk, disk) &&
				kmln_starts(device, "/dev/") && kmln_starts(device + 5, (*p)->disk))
				return kmln_pool_printf(
					pool, " kmln.alias=%s:%s", (*p)->disk, disk);
	}
	return NULL;
}

static int write_file(struct kmln_pool *pool, const char *folder, const char *name,
	const struct kmln_buf *bytes, const char **path, struct kmln_error *err)
{
	*path = kmln_pool_printf(pool, "%s/%s", folder, name);
	return kmln_replace_file(*path, bytes->data, bytes->size, 0600, err);
}

int kmln_direct_prepare(const struct kmln_disk *disk, const struct kmln_facts *facts,
	const struct kmln_platform *platform, const char *folder, struct kmln_pool *pool,
	struct kmln_direct *direct, struct kmln_error *err)
{
	KMLN_CHOICE struct kmln_choice choice = {0};
	KMLN_TREE struct kmln_tree *guest = NULL;
	KMLN_BUF struct kmln_buf image = {0}, initramfs = {0};
	struct kmln_tree *tree;
	const char *words;
	int r = kmln_tree_ext(disk->device, &facts->root->range, false, &guest, err);

	if (r == 0)
		r = kmln_choose_kernel(facts, platform, NULL, guest, pool, &choice, err);
	if (r < 0)
		return r;
	tree = choice.kit.tree ? choice.kit.tree : guest;
	r = kmln_tree_load(tree, choice.kernel->image, KERNEL_MAX, &image, err);
	if (r == 0)
		r = kmln_initramfs_build(tree, choice.kernel->modules, &initramfs, err);
	if (r == 0)
		r = write_file(pool, folder, "kernel", &image, &direct->kernel, err);
	if (r == 0)
		r = write_file(pool, folder, "initramfs", &initramfs, &direct->initramfs, err);
	words = kmln_direct_alias(facts, platform->disk, pool);
	direct->words = kmln_pool_printf(pool, "%s%s",
		platform->domains ? kmln_domain_words(pool, facts) : kmln_kernel_words(pool, facts),
		words ? words : "");
	direct->why = kmln_pool_printf(pool, "kernel %s: %s", choice.kernel->release, choice.why);
	return r;
}

int kmln_direct_xen_type(const char *kernel, const char **type, struct kmln_error *err)
{
	KMLN_FREE char *folder = kmln_strdup(kernel);
	const char *name = strrchr(kernel, '/');
	KMLN_TREE struct kmln_tree *tree = NULL;
	struct kmln_entries entries;
	int r;

	folder[name == kernel ? 1 : name - kernel] = '\0';
	r = kmln_tree_folder(folder, &tree, err);
	if (r == 0)
		r = kmln_entries_read(tree, name, &entries, err);
	if (r < 0)
		return r;
	*type = entries.xen_pvh ? "pvh" : "pv";
	return entries.xen_pvh || entries.xen_pv
		       ? 0
		       : kmln_fail(err, KMLN_EINVALID,
				 "%s: Xen cannot start this kernel: there are no notes for Xen in it",
				 kernel);
}

const char *kmln_direct_uml_quick(const struct kmln_facts *facts)
{
	/* not dmsetup: nearly every Debian has it beside its library, and by itself it makes no
	 * RAID
	 */
	static const char *const tools[] = {
		"mdadm", "btrfs-progs", "btrfsprogs", "lvm2", "dmraid", NULL};

	/* of a guest that cannot be read nothing is known */
	if (!facts->root || !facts->root->is_ext)
		return NULL;
	for (const char *const *tool = tools; *tool; tool++)
		if (kmln_facts_package(facts, *tool))
			return NULL;
	return "initcall_blacklist=raid6_select_algo";
}

int kmln_direct_uml(const struct kmln_facts *facts, const char *program, const char *name,
	const char *folder, struct kmln_pool *pool, struct kmln_direct *direct,
	struct kmln_error *err)
{
	KMLN_TREE struct kmln_tree *tree = NULL;
	KMLN_BUF struct kmln_buf initramfs = {0};
	const char *modules, *release, *words;
	int r = kmln_uml_find_modules(pool, program, &modules, &release, err);

	*direct = (struct kmln_direct){0};
	if (r == 0)
		r = kmln_tree_folder(modules, &tree, err);
	if (r == 0)
		r = kmln_initramfs_build(
			tree, kmln_pool_printf(pool, "/%s", release), &initramfs, err);
	if (r == 0)
		r = write_file(pool, folder, "initramfs", &initramfs, &direct->initramfs, err);
	words = kmln_direct_alias(facts, name, pool);
	direct->words = words ? words : "";
	return r;
}
