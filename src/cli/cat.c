// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln cat */
#include "cli/commands.h"

#include <stddef.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/show-entry.h"
#include "image/source.h"

struct options {
	bool backing;
	uint64_t partition;
};

static const struct kmln_opt opts[] = {
	{"partition", 'p', KMLN_OPT_NUMBER, "N",
		"look into the filesystem of partition N, not into the root filesystem",
		offsetof(struct options, partition), NULL},
	KMLN_OPT_BACKING(struct options),
	KMLN_OPT_END,
};

static int write_piece(void *data, const char *bytes, size_t size, struct kmln_error *err)
{
	(void)data;
	if (kmln_write_all(STDOUT_FILENO, bytes, size, err) < 0)
		return kmln_wrap(err, "standard output");
	return 0;
}

static int cat(struct kmln_tree *tree, const char *path, struct kmln_error *err)
{
	KMLN_FREE char *absolute = kmln_printf("%s%s", path[0] == '/' ? "" : "/", path);
	KMLN_BUF struct kmln_buf real = {0};
	int r = kmln_tree_resolve(tree, absolute, &real, err);

	return r < 0 ? r : kmln_tree_read(tree, real.data, write_piece, NULL, err);
}

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct options *o = values;
	KMLN_SOURCE struct kmln_source source = {0};
	struct kmln_tree *tree;
	int r;

	if (o->partition > UINT32_MAX)
		return kmln_fail(err, KMLN_EUSAGE, "--partition: there is none of this number");
	kmln_out_start();
	r = kmln_source_open(argv[0], o->backing, &source, err);
	if (r == 0)
		r = kmln_source_tree(&source, (unsigned)o->partition, &tree, err);
	for (int i = 1; r == 0 && i < argc; i++)
		r = cat(tree, argv[i], err);
	return r < 0 ? r : kmln_source_check(&source, err);
}

const struct kmln_command kmln_command_cat = {
	.name = "cat",
	.args = "IMAGE PATH...",
	.summary = "Write files of a guest to standard output",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.min_args = 2,
	.max_args = -1,
	.complete_files = true,
	.run = run,
};
