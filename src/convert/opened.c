// SPDX-License-Identifier: GPL-2.0-or-later
/* What converting and undoing begin with; see opened.h. */
#include "convert/opened.h"

#include "base/log.h"
#include "image/check.h"
#include "image/inspect.h"
#include "image/journal.h"
#include "image/overlay.h"

bool kmln_fs_has(const struct kmln_filesystem *fs, const char *feature)
{
	for (const char *const *f = fs->features; f && *f; f++)
		if (kmln_eq(*f, feature))
			return true;
	return false;
}

static int replay(struct kmln_opened *opened, unsigned flags, struct kmln_error *err)
{
	const struct kmln_range range = opened->facts->root->range;
	int r;

	kmln_note("the filesystem was not unmounted: its journal is replayed%s",
		flags & KMLN_DISK_WRITE ? "" : ", and the image stays as it is");
	opened->replayed = kmln_device_overlay(opened->source.device);
	opened->disk.device = opened->replayed;
	r = kmln_check_preen(opened->disk.device, &range, err);
	if (r < 0)
		return r;
	opened->facts = kmln_facts_free(opened->facts);
	return kmln_inspect(&opened->disk, &opened->facts, err);
}

static int check(struct kmln_opened *opened, unsigned flags, struct kmln_error *err)
{
	const struct kmln_filesystem *root = opened->facts->root;

	if (!root)
		return kmln_fail(err, KMLN_EINVALID, "there is no root filesystem in it: %s",
			opened->facts->root_problem);
	/* e2fsprogs looks for the block of this protection without regard to an offset */
	if (kmln_fs_has(root, "mmp"))
		return kmln_fail(err, KMLN_EINVALID,
			"the filesystem has multi-mount protection, which cannot be checked inside a "
			"disk; take it off first: tune2fs -O ^mmp");
	if (kmln_fs_has(root, "needs_recovery"))
		return replay(opened, flags, err);
	return flags & KMLN_OPENED_UNCHECKED
		       ? 0
		       : kmln_check_clean(opened->disk.device, &root->range, err);
}

int kmln_opened_read(const char *path, unsigned root, unsigned flags, struct kmln_opened *opened,
	struct kmln_error *err)
{
	int r;

	*opened = (struct kmln_opened){.source.fd = -1, .disk.fd = -1};
	/* between opening and locking another kmln may have begun a change, and been killed */
	do {
		kmln_disk_close(&opened->source);
		r = kmln_disk_open(path, flags & ~KMLN_OPENED_UNCHECKED, &opened->source, err);
		if (r < 0)
			return r;
		r = kmln_disk_lock(&opened->source, flags & KMLN_DISK_WRITE, err);
	} while (r == 0 && kmln_journal_there(path));
	opened->source.root = root;
	opened->disk = opened->source;
	opened->disk.fd = -1;
	if (r == 0)
		r = kmln_inspect(&opened->disk, &opened->facts, err);
	if (r == 0)
		r = check(opened, flags, err);
	return r < 0 ? kmln_wrap(err, "%s", path) : 0;
}

int kmln_inspect_at(const struct kmln_disk *disk, const struct kmln_range *root,
	struct kmln_facts **facts, struct kmln_error *err)
{
	KMLN_FACTS struct kmln_facts *around = NULL;
	struct kmln_disk known = *disk;
	int r = kmln_inspect_disk(disk, &around, err);

	for (size_t i = 0; r == 0 && i < around->filesystem_count; i++)
		if (around->filesystems[i].range.offset == root->offset)
			known.root = around->filesystems[i].partition;
	return r < 0 ? r : kmln_inspect(&known, facts, err);
}

int kmln_opened_settle(const char *path, struct kmln_opened *opened, struct kmln_error *err)
{
	const struct kmln_journal journal = {
		.overlay = opened->replayed, .size = opened->source.size};
	int r = opened->replayed ? kmln_journal_commit(path, &opened->source, &journal, err) : 0;

	if (r < 0)
		return r;
	opened->disk.device = opened->source.device;
	kmln_device_close(&opened->replayed);
	return 0;
}

void kmln_opened_close(struct kmln_opened *opened)
{
	opened->facts = kmln_facts_free(opened->facts);
	kmln_device_close(&opened->replayed);
	kmln_disk_close(&opened->source);
}
