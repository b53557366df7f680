// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Carrying out a conversion: on a copy that gets its name when it is right, or in place, by
 * in-place.h. Either way the result is looked at as any image would be before it counts.
 */
#include "convert/work.h"

#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"
#include "base/file.h"
#include "base/log.h"
#include "base/output.h"
#include "convert/beside.h"
#include "convert/composite.h"
#include "convert/in-place.h"
#include "convert/merge.h"
#include "image/check.h"
#include "image/copy.h"
#include "image/ext.h"
#include "image/inspect.h"
#include "run/apply.h"

/* Where the root filesystem lies in the output. */
static struct kmln_range root_range(const struct kmln_work *work)
{
	const struct kmln_edit *shift = kmln_edits_find(&work->edits, KMLN_EDIT_SHIFT);
	const struct kmln_edit *resize = kmln_edits_find(&work->edits, KMLN_EDIT_RESIZE);
	struct kmln_range range = work->image.facts->root->range;

	range.offset += shift ? shift->offset : 0;
	if (kmln_edits_find(&work->edits, KMLN_EDIT_COLLAPSE))
		range.offset = 0;
	if (resize && resize->size > range.size)
		range.size = resize->size;
	return range;
}

/*
 * The copy at its place in the output. Resizing needs a file that is nothing but the filesystem:
 * resize2fs cuts a file off where it thinks that the filesystem ends, whatever its offset.
 */
static int copy_disk(struct kmln_work *work, int fd, struct kmln_error *err)
{
	const struct kmln_edit *shift = kmln_edits_find(&work->edits, KMLN_EDIT_SHIFT);
	const struct kmln_edit *resize = kmln_edits_find(&work->edits, KMLN_EDIT_RESIZE);
	const struct kmln_edit *extend = kmln_edits_find(&work->edits, KMLN_EDIT_EXTEND);
	uint64_t offset = shift ? shift->offset : 0;
	const struct kmln_edit *cut = kmln_edits_find(&work->edits, KMLN_EDIT_COLLAPSE);
	const struct kmln_part part = {work->image.disk.device,
		{cut ? cut->offset : 0, cut ? cut->size : work->image.disk.size}};
	KMLN_DEVICE struct kmln_device *from = kmln_device_join(&part, 1);
	uint64_t bytes = offset + (resize ? resize->size : from->size);
	KMLN_OUTPUT struct kmln_output bare = {.fd = -1};
	KMLN_DISK struct kmln_disk small = {.fd = -1}, to = {.fd = -1};
	KMLN_FREE char *name = kmln_printf("%s.resized", work->job->out);
	const struct kmln_range whole = {0, resize ? resize->size : 0};
	struct kmln_ext_super super;
	int r;

	/* a partition is whole sectors long, a file may be less; extend counts that in */
	bytes = extend ? bytes + extend->size : (bytes + 511) & ~511ull;
	if (ftruncate(fd, (off_t)bytes) < 0)
		return kmln_fail_sys(err, errno, "make room");
	r = kmln_disk_wrap(fd, &to, err);
	if (r < 0 || !resize)
		return r < 0 ? r : kmln_copy(from, to.device, offset, err);
	r = kmln_output_open(name, true, &bare, err);
	if (r == 0 && ftruncate(bare.fd, (off_t)resize->size) < 0)
		r = kmln_fail_sys(err, errno, "make room");
	if (r == 0)
		r = kmln_disk_wrap(bare.fd, &small, err);
	if (r == 0)
		r = kmln_copy(from, small.device, 0, err);
	if (r == 0)
		r = kmln_check_resize(bare.fd, resize->size, err);
	if (r == 0 && ftruncate(bare.fd, (off_t)resize->size) < 0)
		r = kmln_fail_sys(err, errno, "make room");
	if (r == 0)
		r = kmln_ext_super_read(small.device, &whole, work->pool, &super, err);
	if (r < 0)
		return r;
	/* resize2fs leaves out a last block group too small to be of use: do not ask for it again
	 */
	work->goal.size = super.bytes;
	return kmln_copy(small.device, to.device, offset, err);
}

static int write_bytes(
	void *device, const void *bytes, size_t size, uint64_t offset, struct kmln_error *err)
{
	return kmln_device_write(device, bytes, size, offset, err);
}

/* What is put together is a guest of its own: its plan is made when all is there. */
static int fill_merged(struct kmln_work *work, const struct kmln_disk *disk,
	const struct kmln_range *range, struct kmln_error *err)
{
	KMLN_FACTS struct kmln_facts *facts = NULL;
	KMLN_EDITS struct kmln_edits edits = {0};
	KMLN_TREE struct kmln_tree *tree = NULL;
	int r = kmln_tree_ext(disk->device, range, true, &tree, err);

	if (r == 0)
		r = kmln_merge(work, tree, err);
	if (r == 0)
		r = kmln_tree_close(&tree, err);
	if (r == 0)
		r = kmln_inspect(disk, &facts, err);
	if (r < 0)
		return r;
	kmln_edits_init(&edits, facts->pool);
	r = kmln_work_plan(work, facts, &edits, err);
	if (r == 0)
		r = kmln_tree_ext(disk->device, range, true, &tree, err);
	if (r == 0)
		r = kmln_apply_tree(&edits, tree, NULL, err);
	return r < 0 ? r : kmln_tree_close(&tree, err);
}

