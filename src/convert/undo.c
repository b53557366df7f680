// SPDX-License-Identifier: GPL-2.0-or-later
/* The course of taking conversions back; see undo.h. */
#include "convert/undo.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/output.h"
#include "convert/composite.h"
#include "convert/in-place.h"
#include "guest/undo.h"
#include "image/check.h"
#include "image/copy.h"
#include "image/ext.h"
#include "image/inspect.h"
#include "image/overlay.h"
#include "run/apply.h"

#define RECORDS_BYTES_MAX (2 * KMLN_RECORD_MAX)

struct work {
	const struct kmln_undo_job *job;
	struct kmln_disk source;
	/* Over the source's device, with the guest's journal replayed; NULL: not needed. */
	struct kmln_device *replayed;
	struct kmln_disk from; /* what is looked at; its device is borrowed from one of the two */
	struct kmln_facts *facts;
	struct kmln_pool *pool;
	struct kmln_edits edits;
	struct kmln_strv edited;
};

static void work_fini(struct work *work)
{
	kmln_edits_fini(&work->edits);
	kmln_strv_fini(&work->edited);
	kmln_facts_free(work->facts);
	kmln_device_close(&work->replayed);
	kmln_disk_close(&work->source);
	kmln_pool_free(work->pool);
}

static bool has_feature(const struct kmln_facts *facts, const char *feature)
{
	for (const char *const *f = facts->root->features; f && *f; f++)
		if (kmln_eq(*f, feature))
			return true;
	return false;
}

/* The journal is replayed in what we see of the image; the image follows when it is changed. */
static int replay(struct work *work, struct kmln_error *err)
{
	const struct kmln_range range = work->facts->root->range;
	int r;

	kmln_note("the filesystem was not unmounted: its journal is replayed");
	work->replayed = kmln_device_overlay(work->source.device);
	work->from.device = work->replayed;
	r = kmln_check_preen(work->from.device, &range, err);
	if (r < 0)
		return r;
	work->facts = kmln_facts_free(work->facts);
	return kmln_inspect(&work->from, &work->facts, err);
}

static int read_source(struct work *work, struct kmln_error *err)
{
	const bool write = !work->job->out && !work->job->dry_run;
	const unsigned flags =
		(write ? KMLN_DISK_WRITE : 0) | (work->job->backing ? KMLN_DISK_BACKING : 0);
	int r = kmln_disk_open(work->job->image, flags, &work->source, err);

	if (r < 0)
		return r;
	work->from = work->source;
	work->from.fd = -1;
	r = kmln_disk_lock(&work->source, write, err);
	if (r == 0)
		r = kmln_inspect(&work->from, &work->facts, err);
	if (r == 0 && !work->facts->root)
		r = kmln_fail(err, KMLN_EINVALID,
			"there is no root filesystem in which anything could be taken back: %s",
			work->facts->root_problem);
	if (r == 0 && has_feature(work->facts, "mmp"))
		r = kmln_fail(err, KMLN_EINVALID,
			"the filesystem has multi-mount protection, which cannot be checked inside a "
			"disk; take it off first: tune2fs -O ^mmp");
	if (r == 0 && has_feature(work->facts, "needs_recovery"))
		return replay(work, err);
	return r < 0 ? r : kmln_check_clean(work->from.device, &work->facts->root->range, err);
}

static int read_records(struct work *work, struct kmln_tree *tree, struct kmln_record *records,
	struct kmln_error *err)
{
	const struct kmln_facts *facts = work->facts;
	uint64_t left = RECORDS_BYTES_MAX;

	for (size_t i = 0; i < facts->record_count; i++) {
		const struct kmln_record_file *file = &facts->records[i];
		KMLN_BUF struct kmln_buf text = {0};
		int r;

		if (file->size > KMLN_RECORD_MAX || file->size > left)
			return kmln_fail(
				err, KMLN_EINVALID, "%s: longer than a record can be", file->path);
		left -= file->size;
		r = kmln_tree_load(tree, file->path, KMLN_RECORD_MAX, &text, err);
		if (r < 0)
			return r;
		r = kmln_record_parse(text.data, text.size, work->pool, &records[i], err);
		if (r < 0)
			return kmln_wrap(err, "%s", file->path);
		records[i].file = file->path;
	}
	return 0;
}

