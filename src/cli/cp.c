// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln cp: files and folders to guests, from guests, from one guest to another. */
#include "cli/cp.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/project.h"
#include "cli/reach.h"

struct options {
	const char *file, *project;
	bool allow_include, recursive, stream;
};

static const struct kmln_opt opts[] = {
	KMLN_OPT_CLUSTER(struct options),
	{"recursive", 'r', KMLN_OPT_FLAG, NULL, "copy folders with all that is in them",
		offsetof(struct options, recursive), NULL},
	{"stream", 0, KMLN_OPT_FLAG, NULL, "use the agent's line even where a folder is shared",
		offsetof(struct options, stream), NULL},
	KMLN_OPT_END,
};

struct job {
	const struct options *options;
	struct kmln_reach reach;
	struct kmln_cp cp;
	struct kmln_place_word *from, to;
	int count; /* of sources */
	struct kmln_guest source, target;
	int folder; /* the landing's */
};

static void job_fini(struct job *job)
{
	kmln_guest_close(&job->source);
	kmln_guest_close(&job->target);
	kmln_landing_fini(&job->cp.to.landing);
	kmln_close_cleanup(&job->folder);
	kmln_reach_fini(&job->reach);
}

static int check(const struct job *job, struct kmln_error *err)
{
	for (int i = 0; i < job->count; i++) {
		const struct kmln_place_word *from = &job->from[i];

		if (!from->host && !job->to.host)
			return kmln_fail(err, KMLN_EUSAGE,
				"neither %s nor %s is in a guest: write HOST:PATH", from->path,
				job->to.path);
		if (job->count > 1 && (from->stream || job->to.stream))
			return kmln_fail(err, KMLN_EUSAGE, "- is for one file");
	}
	if (job->options->recursive && (job->from[0].stream || job->to.stream))
		return kmln_fail(err, KMLN_EUSAGE, "- is for one file");
	return 0;
}

static int open_guest(
	struct job *job, const char *name, struct kmln_guest *guest, struct kmln_error *err)
{
	const char *host;
	int r = kmln_reach_host(&job->reach, name, &host, err);

	if (r < 0 || kmln_eq(guest->name, host))
		return r;
	kmln_guest_close(guest);
	*guest = KMLN_GUEST_NONE;
	guest->name = host;
	guest->folder = kmln_reach_folder(&job->reach, host);
	r = kmln_reach_connect(&job->reach, host, &guest->control, err);
	if (r == 0 && kmln_guest_prepare(guest, err) < 0)
		r = kmln_reach_explain(&job->reach, host, err);
	if (job->options->stream)
		kmln_close_cleanup(&guest->transfer);
	return r;
}

static int no_folder(const char *path, struct kmln_error *err)
{
	return kmln_fail_sys(err, ENOTDIR, "%s", path);
}

/* Where the copies go when they go here: a folder that is there, or a name in one. */
static int find_landing(struct job *job, bool *inside, struct kmln_error *err)
{
	struct kmln_pool *pool = job->reach.pool;
	const char *path = job->to.path, *base = kmln_place_base(pool, path);
	char *parent = kmln_pool_strdup(pool, path);
	struct stat st;
	size_t end;

	*inside = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	if (!*inside) {
		if (job->count > 1 || (kmln_ends(path, "/") && !job->options->recursive))
			return no_folder(path, err);
		end = strlen(path);
		while (end && path[end - 1] == '/')
			end--;
		parent[end - strlen(base)] = '\0';
	}
	job->folder = kmln_open(*parent ? parent : ".", O_RDONLY | O_DIRECTORY, 0, err);
	if (job->folder < 0)
		return job->folder;
	job->cp.to.landing = KMLN_LANDING_AT(job->folder);
	job->cp.to.path = *inside ? "" : base;
	return 0;
}

