// SPDX-License-Identifier: GPL-2.0-or-later
/* A kernel and an initramfs for starting a guest as it is; see direct.h. */
#include "convert/direct.h"

#include <string.h>

#include "base/file.h"
#include "guest/initramfs.h"
#include "image/entries.h"
#include "image/ext.h"

#define KERNEL_MAX (256u << 20)

/*
 * A guest that calls its root by the name it has elsewhere (/dev/ubda) finds it under that name
 * here as well: our init makes the link, so nothing in the guest has to change.
 */
static const char *alias(const struct kmln_facts *facts, const struct kmln_platform *platform,
	struct kmln_pool *pool)
{
	for (size_t i = 0; i < facts->fstab_count; i++) {
		const char *device = facts->fstab[i].device;

		if (!kmln_eq(facts->fstab[i].mount, "/"))
			continue;
		for (const struct kmln_platform *const *p = kmln_platforms; *p; p++)
			if ((*p)->disk && !kmln_eq((*p)->disk, platform->disk) &&
				kmln_starts(device, "/dev/") && kmln_starts(device + 5, (*p)->disk))
				return kmln_pool_printf(
					pool, " kmln.alias=%s:%s", (*p)->disk, platform->disk);
	}
	return "";
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
	direct->words = kmln_pool_printf(pool, "%s%s",
		platform->domains ? kmln_domain_words(pool, facts) : kmln_kernel_words(pool, facts),
		alias(facts, platform, pool));
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
