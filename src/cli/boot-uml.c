// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest on User-Mode Linux, as it is: its kernel reads raw images only, so a confined daemon
 * serves any other, and a small initramfs brings the driver for that.
 */
#include "cli/boot.h"

#include "convert/direct.h"
#include "image/storage.h"
#include "platform/uml.h"

/*
 * UML's drivers for a disk that is served to it; and for a guest that calls its root by the name it
 * has elsewhere, the link that makes that name true.
 */
static int make_initramfs(struct boot *boot, const char **words, struct kmln_error *err)
{
	const bool raw = kmln_eq(boot->disk.format, "raw");
	const char *disk = raw ? boot->platform->disk : KMLN_UML_SERVED;
	struct kmln_direct direct;
	int r = 0;

	if (boot->initramfs ||
		(raw && !boot->served_count && !kmln_direct_alias(boot->facts, disk, boot->pool)))
		return 0;
	if (!boot->scratch.path)
		r = kmln_private_open(&boot->scratch, err);
	if (r == 0)
		r = kmln_direct_uml(boot->facts, boot->program, disk, boot->scratch.path,
			boot->pool, &direct, err);
	/* a name that leads nowhere is no reason not to start */
	if (raw && !boot->served_count && r == -KMLN_ELACK)
		return 0;
	if (r < 0)
		return r;
	boot->initramfs = direct.initramfs;
	*words = direct.words;
	return 0;
}

int kmln_boot_uml_initramfs(struct boot *boot, struct kmln_error *err)
{
	const char *quick = kmln_direct_uml_quick(boot->facts), *append = boot->opts->append;
	const char *words = "";
	int r = make_initramfs(boot, &words, err);

	boot->words = kmln_pool_printf(
		boot->pool, "%s %s %s", quick ? quick : "", words, append ? append : "");
	return r;
}

/* UML reads raw images only: a daemon serves it all others. */
int kmln_boot_uml_disk(struct boot *boot, struct kmln_error *err)
{
	struct kmln_storage_more *more =
		kmln_pool_array(boot->pool, boot->served_count + 1, sizeof(*more));
	const char *folder = kmln_pool_printf(boot->pool, "%s/served", boot->scratch.path);
	struct kmln_storage_disk disk = {
		.layers = boot->disk.layers,
		.size = boot->disk.size,
		.more = more,
		.snapshot = boot->opts->snapshot,
		.confined = boot->sandbox.confined,
		.folder = boot->scratch.path,
		.socket_folder = folder,
	};
	int r = kmln_make_folders(folder, err);

	for (size_t i = 0; i < boot->disk_count; i++)
		if (!boot->disks[i].raw)
			more[disk.more_count++] = (struct kmln_storage_more){
				boot->disks[i].disk.layers, boot->disks[i].disk.size};
	boot->socket_folder = folder;
	boot->server = kmln_pool_alloc(boot->pool, sizeof(*boot->server));
	return r < 0 ? r : kmln_storage_plan(&disk, boot->pool, boot->server, err);
}
