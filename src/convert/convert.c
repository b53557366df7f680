// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The course of a conversion. Reading and preparing first, then the pure plan; carry-out.c does the
 * rest, and proves it: e2fsck finds nothing, and the result, inspected and planned again, needs
 * nothing.
 */
#include "convert/convert.h"

#include <libgen.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/md5.h"
#include "convert/around.h"
#include "convert/loader.h"
#include "convert/merge.h"
#include "convert/packages.h"
#include "convert/work.h"
#include "guest/fstab-lines.h"
#include "guest/initramfs.h"
#include "image/ext.h"
#include "image/inspect.h"

#define MIB (1ull << 20)

void kmln_work_fini(struct kmln_work *work)
{
	kmln_beside_fini(&work->beside);
	kmln_edits_fini(&work->edits);
	kmln_strv_fini(&work->paths);
	kmln_choice_close(&work->choice);
	kmln_opened_close(&work->image);
	kmln_pool_free(work->pool);
}

static int read_source(struct kmln_work *work, struct kmln_error *err)
{
	const bool write = work->job->in_place && !work->job->dry_run;

	return kmln_opened_read(work->job->image, work->job->root,
		(write ? KMLN_DISK_WRITE : 0) | (work->job->backing ? KMLN_DISK_BACKING : 0) |
			(work->job->unchecked ? KMLN_OPENED_UNCHECKED : 0),
		&work->image, err);
}

/* Our initramfs, for a guest that does not go on booting by a loader of its own. */
static int make_initramfs(struct kmln_work *work, struct kmln_tree *guest, struct kmln_error *err)
{
	const struct kmln_kernel *kernel = work->goal.kernel;
	KMLN_BUF struct kmln_buf bytes = {0};
	char sum[KMLN_MD5_TEXT];
	const struct kmln_planning planning = {
		.facts = work->image.facts, .platform = work->job->to, .goal = &work->goal};
	int r;

	/* beside the image a domain of Xen finds its kernel, whatever the guest's loader starts */
	if (kmln_keeps_loader(&planning) && !work->goal.from_kit && !work->job->to->domains)
		return 0;
	r = kmln_initramfs_build(work->choice.kit.tree ? work->choice.kit.tree : guest,
		kernel->modules, &bytes, err);
	if (r < 0)
		return r;
	work->goal.initramfs = kmln_pool_memdup(work->pool, bytes.data, bytes.size);
	work->goal.initramfs_size = bytes.size;
	kmln_md5(bytes.data, bytes.size, sum);
	work->goal.initramfs_sum = kmln_pool_strdup(work->pool, sum);
	return 0;
}

/* What a guest brings along on a platform where it has a kernel of its own. */
static int prepare_kernel(struct kmln_work *work, struct kmln_error *err)
{
	const struct kmln_filesystem *root = work->image.facts->root;
	KMLN_TREE struct kmln_tree *guest = NULL;
	const bool beside = work->job->in_place || work->job->out;
	int r = kmln_tree_ext(work->image.disk.device, &root->range, false, &guest, err);

	if (r == 0)
		r = kmln_choose_kernel(work->image.facts, work->job->to, work->job->kernel, guest,
			work->pool, &work->choice, err);
	if (r < 0)
		return r;
	work->goal.kernel = work->choice.kernel;
	work->goal.from_kit = work->choice.kit.tree != NULL;
	r = kmln_packages_prepare(work->image.facts, guest, &work->choice, work->job->to,
		work->pool, &work->goal, &work->paths, err);
	if (r == 0)
		r = make_initramfs(work, guest, err);
	if (r == 0 && work->job->to->needs_loader)
		r = kmln_loader_prepare(
			&work->image.disk, work->image.facts, work->pool, &work->goal, err);
	if (r == 0 && beside)
		r = kmln_beside_make(work->job, &work->goal, work->image.facts,
			work->choice.kit.tree ? work->choice.kit.tree : guest,
			work->job->in_place ? work->image.source.format : work->job->format,
			work->pool, &work->beside, err);
	return r;
}

/* Kernel, initramfs and GRUB, or the disk around the root filesystem, ready to be planned with. */
static int prepare(struct kmln_work *work, struct kmln_error *err)
{
	int r = kmln_merge_prepare(work, err);

	if (r == 0 && !work->goal.merged_count)
		r = kmln_check_guest(work->image.facts, err);
	work->goal.form = work->job->form;
	work->goal.size = (work->job->size + MIB - 1) / MIB * MIB;
	work->goal.record = true;
	work->goal.nofail = work->job->nofail;
	work->goal.in_place = work->job->in_place;
	if (r < 0)
		return r;
	return work->job->to->wants_bare ? kmln_around_read(&work->image.disk, work->image.facts,
						   work->pool, &work->goal, err)
					 : prepare_kernel(work, err);
}

int kmln_work_plan(const struct kmln_work *work, const struct kmln_facts *facts,
	struct kmln_edits *edits, struct kmln_error *err)
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
static int check_room(const struct kmln_work *work, uint64_t *enough, struct kmln_error *err)
{
	const struct kmln_filesystem *root = work->image.facts->root;
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
	*enough = (root->bytes + (need > have ? need - have : 0) * 11 / 10 + 64 * MIB) / MIB * MIB;
	if (need > have)
		return kmln_fail(err, ENOSPC,
			"the guest's filesystem is too small: %llu bytes are to be added, %llu are free; "
			"--size %lluM makes it big enough",
			(unsigned long long)need, (unsigned long long)have,
			(unsigned long long)(*enough / MIB));
	if (inodes > root->free_inodes)
		return kmln_fail(err, ENOSPC,
			"the guest's filesystem has %llu inodes left, and %llu files are to be added",
			(unsigned long long)root->free_inodes, (unsigned long long)inodes);
	return 0;
}