static int find_target(struct job *job, bool *inside, struct kmln_error *err)
{
	struct kmln_guest_entry there;
	int r;

	*inside = false;
	job->cp.to.stream = job->to.stream;
	job->cp.to.path = "";
	if (job->to.stream)
		return 0;
	if (!job->to.host)
		return find_landing(job, inside, err);
	r = open_guest(job, job->to.host, &job->target, err);
	if (r == 0)
		r = kmln_guest_stat(&job->target, job->to.path, &there, err);
	/* no name: there is no such host, which has been said */
	if (r < 0)
		return r == -KMLN_ENO || !job->target.name
			       ? r
			       : kmln_reach_explain(&job->reach, job->target.name, err);
	*inside = r > 0 && there.kind == KMLN_GUEST_FOLDER;
	if (!*inside &&
		(job->count > 1 || (kmln_ends(job->to.path, "/") && !job->options->recursive)))
		return no_folder(
			kmln_pool_printf(job->reach.pool, "%s:%s", job->target.name, job->to.path),
			err);
	job->cp.to.guest = &job->target;
	job->cp.to.path = job->to.path;
	return 0;
}

static int copy(struct job *job, const struct kmln_place_word *from, struct kmln_error *err)
{
	int r = 0;

	job->cp.from = NULL;
	if (from->stream)
		return kmln_cp_from_input(&job->cp, err);
	if (!from->host)
		return kmln_cp_from_here(&job->cp, from->path, err);
	r = open_guest(job, from->host, &job->source, err);
	job->cp.from = &job->source;
	if (r == 0 && kmln_cp_from_guest(&job->cp, from->path, err) < 0)
		r = err->code == ENOTSUP || err->code == ENOTCONN
			    ? kmln_reach_explain(&job->reach, job->source.name, err)
			    : -err->code;
	return r;
}

static int copy_all(struct job *job, char **words, bool inside, struct kmln_error *err)
{
	struct kmln_pool *pool = job->reach.pool;
	const char *target = job->cp.to.path;
	int r = 0;

	for (int i = 0; r == 0 && i < job->count; i++) {
		const struct kmln_place_word *from = &job->from[i];

		if (from->stream && inside)
			return kmln_fail(err, EISDIR, "%s is a folder: standard input has no name",
				job->to.path);
		job->cp.source = words[i];
		job->cp.to.path =
			inside ? kmln_place_join(pool, target, kmln_place_base(pool, from->path))
			       : target;
		r = copy(job, from, err);
	}
	kmln_progress("copying", 0, 0);
	if (r == 0 && job->folder >= 0)
		r = kmln_landing_finish(&job->cp.to.landing, err);
	if (r == 0 && job->cp.problems)
		r = kmln_fail(err, EIO, "%u objects were not copied", job->cp.problems);
	return r;
}

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct options *o = values;
	KMLN_CLEANUP(job_fini)
	struct job job = {.options = o,
		.count = argc - 1,
		.source = KMLN_GUEST_NONE,
		.target = KMLN_GUEST_NONE,
		.folder = -1};
	bool inside;
	int r;

	job.cp.to.landing = KMLN_LANDING_AT(-1);
	r = kmln_reach_open(&job.reach, o->file, o->project, o->allow_include, err);
	if (r < 0)
		return r;
	job.cp.pool = job.reach.pool;
	job.cp.recursive = o->recursive;
	job.from = kmln_pool_array(job.reach.pool, (size_t)argc, sizeof(*job.from));
	for (int i = 0; i < job.count; i++)
		job.from[i] = kmln_place_read(job.reach.pool, argv[i]);
	job.to = kmln_place_read(job.reach.pool, argv[job.count]);
	r = check(&job, err);
	if (r == 0)
		r = find_target(&job, &inside, err);
	return r < 0 ? r : copy_all(&job, argv, inside, err);
}

const struct kmln_command kmln_command_cp = {
	.name = "cp",
	.args = "SOURCE... TARGET",
	.summary = "Copy files to, from and between running hosts",
	.details = "HOST:PATH is in a guest, - is standard input or output.",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.min_args = 2,
	.max_args = -1,
	.complete_hosts = true,
	.complete_files = true,
	.run = run,
};
