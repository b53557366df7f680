// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln fmt: project files in their one layout. A file with mistakes of form stays as it is. */
#include "cli/commands.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/project.h"
#include "plan/diff.h"
#include "project/parse.h"
#include "project/print.h"
#include "project/xml.h"
#include "text/json.h"

struct options {
	const char *file, *format;
	bool check, diff, stdout_only;
};

static const struct kmln_opt opts[] = {
	{"file", 'f', KMLN_OPT_FILE, "FILE",
		"the project file, - for standard input (default: the one here or above)",
		offsetof(struct options, file), NULL},
	{"check", 'c', KMLN_OPT_FLAG, NULL, "change nothing; say which files would be",
		offsetof(struct options, check), NULL},
	{"diff", 'd', KMLN_OPT_FLAG, NULL, "change nothing; show what would be",
		offsetof(struct options, diff), NULL},
	{"stdout", 0, KMLN_OPT_FLAG, NULL, "change nothing; print the file as it should be",
		offsetof(struct options, stdout_only), NULL},
	KMLN_OPT_FORMAT(struct options),
	KMLN_OPT_END,
};

/* One file. */
struct job {
	const struct options *opts;
	struct kmln_pool *pool;
	struct kmln_json *list; /* NULL: text */
	bool differs;
};

/* Appends the text in its layout. */
static void lay_out(struct kmln_pool *pool, struct kmln_report *report, const struct kmln_buf *text,
	const char *name, struct kmln_buf *out)
{
	struct kmln_syntax *syntax = kmln_syntax_new(pool);
	struct kmln_source *source = kmln_syntax_source(syntax, name, text->data, text->size);

	if (!source)
		return;
	if (kmln_xml_is(source)) {
		struct kmln_error err;

		/* what there is no XML for has been reported as a mistake */
		kmln_xml_parse(syntax, report, source, syntax->root, NULL, NULL);
		kmln_xml_print(out, syntax, &err);
	} else {
		kmln_parse(syntax, report, source, syntax->root, NULL, NULL);
		kmln_syntax_print(out, syntax);
	}
}

/* Through links, to what they lead to; the mode stays. */
static int replace(const char *path, const struct kmln_buf *text, struct kmln_error *err)
{
	KMLN_FREE char *real = realpath(path, NULL);
	struct stat st;

	if (!real || stat(real, &st) < 0)
		return kmln_fail_sys(err, errno, "%s", path);
	return kmln_replace_file(real, text->data, text->size, st.st_mode & 07777, err);
}

static int show(struct job *job, const char *name, bool print, const struct kmln_buf *old,
	const struct kmln_buf *new, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf text = {0};

	if (job->list) {
		struct kmln_json *o = kmln_json_add(job->list, kmln_json_object());

		kmln_json_set(o, "file", kmln_json_text(name));
		kmln_json_set(o, "differs", kmln_json_bool(job->differs));
		return 0;
	}
	if (job->opts->diff && job->differs) {
		kmln_buf_printf(&text, "%s\n", name);
		kmln_diff(&text, old->data, old->size, new->data, new->size);
		fwrite(text.data, 1, text.size, stdout);
	} else if (print) {
		fwrite(new->data, 1, new->size, stdout);
	} else if (job->differs) {
		printf("%s\n", name);
	}
	return ferror(stdout) ? kmln_fail_sys(err, errno, "standard output") : 0;
}

static int one_file(struct job *job, const char *path, struct kmln_error *err)
{
	bool standard = kmln_eq(path, "-");
	const char *name = standard ? "<stdin>" : path;
	KMLN_BUF struct kmln_buf old = {0}, new = {0}, again = {0};
	struct kmln_report report = {.pool = job->pool}, second = {.pool = job->pool};
	const struct options *o = job->opts;
	bool print = o->stdout_only || (standard && !o->check && !o->diff);
	int r;

	r = kmln_read_file(standard ? "/dev/stdin" : path, KMLN_SOURCE_MAX, &old, err);
	if (r < 0)
		return r;
	kmln_buf_add(&old, "", 0);
	lay_out(job->pool, &report, &old, name, &new);
	if (report.errors) {
		kmln_project_complain(&report);
		return kmln_report_result(&report, name, err);
	}
	/* what we write must say the same, and be final */
	lay_out(job->pool, &second, &new, name, &again);
	if (second.errors || again.size != new.size || memcmp(again.data, new.data, new.size) != 0)
		return kmln_fail(err, EIO, "%s: its layout does not come to an end", name);
	job->differs = old.size != new.size || memcmp(old.data, new.data, new.size) != 0;
	r = show(job, name, print, &old, &new, err);
	if (r == 0 && job->differs && !o->check && !o->diff && !print)
		r = replace(path, &new, err);
	return r;
}

static int all_files(struct job *job, int count, char **paths, struct kmln_error *err)
{
	const struct options *o = job->opts;
	bool differs = false;
	int r = 0;

	for (int i = 0; i < count; i++) {
		struct kmln_error why;
		int one = one_file(job, paths[i], &why);

		/* the other files are laid out nevertheless; the first error is the command's */
		if (one < 0 && r == 0) {
			*err = why;
			r = one;
		} else if (one < 0) {
			fprintf(stderr, "kmln: %s\n", why.text);
		}
		differs |= one == 0 && job->differs;
	}
	if (r == 0 && differs && o->check)
		r = kmln_fail(err, KMLN_ENO, "not laid out as `kmln fmt` does");
	return r;
}

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct options *o = values;
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_JSON struct kmln_json *list = NULL;
	struct job job = {.opts = o, .pool = pool};
	const char *path;
	char *only[1];
	int r;

	if (o->check + o->diff + o->stdout_only > 1)
		return kmln_fail(
			err, KMLN_EUSAGE, "--check, --diff and --stdout exclude each other");
	if (o->file || !argc) {
		r = kmln_project_find(pool, o->file, argc ? argv[0] : NULL, &path, err);
		if (r < 0)
			return r;
		only[0] = kmln_pool_strdup(pool, path);
		argv = only;
		argc = 1;
	}
	if (kmln_eq(o->format, "json"))
		job.list = list = kmln_json_array();
	r = all_files(&job, argc, argv, err);
	if (list) {
		struct kmln_error why;

		if (kmln_json_print_free(list, stdout, &why) < 0 && r == 0) {
			*err = why;
			r = -why.code;
		}
		list = NULL;
	}
	return r;
}

const struct kmln_command kmln_command_fmt = {
	.name = "fmt",
	.args = "[FILE...]",
	.summary = "Lay project files out",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.max_args = -1,
	.complete_files = true,
	.run = run,
};