/* What no step changes, and whoever boots the result should know. */
static void warn(const struct kmln_convert *job, const struct kmln_facts *facts,
	const struct kmln_edits *edits)
{
	for (size_t i = 0; i < facts->fstab_count && !job->nofail; i++)
		if (kmln_fstab_lacks(facts, &facts->fstab[i], job->to->wants_bare) &&
			!kmln_edits_has(edits, facts->fstab[i].mount))
			kmln_warn(
				"the guest's /etc/fstab:%u wants %s on %s, a disk that is not part of "
				"this image: give the machine one (kmln boot --disk), or let the guest "
				"start without it: --nofail",
				facts->fstab[i].line, facts->fstab[i].device,
				facts->fstab[i].mount);
	for (size_t i = 0; i < facts->mac_name_count; i++)
		if (facts->mac_names[i].name)
			kmln_warn(
				"the guest's %s ties %s to the hardware address %s: give the machine "
				"that address, or take the rule out",
				facts->mac_names[i].file, facts->mac_names[i].name,
				facts->mac_names[i].mac);
	if (kmln_eq(facts->selinux, "enforcing"))
		kmln_warn(
			"SELinux is enforcing in the guest, and files that are put in have no label: "
			"let it relabel at its next start (touch /.autorelabel)");
}

static int check_names(const struct kmln_convert *job, struct kmln_error *err)
{
	KMLN_FREE char *copy = kmln_strdup(job->out ? job->out : "");
	struct stat from, to;

	if (job->merge && (!job->to->wants_bare || job->in_place))
		return kmln_fail(err, KMLN_EUSAGE,
			"--merge makes a copy of a root that stands alone: --to uml and -o OUT");
	if (job->to->wants_bare && job->kernel)
		return kmln_fail(err, KMLN_EUSAGE,
			"--to %s: it is its own kernel, and takes no --kernel", job->to->name);
	if (job->to->wants_bare && job->form != KMLN_BOOT_BIOS)
		return kmln_fail(err, KMLN_EUSAGE,
			"--to %s: it has no firmware, and --boot %s needs one", job->to->name,
			kmln_boot_forms[job->form]);
	if (job->in_place)
		return job->dry_run ? 0 : kmln_beside_check(job, err);
	if (!job->dry_run && (!*copy || kmln_ends(copy, "/")))
		return kmln_fail(err, KMLN_EUSAGE, "'%s' is not the name of a file", copy);
	if (stat(job->image, &from) == 0 && S_ISDIR(from.st_mode))
		return kmln_fail(err, KMLN_EINVALID,
			"%s: a folder cannot be converted yet; make an image of it first: mke2fs "
			"-t ext4 -d",
			job->image);
	/* said now, and not when a kernel has been fetched for nothing */
	if (!job->dry_run && stat(dirname(copy), &to) < 0)
		return kmln_fail_sys(err, errno, "%s", job->out);
	if (job->dry_run)
		return 0;
	if (kmln_beside_check(job, err) < 0)
		return -err->code;
	if (stat(job->image, &from) < 0 || stat(job->out, &to) < 0)
		return 0;
	if (from.st_dev == to.st_dev && from.st_ino == to.st_ino)
		return kmln_fail(err, KMLN_EUSAGE, "%s would be written over itself", job->image);
	return job->force ? 0
			  : kmln_fail(err, EEXIST, "%s is there already; --force replaces it",
				    job->out);
}

static int plan(struct kmln_work *work, uint64_t *enough, struct kmln_error *err)
{
	int r;

	kmln_edits_fini(&work->edits);
	kmln_edits_init(&work->edits, work->pool);
	*enough = 0;
	r = kmln_work_plan(work, work->image.facts, &work->edits, err);
	return r < 0 ? r : check_room(work, enough, err);
}

int kmln_work_begin(struct kmln_work *work, const struct kmln_convert *job, struct kmln_error *err)
{
	uint64_t enough;
	int r;

	*work = (struct kmln_work){
		.job = job,
		.image = {.source.fd = -1, .disk.fd = -1},
		.pool = kmln_pool_new(),
	};
	kmln_edits_init(&work->edits, work->pool);
	r = check_names(job, err);
	if (r == 0)
		r = read_source(work, err);
	if (r == 0)
		r = prepare(work, err);
	if (r == 0)
		r = plan(work, &enough, err);
	if (r != -ENOSPC || !job->grow || enough <= work->goal.size)
		return r;
	work->goal.size = enough;
	return plan(work, &enough, err);
}

int kmln_convert(const struct kmln_convert *job, struct kmln_error *err)
{
	KMLN_WORK struct kmln_work work;
	int r = kmln_work_begin(&work, job, err);

	if (r == 0 && work.choice.kernel)
		kmln_note("kernel %s: %s", work.choice.kernel->release, work.choice.why);
	if (r == 0)
		warn(job, work.image.facts, &work.edits);
	if (r == 0 && job->show)
		r = job->show(&work.edits, err);
	if (r < 0)
		return r;
	return job->dry_run ? 0 : kmln_carry_out(&work, err);
}
