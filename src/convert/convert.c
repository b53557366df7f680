// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The course of a conversion. Reading and preparing first, then the pure plan, then a copy that is
 * edited, then the proof: e2fsck finds nothing, and the copy, inspected and planned again, needs
 * nothing. Only then does the output get its name.
 */
#include "convert/convert.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "convert/output.h"
#include "guest/grub.h"
#include "guest/initramfs.h"
#include "image/check.h"
#include "image/copy.h"
#include "image/ext.h"
#include "image/inspect.h"
#include "run/apply.h"

#define MIB (1ull << 20)

/* Everything that one conversion holds. */
struct work {
	const struct kmln_convert *job;
	struct kmln_disk source;
	struct kmln_disk
		recovered; /* a copy of the source with its journal replayed; fd -1: not needed */
	struct kmln_disk *from; /* the one of the two that is converted */
	struct kmln_facts *facts;
	struct kmln_choice choice;
	struct kmln_goal goal;
	struct kmln_pool *pool; /* of goal and edits */
	struct kmln_edits edits;
};

static void work_fini(struct work *work)
{
	kmln_edits_fini(&work->edits);
	kmln_choice_close(&work->choice);
	kmln_facts_free(work->facts);
	kmln_disk_close(&work->source);
	kmln_disk_close(&work->recovered);
	kmln_pool_free(work->pool);
}

static bool has_feature(const struct kmln_filesystem *fs, const char *feature)
{
	for (const char *const *f = fs->features; f && *f; f++)
		if (kmln_eq(*f, feature))
			return true;
	return false;
}

/* The journal is replayed on a copy, since the source is only read. */
static int recover(struct work *work, struct kmln_error *err)
{
	const char *beside = work->job->out ? work->job->out : work->job->image;
	KMLN_OUTPUT struct kmln_output copy = {.fd = -1};
	KMLN_FREE char *name = kmln_printf("%s.recovered", beside);
	const struct kmln_range range = work->facts->root->range;
	int r;

	kmln_note("the filesystem was not unmounted: its journal is replayed on a copy");
	r = kmln_output_open(name, true, &copy, err);
	if (r == 0 && ftruncate(copy.fd, (off_t)work->source.size) < 0)
		r = kmln_fail_sys(err, errno, "make room");
	if (r == 0)
		r = kmln_disk_wrap(copy.fd, &work->recovered, err);
	if (r == 0)
		r = kmln_copy(work->source.device, work->recovered.device, 0, err);
	if (r == 0)
		r = kmln_check_preen(work->recovered.device, &range, err);
	if (r < 0)
		return r;
	work->recovered.fd = copy.fd;
	copy.fd = -1;
	work->from = &work->recovered;
	work->facts = kmln_facts_free(work->facts);
	return kmln_inspect(work->from, &work->facts, err);
}

static int check_source(struct work *work, struct kmln_error *err)
{
	const struct kmln_filesystem *root = work->facts->root;

	if (!root)
		return kmln_fail(err, KMLN_EINVALID, "there is no root filesystem to convert: %s",
			work->facts->root_problem);
	/* e2fsprogs looks for the block of this protection without regard to an offset */
	if (has_feature(root, "mmp"))
		return kmln_fail(err, KMLN_EINVALID,
			"the filesystem has multi-mount protection, which cannot be checked inside a "
			"disk; take it off first: tune2fs -O ^mmp");
	if (has_feature(root, "needs_recovery"))
		return recover(work, err);
	return kmln_check_clean(work->from->device, &root->range, err);
}

static int read_source(struct work *work, struct kmln_error *err)
{
	int r = kmln_disk_open(work->job->image, false, &work->source, err);

	work->from = &work->source;
	if (r < 0)
		return r;
	r = kmln_disk_lock(&work->source, false, err);
	if (r == 0)
		r = kmln_inspect(&work->source, &work->facts, err);
	if (r == 0)
		r = check_source(work, err);
	return r < 0 ? kmln_wrap(err, "%s", work->job->image) : 0;
}

