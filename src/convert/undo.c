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
#include "convert/opened.h"
#include "guest/undo.h"
#include "image/check.h"
#include "image/copy.h"
#include "image/ext.h"
#include "image/inspect.h"
#include "run/apply.h"

#define RECORDS_BYTES_MAX (2 * KMLN_RECORD_MAX)

struct work {
	const struct kmln_undo_job *job;
	struct kmln_opened image;
	struct kmln_pool *pool;
	struct kmln_edits edits;
	struct kmln_strv edited;
};

static void work_fini(struct work *work)
{
	kmln_edits_fini(&work->edits);
	kmln_strv_fini(&work->edited);
	kmln_opened_close(&work->image);
	kmln_pool_free(work->pool);
}

static int read_source(struct work *work, struct kmln_error *err)
{
	const bool write = !work->job->out && !work->job->dry_run;

	return kmln_opened_read(work->job->image, 0,
		(write ? KMLN_DISK_WRITE : 0) | (work->job->backing ? KMLN_DISK_BACKING : 0),
		&work->image, err);
}

static int read_records(struct work *work, struct kmln_tree *tree, struct kmln_record *records,
	struct kmln_error *err)
{
	const struct kmln_facts *facts = work->image.facts;
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
	const struct kmln_facts *facts = work->image.facts;
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
	r = kmln_tree_ext(work->image.disk.device, &facts->root->range, false, &tree, err);
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
	if (kmln_fs_has(work->image.facts->root, "quota"))
		r = kmln_check_preen(disk->device, root, err);
	if (r == 0)
		r = kmln_check_clean(disk->device, root, err);
	if (r == 0)
		r = kmln_inspect(disk, &facts, err);
	if (r == 0 && !facts->root)
		r = kmln_fail(err, EIO, "there is no root filesystem: %s", facts->root_problem);
	if (r == 0 && facts->root->range.offset != root->offset)
		r = kmln_fail(err, EIO, "the partition table leads to another root filesystem");
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
	const struct kmln_edit *shift = kmln_edits_find(&work->edits, KMLN_EDIT_SHIFT);
	const struct kmln_edit *extend = kmln_edits_find(&work->edits, KMLN_EDIT_EXTEND);
	const uint64_t away = cut ? cut->offset : 0, front = shift ? shift->offset : 0;
	const struct kmln_part part = {
		work->image.disk.device, {away, cut ? cut->size : work->image.disk.size}};
	KMLN_DEVICE struct kmln_device *rest = kmln_device_join(&part, 1);
	struct kmln_range range = work->image.facts->root->range;
	KMLN_DISK struct kmln_disk disk = {.fd = -1};
	KMLN_TREE struct kmln_tree *tree = NULL;
	int r;

	range.offset = range.offset - away + front;
	if (ftruncate(fd, (off_t)(front + rest->size + (extend ? extend->size : 0))) < 0)
		return kmln_fail_sys(err, errno, "make room");
	r = kmln_disk_wrap(fd, &disk, err);
	if (r == 0)
		r = kmln_copy(rest, disk.device, front, err);
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

	if (!path || fstat(work->image.source.fd, &st) < 0)
		return kmln_fail_sys(err, errno, "%s", work->job->image);
	kmln_note(
		"the host's filesystem cannot cut a file in front, or put something there: the image is written anew");
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
		.disk = &work->image.source,
		.beside = &none,
		.root = work->image.facts->root->range,
		.edits = &work->edits,
		.prove = prove,
		.data = work,
	};
	const bool moves = cut || kmln_edits_find(&work->edits, KMLN_EDIT_SHIFT);
	struct stat st;
	int r = 0;

	if (moves && (!kmln_eq(work->image.source.format, "raw") ||
			     fstat(work->image.source.fd, &st) < 0 || !S_ISREG(st.st_mode)))
		return kmln_fail(err, KMLN_EINVALID,
			"what was a %s cannot be one again in a %s image; -o OUT makes a raw copy that is",
			cut ? "bare filesystem" : "whole disk", work->image.source.format);
	if (moves && !kmln_can_shift(work->image.source.fd))
		return replace_by_copy(work, err);
	r = kmln_opened_settle(work->job->image, &work->image, err);
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
		.image = {.source.fd = -1, .disk.fd = -1},
		.pool = kmln_pool_new(),
	};
	int r = check_names(job, err);

	if (r < 0)
		return r;
	kmln_edits_init(&work.edits, work.pool);
	r = read_source(&work, err);
	if (r < 0)
		return r;
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
