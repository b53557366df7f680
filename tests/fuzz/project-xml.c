// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A project file as XML. Whatever it is: if it has no mistakes, its layout as XML is final, and it
 * can be written as text and read again, which gives the same document and the same cluster.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "project/graph.h"
#include "project/print.h"
#include "project/resolve.h"
#include "project/xml.h"

typedef void (*parse_fn)(struct kmln_syntax *syntax, struct kmln_report *report,
	const struct kmln_source *source, struct kmln_node *parent, kmln_include_fn include,
	void *data);

/* The tree of an input, resolved; NULL where it has mistakes. */
static struct kmln_model *read_model(
	struct kmln_pool *pool, const char *text, size_t size, parse_fn parse)
{
	struct kmln_report report = {.pool = pool};
	struct kmln_syntax *syntax = kmln_syntax_new(pool);
	struct kmln_source *source = kmln_syntax_source(syntax, "input", text, size);
	struct kmln_model *model;
	FILE *nowhere = fopen("/dev/null", "w");

	if (!source || !nowhere)
		abort();
	parse(syntax, &report, source, syntax->root, NULL, NULL);
	model = kmln_project_resolve(pool, syntax, &report);
	kmln_report_print(&report, true, nowhere);
	fclose(nowhere);
	return report.errors ? NULL : model;
}

static void print_xml(struct kmln_buf *out, const struct kmln_syntax *syntax)
{
	struct kmln_error err;

	if (kmln_xml_print(out, syntax, &err) < 0)
		abort();
}

static void must_be_equal(const struct kmln_buf *a, const struct kmln_buf *b)
{
	if (a->size != b->size || memcmp(a->data, b->data, a->size) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_BUF struct kmln_buf xml = {0}, text = {0}, again = {0}, flat = {0}, other = {0};
	const char *input = kmln_pool_memdup(pool, data, size);
	struct kmln_model *model = read_model(pool, input, size, kmln_xml_parse);

	/* counts make much of little; the law is the same for small clusters */
	if (!model || model->host_count > 200)
		return 0;
	print_xml(&xml, model->syntax);
	kmln_syntax_print(&text, model->syntax);
	kmln_syntax_print(&flat, kmln_model_syntax(model, pool));
	kmln_graph_svg(&other, model);
	model = read_model(pool, xml.data, xml.size, kmln_xml_parse);
	if (!model)
		abort();
	print_xml(&again, model->syntax);
	must_be_equal(&xml, &again);
	model = read_model(pool, text.data, text.size, kmln_parse);
	if (!model)
		abort();
	again.size = other.size = 0;
	print_xml(&again, model->syntax);
	must_be_equal(&xml, &again);
	kmln_syntax_print(&other, kmln_model_syntax(model, pool));
	must_be_equal(&flat, &other);
	return 0;
}