/* Our initramfs, for a guest that does not boot by a loader of its own. */
static int make_initramfs(struct work *work, struct kmln_tree *guest, struct kmln_error *err)
{
	const struct kmln_kernel *kernel = work->goal.kernel;
	KMLN_BUF struct kmln_buf bytes = {0};
	int r;

	if (kmln_has_own_loader(work->facts) && !work->goal.from_kit)
		return 0;
	r = kmln_initramfs_build(work->choice.kit.tree ? work->choice.kit.tree : guest,
		kernel->modules, &bytes, err);
	if (r < 0)
		return r;
	work->goal.initramfs = kmln_pool_memdup(work->pool, bytes.data, bytes.size);
	work->goal.initramfs_size = bytes.size;
	work->goal.initramfs_sum = kmln_sum(work->pool, bytes.data, bytes.size);
	return 0;
}

/* Kernel, initramfs and GRUB, ready to be planned with. */
static int prepare(struct work *work, struct kmln_error *err)
{
	const struct kmln_filesystem *root = work->facts->root;
	KMLN_TREE struct kmln_tree *guest = NULL;
	struct kmln_grub grub;
	int r = kmln_check_guest(work->facts, err);

	work->goal.size = (work->job->size + MIB - 1) / MIB * MIB;
	if (r == 0)
		r = kmln_tree_ext(work->from->device, &root->range, false, &guest, err);
	if (r == 0)
		r = kmln_choose_kernel(work->facts, work->job->to, work->job->kernel, guest,
			work->pool, &work->choice, err);
	if (r < 0)
		return r;
	kmln_note("kernel %s: %s", work->choice.kernel->release, work->choice.why);
	work->goal.kernel = work->choice.kernel;
	work->goal.record = true;
	work->goal.from_kit = work->choice.kit.tree != NULL;
	r = make_initramfs(work, guest, err);
	if (r == 0 && !kmln_has_own_loader(work->facts)) {
		r = kmln_grub_make(work->pool, root->partition ? root->partition : 1, &grub, err);
		if (r == 0) {
			work->goal.grub_boot = grub.boot;
			work->goal.grub_core = grub.core;
			work->goal.grub_core_size = grub.core_size;
		}
	}
	return r;
}

static int plan(const struct work *work, const struct kmln_facts *facts, struct kmln_edits *edits,
	struct kmln_error *err)
{
	KMLN_STRV struct kmln_strv missing = {0};
	struct kmln_planning planning = {
		.facts = facts,
		.platform = work->job->to,
		.goal = &work->goal,
		.edits = edits,
		.missing = &missing,
	};

	edits->kit = work->goal.from_kit ? work->goal.kernel->release : NULL;
	return kmln_plan_guest(&planning, err);
}

/* Room for what the plan puts in, each file in whole blocks, and a little for folders. */
static int check_room(const struct work *work, struct kmln_error *err)
{
	const struct kmln_filesystem *root = work->facts->root;
	uint64_t need = 0, inodes = 0, have = root->free_bytes;
	const uint64_t block = 4096;

	if (work->goal.size > root->bytes)
		have += (work->goal.size - root->bytes) / 100 * 97;
	for (size_t i = 0; i < work->edits.count; i++) {
		const struct kmln_edit *e = &work->edits.items[i];

		if (!e->path)
			continue;
		need += (e->size + block - 1) / block * block + block / 8;
		inodes++;
	}
	if (need > have)
		return kmln_fail(err, ENOSPC,
			"the guest's filesystem is too small: %llu bytes are to be added, %llu are free; "
			"--size %lluM makes it big enough",
			(unsigned long long)need, (unsigned long long)have,
			(unsigned long long)((root->bytes + (need - have) * 11 / 10 + (64 << 20)) >>
					     20));
	if (inodes > root->free_inodes)
		return kmln_fail(err, ENOSPC,
			"the guest's filesystem has %llu inodes left, and %llu files are to be added",
			(unsigned long long)root->free_inodes, (unsigned long long)inodes);
	return 0;
}

