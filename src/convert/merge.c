// SPDX-License-Identifier: GPL-2.0-or-later
/* See merge.h. */
#include "convert/merge.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "image/check.h"
#include "image/ext.h"
#include "image/overlay.h"
#include "tree/graft.h"

static int compare_mounts(const void *a, const void *b)
{
	const struct kmln_filesystem *const *x = a, *const *y = b;

	return strcmp((*x)->mount, (*y)->mount);
}

int kmln_merge_prepare(struct kmln_work *work, struct kmln_error *err)
{
	const struct kmln_facts *facts = work->image.facts;
	struct kmln_goal *goal = &work->goal;
	const struct kmln_filesystem **list = kmln_pool_array(
		work->pool, facts->filesystem_count + 1, sizeof(struct kmln_filesystem *));

	if (!work->job->merge)
		return 0;
	for (size_t i = 0; i < facts->filesystem_count; i++) {
		const struct kmln_filesystem *fs = &facts->filesystems[i];

		if (fs != facts->root && fs->is_ext && fs->mount && fs->mount[0] == '/' &&
			fs->mount[1])
			list[goal->merged_count++] = fs;
	}
	/* /var before /var/log */
	qsort(list, goal->merged_count, sizeof(*list), compare_mounts);
	goal->merged = list;
	for (size_t i = 1; i < goal->merged_count; i++)
		if (kmln_eq(list[i]->mount, list[i - 1]->mount))
			return kmln_fail(err, KMLN_EINVALID,
				"partitions %u and %u are both to be mounted on %s",
				list[i - 1]->partition, list[i]->partition, list[i]->mount);
	if (!goal->merged_count)
		return kmln_fail(err, KMLN_EUSAGE,
			"--merge: the guest mounts no other filesystem of this disk that kmln can read");
	return 0;
}

static const struct kmln_filesystem *merged_at(const struct kmln_work *work, const char *mount)
{
	for (size_t i = 0; i < work->goal.merged_count; i++)
		if (work->goal.merged[i]->mount == mount)
			return work->goal.merged[i];
	return NULL;
}

static int merge_one(struct kmln_work *work, const struct kmln_filesystem *fs,
	struct kmln_tree *tree, unsigned *flagged, struct kmln_error *err)
{
	KMLN_DEVICE struct kmln_device *replayed = kmln_device_overlay(work->image.disk.device);
	KMLN_TREE struct kmln_tree *from = NULL;
	int r = kmln_eq(fs->state, "needs-recovery") ? kmln_check_preen(replayed, &fs->range, err)
						     : kmln_check_clean(replayed, &fs->range, err);

	if (r == 0)
		r = kmln_tree_ext(replayed, &fs->range, false, &from, err);
	if (r == 0)
		r = kmln_tree_graft(from, tree, fs->mount, flagged, err);
	return r < 0 ? kmln_wrap(err, "partition %u", fs->partition) : 0;
}

int kmln_merge(struct kmln_work *work, struct kmln_tree *tree, struct kmln_error *err)
{
	unsigned flagged = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < work->edits.count; i++) {
		const struct kmln_edit *e = &work->edits.items[i];
		const struct kmln_filesystem *fs =
			e->kind == KMLN_EDIT_MERGE ? merged_at(work, e->path) : NULL;

		if (fs)
			r = merge_one(work, fs, tree, &flagged, err);
	}
	if (r == 0 && flagged)
		kmln_warn("%u files that were immutable or append-only are so no more in the copy",
			flagged);
	return r;
}
