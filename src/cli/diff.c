// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln diff: each difference is shown when it is found, and not held. */
#include "cli/commands.h"

#include <fnmatch.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/show-difference.h"
#include "cli/show-entry.h"
#include "plan/diff.h"
#include "plan/print.h"

#define TEXT_MAX (256u << 10)

struct options {
	bool no_content, no_mtime, text, backing;
	struct kmln_strv only, ignore;
	uint64_t partition;
	const char *path, *format;
};

static const char *const parts[] = {"tree", "packages", "fstab", "disk"};
enum { TREE, PACKAGES, FSTAB, DISK };

static const struct kmln_opt opts[] = {
	{"only", 'o', KMLN_OPT_LIST, "PARTS", "compare these only: tree, packages, fstab, disk",
		offsetof(struct options, only), NULL},
	{"path", 0, KMLN_OPT_TEXT, "PATH", "compare only what is in this folder of both",
		offsetof(struct options, path), NULL},
	{"ignore", 'i', KMLN_OPT_LIST, "GLOBS",
		"leave out what has such a path, or, without a slash, such a name",
		offsetof(struct options, ignore), NULL},
	{"no-content", 0, KMLN_OPT_FLAG, NULL,
		"do not read files: their size and time tell whether they are the same",
		offsetof(struct options, no_content), NULL},
	{"no-mtime", 0, KMLN_OPT_FLAG, NULL, "times of change do not count",
		offsetof(struct options, no_mtime), NULL},
	{"text", 't', KMLN_OPT_FLAG, NULL, "show how text files of up to 256 KiB changed",
		offsetof(struct options, text), NULL},
	{"partition", 'p', KMLN_OPT_NUMBER, "N",
		"compare the filesystems of partition N, not the root filesystems",
		offsetof(struct options, partition), NULL},
	KMLN_OPT_BACKING(struct options),
	KMLN_OPT_FORMAT(struct options),
	KMLN_OPT_END,
};

/* A folder that is in one only, of which text shows a single line. */
struct whole {
	struct kmln_buf line; /* empty: none */
	uint64_t objects, bytes;
};

struct diff {
	const struct options *opts;
	struct kmln_source a, b;
	struct kmln_tree *tree_a, *tree_b;
	struct kmln_json_stream json; /* `to` NULL: text */
	bool quiet; /* the exit status tells it all */
	struct kmln_buf line; /* used again for each */
	struct whole whole;
	uint64_t added, removed, changed, unreadable, packages, disk;
	bool fstab;
};

static void diff_fini(struct diff *diff)
{
	kmln_source_close(&diff->a);
	kmln_source_close(&diff->b);
	kmln_buf_fini(&diff->line);
	kmln_buf_fini(&diff->whole.line);
}

static bool wanted(const struct diff *diff, int part)
{
	const struct options *o = diff->opts;

	if (o->only.count)
		return kmln_strv_has(&o->only, parts[part]);
	return part == TREE || (!o->path && !o->partition) || (part == DISK && !o->path);
}

static bool differs(const struct diff *diff)
{
	return diff->added || diff->removed || diff->changed || diff->packages || diff->disk ||
	       diff->fstab;
}

static bool skip(void *data, const char *path)
{
	const struct diff *diff = data;
	const char *name = strrchr(path, '/') + 1;

	for (size_t i = 0; i < diff->opts->ignore.count; i++) {
		const char *glob = diff->opts->ignore.items[i];

		if (strchr(glob, '/') ? fnmatch(glob, path, FNM_PATHNAME) == 0
				      : *name && fnmatch(glob, name, 0) == 0)
			return true;
	}
	return false;
}

/* ---- the tree ---- */