static int plan(struct work *work, struct kmln_error *err)
{
	const struct kmln_facts *facts = work->facts;
	struct kmln_record *records =
		kmln_pool_array(work->pool, facts->record_count + 1, sizeof(*records));
	struct kmln_undo undo = {
		.facts = facts,
		.records = records,
		.record_count = facts->record_count,
		.force = work->job->force,
		.edits = &work->edits,
		.edited = &work->edited,
	};
	KMLN_TREE struct kmln_tree *tree = NULL;
	int r;

	if (facts->record_problem)
		return kmln_fail(err, KMLN_EINVALID, "the records of conversions: %s",
			facts->record_problem);
	if (!facts->record_count)
		return kmln_fail(err, KMLN_ENO,
			"nothing to undo: no conversion has left a record in the guest");
	r = kmln_tree_ext(work->from.device, &facts->root->range, false, &tree, err);
	if (r == 0)
		r = read_records(work, tree, records, err);
	if (r == 0)
		r = kmln_undo_vouch(&undo, err);
	if (r < 0)
		return r;
	kmln_undo_ask(&undo, work->pool);
	r = kmln_states_read(tree, work->pool, undo.states, undo.state_count, err);
	return r < 0 ? r : kmln_plan_undo(&undo, err);
}

/* What of kmln's own was edited since: nothing is done then, unless --force. */
static int check_edited(const struct work *work, struct kmln_error *err)
{
	for (size_t i = 0; i < work->edited.count; i++)
		kmln_warn("%s%s", work->edited.items[i],
			work->job->force ? "; taken back as far as it can be" : "");
	if (!work->edited.count || work->job->force)
		return 0;
	return kmln_fail(err, EEXIST,
		"%zu of kmln's own changes %s edited since, the first: %s; --force takes back all "
		"that is left",
		work->edited.count, work->edited.count == 1 ? "was" : "were",
		work->edited.items[0]);
}

/* Looks at the result as if it were any image. */
static int prove(void *data, const struct kmln_disk *disk, const struct kmln_range *root,
	struct kmln_error *err)
{
	const struct work *work = data;
	KMLN_FACTS struct kmln_facts *facts = NULL;
	int r = 0;

	/* libext2fs does not count for quotas; e2fsck does, and finds nothing else to do */
	if (has_feature(work->facts, "quota"))
		r = kmln_check_preen(disk->device, root, err);
	if (r == 0)
		r = kmln_check_clean(disk->device, root, err);
	if (r == 0)
		r = kmln_inspect(disk, &facts, err);
	if (r == 0 && !facts->root)
		r = kmln_fail(err, EIO, "there is no root filesystem: %s", facts->root_problem);
	if (r == 0 && (facts->record_problem || facts->record_count))
		r = kmln_fail(err, EIO, "a record is still there");
	return r < 0 ? kmln_wrap(err, "after taking it back") : 0;
}

static int write_bytes(
	void *device, const void *bytes, size_t size, uint64_t offset, struct kmln_error *err)
{
	return kmln_device_write(device, bytes, size, offset, err);
}

static int fill(struct work *work, int fd, struct kmln_error *err)
{
	const struct kmln_edit *cut = kmln_edits_find(&work->edits, KMLN_EDIT_COLLAPSE);
	const uint64_t front = cut ? cut->offset : 0;
	const struct kmln_part part = {
		work->from.device, {front, cut ? cut->size : work->from.size}};
	KMLN_DEVICE struct kmln_device *rest = kmln_device_join(&part, 1);
	struct kmln_range range = work->facts->root->range;
	KMLN_DISK struct kmln_disk disk = {.fd = -1};
	KMLN_TREE struct kmln_tree *tree = NULL;
	int r;

	range.offset -= front;
	if (ftruncate(fd, (off_t)rest->size) < 0)
		return kmln_fail_sys(err, errno, "make room");
	r = kmln_disk_wrap(fd, &disk, err);
	if (r == 0)
		r = kmln_copy(rest, disk.device, 0, err);
	if (r == 0)
		r = kmln_tree_ext(disk.device, &range, true, &tree, err);
	if (r == 0)
		r = kmln_apply_tree(&work->edits, tree, NULL, err);
	if (r == 0)
		r = kmln_tree_close(&tree, err);
	if (r == 0)
		r = kmln_apply_bytes(&work->edits, write_bytes, disk.device, err);
	return r < 0 ? r : prove(work, &disk, &range, err);
}

static int make_copy(struct work *work, struct kmln_error *err)
{
	KMLN_OUTPUT struct kmln_output output = {.fd = -1};
	int r = kmln_output_open(work->job->out, work->job->force, &output, err);

	if (r < 0)
		return r;
	r = fill(work, output.fd, err);
	if (r < 0)
		return kmln_wrap(err, "%s", work->job->out);
	return kmln_output_publish(&output, work->job->force, err);
}