static int fill(struct kmln_work *work, int fd, struct kmln_disk *disk, struct kmln_error *err)
{
	const struct kmln_range range = root_range(work);
	KMLN_TREE struct kmln_tree *tree = NULL;
	int r = copy_disk(work, fd, err);

	if (r == 0)
		r = kmln_disk_wrap(fd, disk, err);
	if (r == 0 && !kmln_edits_find(&work->edits, KMLN_EDIT_COLLAPSE))
		disk->root = work->job->root;
	if (r == 0 && work->goal.merged_count)
		return fill_merged(work, disk, &range, err);
	if (r == 0)
		r = kmln_tree_ext(disk->device, &range, true, &tree, err);
	if (r == 0)
		r = kmln_apply_tree(&work->edits, tree, work->choice.kit.tree, err);
	if (r == 0)
		r = kmln_tree_close(&tree, err);
	return r < 0 ? r : kmln_apply_bytes(&work->edits, write_bytes, disk->device, err);
}

/* Looks at the result as if it were any image. */
static int verify(void *data, const struct kmln_disk *disk, const struct kmln_range *root,
	struct kmln_error *err)
{
	const struct kmln_work *work = data;
	KMLN_FACTS struct kmln_facts *facts = NULL;
	KMLN_EDITS struct kmln_edits edits = {0};
	KMLN_TREE struct kmln_tree *tree = NULL;
	KMLN_BUF struct kmln_buf text = {0};
	int r = 0;

	/* libext2fs does not count for quotas; e2fsck does, and finds nothing else to do */
	if (kmln_fs_has(work->image.facts->root, "quota"))
		r = kmln_check_preen(disk->device, root, err);
	if (r == 0)
		r = kmln_check_clean(disk->device, root, err);
	if (r == 0)
		r = kmln_inspect(disk, &facts, err);
	if (r < 0)
		return kmln_wrap(err, "after the conversion");
	kmln_edits_init(&edits, facts->pool);
	r = kmln_tree_ext(disk->device, root, false, &tree, err);
	if (r == 0) {
		kmln_inspect_paths(tree, facts, &work->paths);
		r = kmln_work_plan(work, facts, &edits, err);
	}
	if (r < 0)
		return kmln_wrap(err, "after the conversion");
	if (!edits.count)
		return 0;
	kmln_edits_print(&edits, false, &text);
	return kmln_fail(
		err, EIO, "after the conversion a second plan is not empty: %s", text.data);
}

/*
 * Another format is made of the finished raw image by qemu-img, which reads nothing but what kmln
 * wrote. Both files are nameless; the link gives the new one the name that VMDK writes into itself.
 */
static int reformat(const struct kmln_work *work, int raw, int fd, struct kmln_error *err)
{
	KMLN_PRIVATE struct kmln_private folder = {0};
	KMLN_FREE char *from = kmln_printf("/proc/%d/fd/%d", getpid(), raw);
	KMLN_FREE char *target = kmln_printf("/proc/%d/fd/%d", getpid(), fd);
	KMLN_FREE char *out = kmln_strdup(work->job->out), *link = NULL;
	int r = kmln_private_open(&folder, err);

	if (r < 0)
		return r;
	link = kmln_printf("%s/%s", folder.path, basename(out));
	if (symlink(target, link) < 0)
		return kmln_fail_sys(err, errno, "%s", link);
	const char *const argv[] = {"qemu-img", "convert", "-f", "raw", "-O", work->job->format,
		"-W", from, link, NULL};
	const struct kmln_child child = {.argv = argv, .package = "qemu-utils"};

	return kmln_child_must(&child, NULL, err);
}

static int make_copy(struct kmln_work *work, struct kmln_error *err)
{
	KMLN_OUTPUT struct kmln_output raw = {.fd = -1}, output = {.fd = -1};
	KMLN_BESIDE_OUTPUTS struct kmln_beside_outputs beside = {.count = 0};
	KMLN_DISK struct kmln_disk disk = {.fd = -1};
	const struct kmln_range range = root_range(work);
	const bool force = work->job->force, is_raw = kmln_eq(work->job->format, "raw");
	int r = kmln_output_open(work->job->out, force, &raw, err);

	if (r == 0)
		r = kmln_beside_write(&work->beside, work->job->out, force, &beside, err);
	if (r < 0)
		return r;
	r = fill(work, raw.fd, &disk, err);
	if (r == 0)
		r = verify(work, &disk, &range, err);
	if (r < 0)
		return kmln_wrap(err, "%s", work->job->out);
	if (!is_raw)
		r = kmln_output_open(work->job->out, force, &output, err);
	if (r == 0 && !is_raw)
		r = reformat(work, raw.fd, output.fd, err);
	/* the image is the last to appear: where it is, all is there */
	if (r == 0)
		r = kmln_beside_publish(&beside, force, err);
	return r < 0 ? r : kmln_output_publish(is_raw ? &raw : &output, force, err);
}