/* The change of a small text file as hunks, or nothing. */
static void add_hunks(struct diff *diff, const struct kmln_difference *d, struct kmln_buf *hunks)
{
	KMLN_BUF struct kmln_buf a = {0}, b = {0};
	struct kmln_error ignored;

	if (!(d->what & KMLN_DIFF_CONTENT) || !(diff->opts->text || kmln_verbosity > 0) ||
		d->a->size > TEXT_MAX || d->b->size > TEXT_MAX)
		return;
	if (kmln_tree_load(diff->tree_a, d->path_a, TEXT_MAX, &a, &ignored) == 0 &&
		kmln_tree_load(diff->tree_b, d->path_b, TEXT_MAX, &b, &ignored) == 0 &&
		kmln_is_text(a.data, a.size) && kmln_is_text(b.data, b.size))
		kmln_diff(hunks, a.data, a.size, b.data, b.size);
}

static void end_whole(struct diff *diff)
{
	KMLN_POOL struct kmln_pool *pool = NULL;
	struct whole *whole = &diff->whole;

	if (!whole->line.size) {
		whole->objects = whole->bytes = 0;
		return;
	}
	pool = kmln_pool_new();
	/* without its newline */
	fwrite(whole->line.data, 1, whole->line.size - 1, stdout);
	if (whole->objects)
		printf(" with %llu objects, %s", (unsigned long long)whole->objects,
			kmln_plan_bytes(pool, whole->bytes));
	putchar('\n');
	whole->line.size = 0;
	whole->objects = whole->bytes = 0;
}

static void show_text(struct diff *diff, const struct kmln_difference *d)
{
	struct kmln_buf *line = &diff->line;
	const struct kmln_stat *st = d->a ? d->a : d->b;

	if (d->below && kmln_verbosity <= 0) {
		diff->whole.objects++;
		diff->whole.bytes += S_ISREG(st->mode) ? st->size : 0;
		return;
	}
	end_whole(diff);
	line->size = 0;
	kmln_difference_text(line, d);
	if ((d->kind == KMLN_ONLY_A || d->kind == KMLN_ONLY_B) && S_ISDIR(st->mode) &&
		kmln_verbosity <= 0) {
		kmln_buf_add(&diff->whole.line, line->data, line->size);
		return;
	}
	add_hunks(diff, d, line);
	fwrite(line->data, 1, line->size, stdout);
}

static void show_json(struct diff *diff, const struct kmln_difference *d)
{
	KMLN_BUF struct kmln_buf hunks = {0};

	add_hunks(diff, d, &hunks);
	kmln_json_put(&diff->json, NULL, kmln_difference_json(d, hunks.data));
}

static int found(void *data, const struct kmln_difference *d, struct kmln_error *err)
{
	struct diff *diff = data;
	uint64_t *const counts[] = {[KMLN_ONLY_A] = &diff->removed,
		[KMLN_ONLY_B] = &diff->added,
		[KMLN_DIFFERS] = &diff->changed,
		[KMLN_UNREADABLE] = &diff->unreadable};

	++*counts[d->kind];
	if (diff->quiet)
		return differs(diff);
	if (diff->json.to)
		show_json(diff, d);
	else
		show_text(diff, d);
	return kmln_out_check(err);
}

/* The folder to begin with: links are followed in each tree on its own. */
static int find(struct diff *diff, struct kmln_source *source, struct kmln_tree **tree,
	struct kmln_buf *real, struct kmln_error *err)
{
	KMLN_FREE char *path = kmln_printf("/%s", diff->opts->path ? diff->opts->path : "");
	int r = kmln_source_tree(source, (unsigned)diff->opts->partition, tree, err);

	if (r == 0)
		r = kmln_tree_resolve(*tree, path, real, err);
	return r == -ENOENT ? kmln_wrap(err, "%s", source->path) : r;
}

