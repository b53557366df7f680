// SPDX-License-Identifier: GPL-2.0-or-later
/* resolved FILE: the cluster that a project file describes, as a project file. For tests. */
#include <stdio.h>

#include "project/print.h"
#include "project/read.h"
#include "project/resolve.h"

int main(int argc, char **argv)
{
	const struct kmln_read_options options = {.allow_include = true};
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_syntax *syntax = kmln_syntax_new(pool);
	struct kmln_report report = {.pool = pool};
	KMLN_BUF struct kmln_buf text = {0};
	struct kmln_error err;

	if (argc != 2 || kmln_project_read(argv[1], &options, syntax, &report, &err) < 0) {
		fprintf(stderr, "%s\n", argc == 2 ? err.text : "resolved FILE");
		return 1;
	}
	kmln_syntax_print(
		&text, kmln_model_syntax(kmln_project_resolve(pool, syntax, &report), pool));
	kmln_report_print(&report, false, stderr);
	fwrite(text.data, 1, text.size, stdout);
	return report.errors ? 3 : 0;
}
