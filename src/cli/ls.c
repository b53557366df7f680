// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln ls: one object after the other, none of them held. */
#include "cli/commands.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/sum.h"
#include "cli/show-entry.h"
#include "image/source.h"
#include "plan/print.h"
#include "tree/walk.h"

struct options {
	bool detailed, full_time, recursive, itself, sums, xattrs;
	bool backing;
	uint64_t partition;
	const char *format;
};

static const struct kmln_opt opts[] = {
	{"long", 'l', KMLN_OPT_FLAG, NULL,
		"with mode, links, owner, size or device numbers, time and target",
		offsetof(struct options, detailed), NULL},
	{"full-time", 0, KMLN_OPT_FLAG, NULL, "as --long, with nanoseconds",
		offsetof(struct options, full_time), NULL},
	{"recursive", 'R', KMLN_OPT_FLAG, NULL, "with all that is below, as whole paths",
		offsetof(struct options, recursive), NULL},
	{"directory", 'd', KMLN_OPT_FLAG, NULL,
		"show PATH itself, be it a folder or a link, and not what is in it",
		offsetof(struct options, itself), NULL},
	{"sums", 's', KMLN_OPT_FLAG, NULL, "with the SHA-256 of the content of files",
		offsetof(struct options, sums), NULL},
	{"xattrs", 'x', KMLN_OPT_FLAG, NULL, "with extended attributes",
		offsetof(struct options, xattrs), NULL},
	{"partition", 'p', KMLN_OPT_NUMBER, "N",
		"look into the filesystem of partition N, not into the root filesystem",
		offsetof(struct options, partition), NULL},
	KMLN_OPT_BACKING(struct options),
	KMLN_OPT_FORMAT(struct options),
	KMLN_OPT_END,
};

/* What is being listed. */
struct list {
	const struct options *opts;
	struct kmln_tree *tree;
	struct kmln_json_stream json;
	struct kmln_buf line; /* used again for each */
	unsigned problems;
};

/* All that is shown of one object. */
struct entry {
	const char *path; /* whole */
	const char *name; /* as text shows it */
	const struct kmln_stat *st;
	const char *target; /* NULL: no link */
	const char *sum; /* NULL: not asked for, or no file */
	struct kmln_xattrs xattrs;
};

static int add_sum(void *data, const char *bytes, size_t size, struct kmln_error *err)
{
	(void)err;
	kmln_sha256_add(data, bytes, size);
	return 0;
}

static void show_json(struct list *list, const struct entry *e)
{
	struct kmln_json *o = kmln_entry_json(e->path, e->st, e->target);

	if (e->sum)
		kmln_json_set(o, "sha256", kmln_json_text(e->sum));
	if (list->opts->xattrs)
		kmln_json_set(o, "xattrs", kmln_xattrs_json(&e->xattrs));
	kmln_json_put(&list->json, NULL, o);
}

static void add_details(struct kmln_buf *line, const struct kmln_stat *st, bool full_time)
{
	char mode[11], time[KMLN_TIME_TEXT], size[32];

	kmln_mode_text(mode, st->mode);
	kmln_time_text(time, st->mtime, st->mtime_ns, full_time);
	if (S_ISCHR(st->mode) || S_ISBLK(st->mode))
		snprintf(size, sizeof(size), "%u,%4u", st->major, st->minor);
	else
		snprintf(size, sizeof(size), "%llu", (unsigned long long)st->size);
	kmln_buf_printf(
		line, "%s %3u %5u %5u %11s %s ", mode, st->links, st->uid, st->gid, size, time);
}

static void show_text(struct list *list, const struct entry *e)
{
	struct kmln_buf *line = &list->line;
	bool detailed = list->opts->detailed || list->opts->full_time;

	line->size = 0;
	if (detailed)
		add_details(line, e->st, list->opts->full_time);
	if (list->opts->sums)
		kmln_buf_printf(line, "%-64s  ", e->sum ? e->sum : "-");
	kmln_plan_escape(line, e->name);
	if (detailed && e->target) {
		kmln_buf_str(line, " -> ");
		kmln_plan_escape(line, e->target);
	}
	if (detailed && e->st->flags)
		kmln_buf_printf(line, " [%s%s%s]",
			e->st->flags & KMLN_FLAG_IMMUTABLE ? "immutable" : "",
			(e->st->flags & 3) == 3 ? ", " : "",
			e->st->flags & KMLN_FLAG_APPEND ? "append-only" : "");
	kmln_buf_str(line, "\n");
	for (size_t i = 0; i < e->xattrs.count; i++) {
		kmln_buf_str(line, "        ");
		kmln_plan_escape(line, e->xattrs.items[i].name);
		kmln_buf_str(line, "=");
		kmln_value_text(line, e->xattrs.items[i].value, e->xattrs.items[i].size);
		kmln_buf_str(line, "\n");
	}
	fwrite(line->data, 1, line->size, stdout);
}