static int compare_trees(struct diff *diff, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf path_a = {0}, path_b = {0};
	struct kmln_compare compare = {
		.no_content = diff->opts->no_content,
		.no_mtime = diff->opts->no_mtime,
		.skip = diff->opts->ignore.count ? skip : NULL,
		.found = found,
		.data = diff,
	};
	int r = find(diff, &diff->a, &diff->tree_a, &path_a, err);

	if (r == 0)
		r = find(diff, &diff->b, &diff->tree_b, &path_b, err);
	if (r < 0)
		return r;
	compare.a = diff->tree_a;
	compare.b = diff->tree_b;
	compare.path_a = path_a.data;
	compare.path_b = path_b.data;
	compare.shown = path_a.data;
	if (diff->json.to)
		kmln_json_begin(&diff->json, "tree", '[');
	r = kmln_trees_compare(&compare, err);
	end_whole(diff);
	if (diff->json.to)
		kmln_json_end(&diff->json);
	return r;
}

/* ---- packages, fstab, disk ---- */

static void compare_packages(
	struct diff *diff, const struct kmln_facts *a, const struct kmln_facts *b)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_package_change *changes;
	size_t count;

	kmln_packages_compare(a, b, pool, &changes, &count);
	diff->packages = count;
	if (diff->json.to)
		kmln_json_begin(&diff->json, "packages", '[');
	for (size_t i = 0; i < count && !diff->quiet; i++) {
		diff->line.size = 0;
		if (diff->json.to) {
			kmln_json_put(&diff->json, NULL, kmln_package_change_json(&changes[i]));
			continue;
		}
		kmln_package_change_text(&diff->line, &changes[i]);
		fwrite(diff->line.data, 1, diff->line.size, stdout);
	}
	if (diff->json.to)
		kmln_json_end(&diff->json);
}

static void compare_fstabs(
	struct diff *diff, const struct kmln_facts *a, const struct kmln_facts *b)
{
	const char *x = kmln_facts_file(a, "/etc/fstab")->data;
	const char *y = kmln_facts_file(b, "/etc/fstab")->data;
	KMLN_BUF struct kmln_buf hunks = {0};

	x = x ? x : "";
	y = y ? y : "";
	diff->fstab = strcmp(x, y) != 0;
	kmln_diff(&hunks, x, strlen(x), y, strlen(y));
	if (diff->json.to)
		kmln_json_put(
			&diff->json, "fstab", kmln_json_text(diff->fstab ? hunks.data : NULL));
	else if (diff->fstab && !diff->quiet)
		printf("~ fstab\n%s", hunks.data);
}

/* Needs the guests' facts; without a guest on both sides there is nothing to compare. */
static int compare_guests(struct diff *diff, struct kmln_error *err)
{
	const struct kmln_facts *a, *b;
	struct kmln_error why;

	if (!wanted(diff, PACKAGES) && !wanted(diff, FSTAB))
		return 0;
	if (kmln_source_inspect(&diff->a, &a, &why) < 0 ||
		kmln_source_inspect(&diff->b, &b, &why) < 0) {
		kmln_warn("packages and fstab cannot be read: %s", why.text);
		diff->unreadable++;
		return 0;
	}
	if (!a->root || !b->root) {
		if (!diff->opts->only.count)
			return 0;
		return kmln_fail(err, KMLN_EINVALID, "%s: no root filesystem: %s",
			a->root ? diff->b.path : diff->a.path,
			a->root ? b->root_problem : a->root_problem);
	}
	if (wanted(diff, PACKAGES))
		compare_packages(diff, a, b);
	if (wanted(diff, FSTAB))
		compare_fstabs(diff, a, b);
	return 0;
}

static int compare_disks(struct diff *diff, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_disk_change *changes;
	size_t count;
	int r;

	if (!wanted(diff, DISK) || kmln_source_is_folder(&diff->a) ||
		kmln_source_is_folder(&diff->b))
		return 0;
	r = kmln_disks_compare(&diff->a, &diff->b, pool, &changes, &count, err);
	if (r < 0)
		return r;
	diff->disk = count;
	if (diff->json.to)
		kmln_json_begin(&diff->json, "disk", '[');
	for (size_t i = 0; i < count && !diff->quiet; i++) {
		diff->line.size = 0;
		if (diff->json.to) {
			kmln_json_put(&diff->json, NULL, kmln_disk_change_json(&changes[i]));
			continue;
		}
		kmln_disk_change_text(&diff->line, &changes[i]);
		fwrite(diff->line.data, 1, diff->line.size, stdout);
	}
	if (diff->json.to)
		kmln_json_end(&diff->json);
	return 0;
}