/* A descriptor made of this image counts on where its bytes lie. */
static int check_not_composite(const struct kmln_work *work, struct kmln_error *err)
{
	KMLN_CLEANUP(kmln_composite_fini) struct kmln_composite composite = {0};
	struct kmln_error ignored;

	if (work->job->force ||
		kmln_composite_names(&composite, work->job->image, NULL, &ignored) < 0 ||
		!kmln_composite_uses(&composite, work->job->image))
		return 0;
	return kmln_fail(err, EEXIST,
		"%s beside it is made of this image, and would be of no use afterwards: -O composite "
		"keeps it, --force does not care",
		composite.descriptor);
}

/* The file's front is taken away in whole blocks of the host's filesystem, where that can do it. */
static int check_cut(
	const struct kmln_work *work, const struct kmln_edit *cut, struct kmln_error *err)
{
	struct stat st;

	if (!kmln_eq(work->image.source.format, "raw"))
		return kmln_fail(err, KMLN_EINVALID,
			"the root filesystem of a %s image cannot be made to stand alone in place; -o OUT "
			"makes a raw copy of it, and kmln boot --on uml starts the image as it is",
			work->image.source.format);
	if (fstat(work->image.source.fd, &st) < 0 || !kmln_can_shift(work->image.source.fd))
		return kmln_fail(err, KMLN_EINVALID,
			"the host's filesystem cannot take bytes away in front of a file; -o OUT makes a "
			"copy of the root filesystem");
	if (cut->offset % (uint64_t)st.st_blksize)
		return kmln_fail(err, KMLN_EINVALID,
			"the root filesystem begins at byte %llu, which is no multiple of the %lu bytes of "
			"a block of the host's filesystem; -o OUT makes a copy of it",
			(unsigned long long)cut->offset, (unsigned long)st.st_blksize);
	return 0;
}

static int change_in_place(struct kmln_work *work, struct kmln_error *err)
{
	const struct kmln_edit *shift = kmln_edits_find(&work->edits, KMLN_EDIT_SHIFT);
	const bool raw = kmln_eq(work->image.source.format, "raw");
	struct kmln_in_place job = {
		.path = work->job->image,
		.disk = &work->image.source,
		.root = work->image.facts->root->range,
		.edits = &work->edits,
		.kit = work->choice.kit.tree,
		.beside = &work->beside,
		.prove = verify,
		.data = work,
	};
	KMLN_CLEANUP(kmln_composite_fini) struct kmln_composite composite = {0};
	const struct kmln_edit *cut = kmln_edits_find(&work->edits, KMLN_EDIT_COLLAPSE);
	int r = cut ? check_cut(work, cut, err) : 0;

	if (r < 0)
		return r;
	if (kmln_edits_find(&work->edits, KMLN_EDIT_RESIZE))
		return kmln_fail(err, KMLN_EUSAGE, "--size makes a copy: give it a name with -o");
	if (shift && !raw)
		return kmln_fail(err, KMLN_EINVALID,
			"a filesystem alone in a %s image cannot be made a disk in place: --boot disk "
			"leaves it as it is, -o OUT makes a copy",
			work->image.source.format);
	/* a disk that has its loader needs none beside it */
	if (shift && (kmln_eq(work->job->format, "composite") ||
			     !kmln_can_shift(work->image.source.fd))) {
		r = kmln_composite_names(&composite, job.path, work->job->out, err);
		if (r == 0)
			r = kmln_composite_check(&composite, job.path, work->job->force, err);
		if (r < 0)
			return r;
		job.composite = &composite;
		kmln_note("the disk is %s, made of %s, this image and nothing else",
			composite.descriptor, composite.head);
	} else if (shift) {
		r = check_not_composite(work, err);
		if (r < 0)
			return r;
	}
	r = kmln_opened_settle(job.path, &work->image, err);
	return r < 0 ? r : kmln_in_place(&job, err);
}

int kmln_carry_out(struct kmln_work *work, struct kmln_error *err)
{
	if (!work->job->in_place)
		return make_copy(work, err);
	/* a plan with nothing in it leaves the image untouched, to the last byte */
	if (!work->edits.count && !work->beside.count)
		return 0;
	return change_in_place(work, err);
}