/*
 * The host's filesystem cannot cut a file in front: a copy takes the image's name when it is
 * complete. The lock is on the old file, and nobody opens that by name any more.
 */
static int replace_by_copy(struct work *work, struct kmln_error *err)
{
	KMLN_OUTPUT struct kmln_output output = {.fd = -1};
	KMLN_FREE char *path = realpath(work->job->image, NULL);
	struct stat st;
	int r;

	if (!path || fstat(work->source.fd, &st) < 0)
		return kmln_fail_sys(err, errno, "%s", work->job->image);
	kmln_note("the host's filesystem cannot cut a file in front: the image is written anew");
	r = kmln_output_open(path, true, &output, err);
	if (r == 0 && (fchown(output.fd, st.st_uid, st.st_gid) < 0 ||
			      fchmod(output.fd, st.st_mode & 07777) < 0))
		r = kmln_fail_sys(err, errno, "%s", path);
	if (r == 0)
		r = fill(work, output.fd, err);
	return r < 0 ? r : kmln_output_publish(&output, true, err);
}

/* Files that a conversion put beside the image are the user's: a record cannot name them. */
static void tell_of_composite(const char *image)
{
	KMLN_CLEANUP(kmln_composite_fini) struct kmln_composite composite = {0};
	struct kmln_error ignored;
	KMLN_FREE char *copy = kmln_strdup(image), *path = NULL;

	if (kmln_composite_names(&composite, image, NULL, &ignored) < 0)
		return;
	path = kmln_printf("%s/%s", dirname(copy), composite.descriptor);
	if (access(path, F_OK) == 0)
		kmln_note("%s and %s beside it are of no use any more: remove them",
			composite.descriptor, composite.head);
}

static int change_in_place(struct work *work, struct kmln_error *err)
{
	const struct kmln_edit *cut = kmln_edits_find(&work->edits, KMLN_EDIT_COLLAPSE);
	const struct kmln_beside none = {.count = 0};
	const struct kmln_in_place job = {
		.path = work->job->image,
		.disk = &work->source,
		.beside = &none,
		.root = work->facts->root->range,
		.edits = &work->edits,
		.prove = prove,
		.data = work,
	};
	struct stat st;
	int r = 0;

	if (cut && (!kmln_eq(work->source.format, "raw") || fstat(work->source.fd, &st) < 0 ||
			   !S_ISREG(st.st_mode)))
		return kmln_fail(err, KMLN_EINVALID,
			"what was a bare filesystem cannot be one again in a %s image; -o OUT makes a "
			"raw copy that is",
			work->source.format);
	if (cut && !kmln_can_shift(work->job->image))
		return replace_by_copy(work, err);
	if (work->replayed)
		r = kmln_check_preen(work->source.device, &job.root, err);
	if (r == 0)
		r = kmln_in_place(&job, err);
	if (r == 0)
		tell_of_composite(work->job->image);
	return r;
}

static int check_names(const struct kmln_undo_job *job, struct kmln_error *err)
{
	struct stat from, to;

	if (!job->out || job->dry_run)
		return 0;
	if (!*job->out || kmln_ends(job->out, "/"))
		return kmln_fail(err, KMLN_EUSAGE, "'%s' is not the name of a file", job->out);
	if (stat(job->image, &from) < 0 || stat(job->out, &to) < 0)
		return 0;
	if (from.st_dev == to.st_dev && from.st_ino == to.st_ino)
		return kmln_fail(err, KMLN_EUSAGE,
			"%s would be written over itself; without -o it is changed in place",
			job->image);
	return job->force ? 0
			  : kmln_fail(err, EEXIST, "%s is there already; --force replaces it",
				    job->out);
}

int kmln_undo_image(const struct kmln_undo_job *job, struct kmln_error *err)
{
	KMLN_CLEANUP(work_fini)
	struct work work = {
		.job = job,
		.source.fd = -1,
		.from.fd = -1,
		.pool = kmln_pool_new(),
	};
	int r = check_names(job, err);

	if (r < 0)
		return r;
	kmln_edits_init(&work.edits, work.pool);
	r = read_source(&work, err);
	if (r == 0)
		r = plan(&work, err);
	if (r == 0)
		r = check_edited(&work, err);
	if (r < 0)
		return kmln_wrap(err, "%s", job->image);
	if (job->show)
		r = job->show(&work.edits, err);
	if (r < 0 || job->dry_run)
		return r;
	return job->out ? make_copy(&work, err) : change_in_place(&work, err);
}