/* Where the root filesystem lies in the output. */
static struct kmln_range root_range(const struct work *work)
{
	const struct kmln_edit *shift = kmln_edits_find(&work->edits, KMLN_EDIT_SHIFT);
	const struct kmln_edit *resize = kmln_edits_find(&work->edits, KMLN_EDIT_RESIZE);
	struct kmln_range range = work->facts->root->range;

	range.offset += shift ? shift->offset : 0;
	if (resize && resize->size > range.size)
		range.size = resize->size;
	return range;
}

/*
 * The copy at its place in the output. Resizing needs a file that is nothing but the filesystem:
 * resize2fs cuts a file off where it thinks that the filesystem ends, whatever its offset.
 */
static int copy_disk(struct work *work, int fd, struct kmln_error *err)
{
	const struct kmln_edit *shift = kmln_edits_find(&work->edits, KMLN_EDIT_SHIFT);
	const struct kmln_edit *resize = kmln_edits_find(&work->edits, KMLN_EDIT_RESIZE);
	uint64_t offset = shift ? shift->offset : 0;
	uint64_t bytes = offset + (resize ? resize->size : work->from->size);
	KMLN_OUTPUT struct kmln_output bare = {.fd = -1};
	KMLN_DISK struct kmln_disk small = {.fd = -1}, to = {.fd = -1};
	KMLN_FREE char *name = kmln_printf("%s.resized", work->job->out);
	const struct kmln_range whole = {0, resize ? resize->size : 0};
	struct kmln_ext_super super;
	int r;

	/* a partition is whole sectors long, a file may be less */
	if (ftruncate(fd, (off_t)((bytes + 511) & ~511ull)) < 0)
		return kmln_fail_sys(err, errno, "make room");
	r = kmln_disk_wrap(fd, &to, err);
	if (r < 0 || !resize)
		return r < 0 ? r : kmln_copy(work->from->device, to.device, offset, err);
	r = kmln_output_open(name, true, &bare, err);
	if (r == 0 && ftruncate(bare.fd, (off_t)resize->size) < 0)
		r = kmln_fail_sys(err, errno, "make room");
	if (r == 0)
		r = kmln_disk_wrap(bare.fd, &small, err);
	if (r == 0)
		r = kmln_copy(work->from->device, small.device, 0, err);
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

static int fill(struct work *work, int fd, struct kmln_error *err)
{
	const struct kmln_range range = root_range(work);
	KMLN_TREE struct kmln_tree *tree = NULL;
	KMLN_DISK struct kmln_disk disk = {.fd = -1};
	int r = copy_disk(work, fd, err);

	if (r == 0)
		r = kmln_disk_wrap(fd, &disk, err);
	if (r == 0)
		r = kmln_tree_ext(disk.device, &range, true, &tree, err);
	if (r == 0)
		r = kmln_apply_tree(&work->edits, tree, work->choice.kit.tree, err);
	if (r == 0)
		r = kmln_tree_close(&tree, err);
	/* libext2fs does not count for quotas; e2fsck does, and finds nothing else to do */
	if (r == 0 && has_feature(work->facts->root, "quota"))
		r = kmln_check_preen(disk.device, &range, err);
	if (r == 0)
		r = kmln_apply_bytes(&work->edits, fd, err);
	return r;
}

/* Looks at the result as if it were any image. */
static int verify(const struct work *work, int fd, struct kmln_error *err)
{
	const struct kmln_range range = root_range(work);
	KMLN_DISK struct kmln_disk disk = {.fd = -1};
	KMLN_FACTS struct kmln_facts *facts = NULL;
	KMLN_EDITS struct kmln_edits edits = {0};
	KMLN_BUF struct kmln_buf text = {0};
	int r = kmln_disk_wrap(fd, &disk, err);

	if (r == 0)
		r = kmln_check_clean(disk.device, &range, err);
	if (r == 0)
		r = kmln_inspect(&disk, &facts, err);
	if (r < 0)
		return kmln_wrap(err, "after the conversion");
	kmln_edits_init(&edits, facts->pool);
	r = plan(work, facts, &edits, err);
	if (r < 0)
		return kmln_wrap(err, "after the conversion");
	if (!edits.count)
		return 0;
	kmln_edits_print(&edits, false, &text);
	return kmln_fail(
		err, EIO, "after the conversion a second plan is not empty: %s", text.data);
}

static int make(struct work *work, struct kmln_error *err)
{
	KMLN_OUTPUT struct kmln_output output = {.fd = -1};
	int r = kmln_output_open(work->job->out, work->job->force, &output, err);

	if (r < 0)
		return r;
	r = fill(work, output.fd, err);
	if (r == 0)
		r = verify(work, output.fd, err);
	if (r < 0)
		return kmln_wrap(err, "%s", work->job->out);
	return kmln_output_publish(&output, work->job->force, err);
}

/* Disks that UML gave the guest beside its root are not in this image: whoever boots it should
 * know. */
static void warn_of_disks(const struct kmln_facts *facts)
{
	for (size_t i = 0; i < facts->fstab_count; i++)
		if (kmln_starts(facts->fstab[i].device, "/dev/ubd") &&
			!kmln_eq(facts->fstab[i].mount, "/"))
			kmln_warn(
				"the guest's /etc/fstab:%u wants %s on %s, a disk that is not part of "
				"this image: give it one, or add nofail there",
				facts->fstab[i].line, facts->fstab[i].device,
				facts->fstab[i].mount);
}

static int check_names(const struct kmln_convert *job, struct kmln_error *err)
{
	KMLN_FREE char *copy = kmln_strdup(job->out ? job->out : "");
	struct stat from, to;

	if (!job->to->needs_loader)
		return kmln_fail(
			err, KMLN_EUSAGE, "--to %s: kmln converts to kvm only", job->to->name);
	if (!job->dry_run && (!*copy || kmln_ends(copy, "/")))
		return kmln_fail(err, KMLN_EUSAGE, "'%s' is not the name of a file", copy);
	/* said now, and not when a kernel has been fetched for nothing */
	if (!job->dry_run && stat(dirname(copy), &to) < 0)
		return kmln_fail_sys(err, errno, "%s", job->out);
	if (job->dry_run || stat(job->image, &from) < 0 || stat(job->out, &to) < 0)
		return 0;
	if (from.st_dev == to.st_dev && from.st_ino == to.st_ino)
		return kmln_fail(err, KMLN_EUSAGE, "%s would be written over itself", job->image);
	return job->force ? 0
			  : kmln_fail(err, EEXIST, "%s is there already; --force replaces it",
				    job->out);
}

int kmln_convert(const struct kmln_convert *job, struct kmln_error *err)
{
	KMLN_CLEANUP(work_fini)
	struct work work = {
		.job = job,
		.source.fd = -1,
		.recovered.fd = -1,
		.pool = kmln_pool_new(),
	};
	int r = check_names(job, err);

	kmln_edits_init(&work.edits, work.pool);
	if (r == 0)
		r = read_source(&work, err);
	if (r == 0)
		r = prepare(&work, err);
	if (r == 0)
		r = plan(&work, work.facts, &work.edits, err);
	if (r == 0)
		r = check_room(&work, err);
	if (r == 0)
		warn_of_disks(work.facts);
	if (r == 0 && job->show)
		r = job->show(&work.edits, err);
	if (r < 0)
		return r;
	return job->dry_run ? 0 : make(&work, err);
}