static void show_summary(struct diff *diff)
{
	struct kmln_json *o;

	if (diff->quiet)
		return;
	if (!diff->json.to && !differs(diff) && !diff->unreadable) {
		printf("no differences\n");
	} else if (!diff->json.to) {
		printf("%llu added, %llu removed, %llu changed", (unsigned long long)diff->added,
			(unsigned long long)diff->removed, (unsigned long long)diff->changed);
		if (diff->packages)
			printf("; %llu packages differ", (unsigned long long)diff->packages);
		if (diff->fstab)
			printf("; fstab differs");
		if (diff->disk)
			printf("; the disks differ");
		if (diff->unreadable)
			printf("; %llu could not be read", (unsigned long long)diff->unreadable);
		putchar('\n');
	} else {
		o = kmln_json_object();
		kmln_json_set(o, "same", kmln_json_bool(!differs(diff) && !diff->unreadable));
		kmln_json_set(o, "added", kmln_json_number(diff->added));
		kmln_json_set(o, "removed", kmln_json_number(diff->removed));
		kmln_json_set(o, "changed", kmln_json_number(diff->changed));
		kmln_json_set(o, "unreadable", kmln_json_number(diff->unreadable));
		kmln_json_put(&diff->json, "summary", o);
		kmln_json_end(&diff->json);
	}
}

static int check_options(const struct options *o, struct kmln_error *err)
{
	for (size_t i = 0; i < o->only.count; i++) {
		bool known = false;

		for (size_t p = 0; p < KMLN_COUNT(parts); p++)
			known = known || kmln_eq(o->only.items[i], parts[p]);
		if (!known)
			return kmln_fail(err, KMLN_EUSAGE,
				"--only: '%s' is not one of tree, packages, fstab, disk",
				o->only.items[i]);
	}
	if (o->partition > UINT32_MAX)
		return kmln_fail(err, KMLN_EUSAGE, "--partition: there is none of this number");
	return 0;
}

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct options *o = values;
	KMLN_CLEANUP(diff_fini) struct diff diff = {.opts = o, .quiet = kmln_verbosity < 0};
	int r = check_options(o, err);

	(void)argc;
	kmln_out_start();
	if (r == 0)
		r = kmln_source_open(argv[0], o->backing, &diff.a, err);
	if (r == 0)
		r = kmln_source_open(argv[1], o->backing, &diff.b, err);
	if (r < 0)
		return r;
	if (kmln_eq(o->format, "json") && !diff.quiet) {
		diff.json.to = stdout;
		kmln_json_begin(&diff.json, NULL, '{');
	}
	if (wanted(&diff, TREE))
		r = compare_trees(&diff, err);
	if (r == 0)
		r = compare_guests(&diff, err);
	if (r == 0)
		r = compare_disks(&diff, err);
	if (r < 0)
		return r;
	show_summary(&diff);
	r = kmln_out_finish(err);
	if (r == 0)
		r = kmln_source_check(&diff.a, err);
	if (r == 0)
		r = kmln_source_check(&diff.b, err);
	if (r == 0 && diff.unreadable)
		r = kmln_fail(err, EIO, "%llu objects could not be compared",
			(unsigned long long)diff.unreadable);
	/* the differences have been shown: no more words */
	return r < 0 || !differs(&diff) ? r : kmln_fail(err, KMLN_ENO, "%s", "");
}

const struct kmln_command kmln_command_diff = {
	.name = "diff",
	.args = "A B",
	.summary = "Compare two guests: files, packages, fstab and disks",
	.details =
		"A and B are images, or folders with a root filesystem laid out. The exit status\n"
		"is 0 where they are the same, and 4 where they differ.",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.min_args = 2,
	.max_args = 2,
	.complete_files = true,
	.run = run,
};