/* Reads the rest of it; what cannot be read is left out and said. */
static int complete(struct list *list, struct entry *e, struct kmln_buf *target,
	char sum[KMLN_SHA256_TEXT], struct kmln_error *err)
{
	struct kmln_sha256 state;
	int r = 0;

	if (S_ISLNK(e->st->mode)) {
		r = kmln_tree_readlink(list->tree, e->path, target, err);
		if (r == 0)
			e->target = target->data;
	}
	if (r == 0 && list->opts->sums && S_ISREG(e->st->mode)) {
		kmln_sha256_start(&state);
		r = kmln_tree_read(list->tree, e->path, add_sum, &state, err);
		if (r == 0) {
			kmln_sha256_end(&state, sum);
			e->sum = sum;
		}
	}
	if (r == 0 && list->opts->xattrs)
		r = kmln_tree_xattrs(list->tree, e->path, &e->xattrs, err);
	return r;
}

static int problem(void *data, const char *path, struct kmln_error *err)
{
	struct list *list = data;

	(void)path;
	list->problems++;
	kmln_warn("%s", err->text);
	return 0;
}

static int show(struct list *list, const char *path, const char *name, const struct kmln_stat *st,
	struct kmln_error *err)
{
	struct entry e = {.path = path, .name = name, .st = st};
	KMLN_BUF struct kmln_buf target = {0};
	char sum[KMLN_SHA256_TEXT];
	struct kmln_error why;

	if (complete(list, &e, &target, sum, &why) < 0)
		problem(list, path, &why);
	if (list->json.to)
		show_json(list, &e);
	else
		show_text(list, &e);
	kmln_xattrs_fini(&e.xattrs);
	return kmln_out_check(err);
}

static int each(void *data, const char *path, const struct kmln_stat *st, struct kmln_error *err)
{
	return show(data, path, path, st, err);
}

/* What is in one folder. */
static int show_folder(struct list *list, const char *path, struct kmln_error *err)
{
	KMLN_LISTING struct kmln_listing *listing = NULL;
	int r = kmln_tree_listing(list->tree, path, &listing, err);

	for (size_t i = 0; r == 0 && i < listing->count; i++) {
		const char *name = kmln_listing_name(listing, i);
		KMLN_FREE char *whole = kmln_printf("%s/%s", path[1] ? path : "", name);
		struct kmln_error why;
		struct kmln_stat st;

		if (kmln_tree_stat(list->tree, whole, &st, &why) < 0)
			problem(list, whole, &why);
		else
			r = show(list, whole, name, &st, err);
	}
	return r;
}

/* The path with links followed but for the last component, where it is to be shown itself. */
static int find(struct list *list, const char *path, struct kmln_buf *real, struct kmln_stat *st,
	struct kmln_error *err)
{
	KMLN_FREE char *whole = kmln_printf("/%s", path);
	size_t end = strlen(whole);
	char *last;
	int r;

	if (!list->opts->itself) {
		r = kmln_tree_resolve(list->tree, whole, real, err);
		return r < 0 ? r : kmln_tree_stat(list->tree, real->data, st, err);
	}
	while (end > 1 && whole[end - 1] == '/')
		whole[--end] = '\0';
	last = strrchr(whole, '/') + 1;
	if (!*last || kmln_eq(last, ".") || kmln_eq(last, "..")) {
		r = kmln_tree_resolve(list->tree, whole, real, err);
		return r < 0 ? r : kmln_tree_stat(list->tree, real->data, st, err);
	}
	last[-1] = '\0';
	r = kmln_tree_resolve(list->tree, *whole ? whole : "/", real, err);
	if (r < 0)
		return r;
	kmln_buf_printf(real, "%s%s", real->size > 1 ? "/" : "", last);
	return kmln_tree_stat(list->tree, real->data, st, err);
}

static int list_all(struct list *list, const char *path, struct kmln_error *err)
{
	const struct kmln_walk walk = {each, problem, list};
	KMLN_BUF struct kmln_buf real = {0};
	struct kmln_stat st;
	int r = find(list, path, &real, &st, err);

	if (r < 0)
		return r;
	if (!S_ISDIR(st.mode) || list->opts->itself)
		return show(list, real.data, path, &st, err);
	return list->opts->recursive ? kmln_tree_walk(list->tree, real.data, &walk, err)
				     : show_folder(list, real.data, err);
}

static void list_fini(struct list *list)
{
	kmln_buf_fini(&list->line);
}

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct options *o = values;
	KMLN_SOURCE struct kmln_source source = {0};
	KMLN_CLEANUP(list_fini) struct list list = {.opts = o};
	int r;

	if (o->partition > UINT32_MAX)
		return kmln_fail(err, KMLN_EUSAGE, "--partition: there is none of this number");
	kmln_out_start();
	r = kmln_source_open(argv[0], o->backing, &source, err);
	if (r == 0)
		r = kmln_source_tree(&source, (unsigned)o->partition, &list.tree, err);
	if (r < 0)
		return r;
	if (kmln_eq(o->format, "json")) {
		list.json.to = stdout;
		kmln_json_begin(&list.json, NULL, '[');
	}
	r = list_all(&list, argc > 1 ? argv[1] : "/", err);
	if (r < 0)
		return r;
	if (list.json.to)
		kmln_json_end(&list.json);
	r = kmln_source_check(&source, err);
	if (r < 0)
		return r;
	if (list.problems)
		return kmln_fail(
			err, EIO, "%s: %u objects could not be read", argv[0], list.problems);
	return 0;
}

const struct kmln_command kmln_command_ls = {
	.name = "ls",
	.args = "IMAGE [PATH]",
	.summary = "List the files of a guest",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 2,
	.complete_files = true,
	.run = run,
};
