// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln validate: all the mistakes of a project file, and nothing else. */
#include "cli/commands.h"

#include <stddef.h>
#include <stdio.h>

#include "cli/project.h"
#include "text/json.h"

struct options {
	const char *file, *format;
	bool allow_include, portable;
};

static const struct kmln_opt opts[] = {
	KMLN_OPT_PROJECT(struct options),
	{"portable", 0, KMLN_OPT_FLAG, NULL,
		"ask nothing of this host: neither for images nor for platforms",
		offsetof(struct options, portable), NULL},
	KMLN_OPT_FORMAT(struct options),
	KMLN_OPT_END,
};

static int show_json(struct kmln_loaded *loaded, struct kmln_error *err)
{
	const struct kmln_model *model = loaded->model;
	struct kmln_json *o = kmln_json_object();

	kmln_json_set(o, "file", kmln_json_text(loaded->syntax->sources[0]->name));
	kmln_json_set(o, "project", kmln_json_text(*model->project ? model->project : NULL));
	kmln_json_set(o, "valid", kmln_json_bool(!loaded->report.errors));
	kmln_json_set(o, "hosts", kmln_json_number(model->host_count));
	kmln_json_set(o, "switches", kmln_json_number(model->switch_count));
	kmln_json_set(o, "errors", kmln_json_number(loaded->report.errors));
	kmln_json_set(o, "warnings", kmln_json_number(loaded->report.warnings));
	kmln_json_set(o, "mistakes", kmln_report_json(&loaded->report));
	return kmln_json_print_free(o, stdout, err);
}

static void count(const char *lead, size_t number, const char *one, const char *many)
{
	printf("%s%zu %s", lead, number, number == 1 ? one : many);
}

static void show_text(const struct kmln_loaded *loaded)
{
	const struct kmln_model *model = loaded->model;

	printf("project %s: ", model->project);
	count("", model->host_count, "host", "hosts");
	count(", ", model->switch_count, "switch", "switches");
	if (loaded->report.warnings)
		count("; valid, with ", loaded->report.warnings, "warning\n", "warnings\n");
	else
		printf("; valid\n");
}

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct options *o = values;
	KMLN_LOADED struct kmln_loaded loaded = {0};
	int r = kmln_project_load(
		&loaded, o->file, argc ? argv[0] : NULL, o->allow_include, !o->portable, err);

	if (r < 0)
		return r;
	if (kmln_eq(o->format, "json")) {
		r = show_json(&loaded, err);
		if (r < 0)
			return r;
		r = kmln_report_result(&loaded.report, loaded.syntax->sources[0]->name, err);
		/* the mistakes have been told */
		err->text[0] = '\0';
		return r;
	}
	kmln_project_complain(&loaded.report);
	r = kmln_report_result(&loaded.report, loaded.syntax->sources[0]->name, err);
	if (r == 0 && kmln_verbosity >= 0)
		show_text(&loaded);
	return r;
}

const struct kmln_command kmln_command_validate = {
	.name = "validate",
	.args = "[FILE]",
	.summary = "Show all mistakes of a project file",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.max_args = 1,
	.complete_files = true,
	.run = run,
};
