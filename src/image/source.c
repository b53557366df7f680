// SPDX-License-Identifier: GPL-2.0-or-later
/* Images and folders as sources; see source.h. */
#include "image/source.h"

#include "base/log.h"
#include "image/ext.h"

static int open_image(struct kmln_source *source, bool backing, struct kmln_error *err)
{
	int r = kmln_disk_open(source->path, KMLN_DISK_SHARED | (backing ? KMLN_DISK_BACKING : 0),
		&source->disk, err);

	if (r < 0)
		return r;
	if (kmln_disk_busy(&source->disk))
		kmln_warn("%s is in use: what is shown may be out of date", source->path);
	r = kmln_inspect_disk(&source->disk, &source->facts, err);
	return r < 0 ? kmln_wrap(err, "%s", source->path) : 0;
}

int kmln_source_open(
	const char *path, bool backing, struct kmln_source *source, struct kmln_error *err)
{
	struct stat st;
	int r;

	*source = (struct kmln_source){.path = path, .disk.fd = -1};
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		r = kmln_tree_folder(path, &source->root, err);
	else
		r = open_image(source, backing, err);
	if (r < 0)
		kmln_source_close(source);
	return r;
}

void kmln_source_close(struct kmln_source *source)
{
	kmln_tree_cleanup(&source->root);
	kmln_tree_cleanup(&source->other);
	source->facts = kmln_facts_free(source->facts);
	/* a zeroed one was never opened */
	if (source->disk.device)
		kmln_disk_close(&source->disk);
}

/* Finds the root once; of a folder it learns whether it is one. */
static int look(struct kmln_source *source, struct kmln_error *err)
{
	int r;

	if (source->looked)
		return 0;
	if (kmln_source_is_folder(source))
		r = kmln_inspect_folder(source->root, &source->facts, err);
	else
		r = kmln_inspect_find_root(&source->disk, source->facts, &source->root, err);
	source->looked = r == 0;
	return r < 0 ? kmln_wrap(err, "%s", source->path) : 0;
}

static int open_partition(struct kmln_source *source, unsigned number, struct kmln_error *err)
{
	const struct kmln_facts *facts = source->facts;

	if (kmln_source_is_folder(source))
		return kmln_fail(
			err, KMLN_EUSAGE, "%s is a folder and has no partitions", source->path);
	for (size_t i = 0; i < facts->filesystem_count; i++) {
		const struct kmln_filesystem *fs = &facts->filesystems[i];

		if (fs->partition != number)
			continue;
		if (!fs->is_ext)
			return kmln_fail(err, KMLN_EINVALID,
				"%s: partition %u is %s, whose folders kmln cannot read",
				source->path, number, fs->type);
		return kmln_tree_ext(source->disk.device, &fs->range, false, &source->other, err);
	}
	return kmln_fail(err, KMLN_EINVALID,
		"%s: partition %u holds no filesystem, or is not there", source->path, number);
}

int kmln_source_tree(struct kmln_source *source, unsigned partition, struct kmln_tree **tree,
	struct kmln_error *err)
{
	int r;

	if (partition) {
		kmln_tree_cleanup(&source->other);
		r = open_partition(source, partition, err);
		*tree = source->other;
		return r;
	}
	/* any folder may be looked into */
	r = kmln_source_is_folder(source) ? 0 : look(source, err);
	if (r == 0 && !source->root)
		r = kmln_fail(err, KMLN_EINVALID, "%s: no root filesystem: %s", source->path,
			source->facts->root_problem);
	if (r == 0 && source->facts && source->facts->root &&
		kmln_eq(source->facts->root->state, "needs-recovery"))
		kmln_warn("%s was not unmounted, and its journal not replayed: what is shown may "
			  "be out of date",
			source->path);
	*tree = source->root;
	return r;
}

const struct kmln_facts *kmln_source_disk(const struct kmln_source *source)
{
	return kmln_source_is_folder(source) ? NULL : source->facts;
}

int kmln_source_inspect(
	struct kmln_source *source, const struct kmln_facts **facts, struct kmln_error *err)
{
	int r = look(source, err);

	if (r == 0 && source->facts->root && !source->inspected) {
		source->inspected = true;
		r = kmln_inspect_guest(source->root, source->facts, err);
		if (r < 0)
			kmln_wrap(err, "%s", source->path);
	}
	if (r == 0)
		r = kmln_source_check(source, err);
	*facts = source->facts;
	return r;
}

int kmln_source_check(const struct kmln_source *source, struct kmln_error *err)
{
	if (kmln_source_is_folder(source) || kmln_disk_check(&source->disk, err) == 0)
		return 0;
	return kmln_wrap(err, "%s", source->path);
}
