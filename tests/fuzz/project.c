// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A project file as text. Whatever it is: its layout is final. If it has no mistakes of form, its
 * layout has none; if it has none at all, the resolved cluster written out has none either and
 * resolves to itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "project/parse.h"
#include "project/print.h"
#include "project/resolve.h"

/* Shows what was found, to nowhere: carets are computed, bytes made harmless. */
static void show(struct kmln_report *report)
{
	FILE *nowhere = fopen("/dev/null", "w");

	if (!nowhere)
		abort();
	kmln_report_print(report, true, nowhere);
	fclose(nowhere);
}

/* Parses the text; NULL where it has mistakes of form. */
static struct kmln_syntax *parse(struct kmln_pool *pool, const char *text, size_t size)
{
	struct kmln_report report = {.pool = pool};
	struct kmln_syntax *syntax = kmln_syntax_new(pool);
	struct kmln_source *source = kmln_syntax_source(syntax, "input", text, size);

	if (!source)
		return NULL;
	kmln_parse(syntax, &report, source, syntax->root, NULL, NULL);
	show(&report);
	return report.errors ? NULL : syntax;
}

static void must_be_equal(const struct kmln_buf *a, const struct kmln_buf *b)
{
	if (a->size != b->size || memcmp(a->data, b->data, a->size) != 0)
		abort();
}

/* The resolved cluster as text; false where there are mistakes. */
static bool resolve(struct kmln_pool *pool, struct kmln_syntax *syntax, struct kmln_buf *out)
{
	struct kmln_report report = {.pool = pool};
	const struct kmln_model *model = kmln_project_resolve(pool, syntax, &report);

	show(&report);
	if (report.errors)
		return false;
	kmln_syntax_print(out, kmln_model_syntax(model, pool));
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_BUF struct kmln_buf once = {0}, twice = {0}, flat = {0}, again = {0};
	const char *text = kmln_pool_memdup(pool, data, size);
	struct kmln_syntax *syntax = parse(pool, text, size);

	if (!syntax)
		return 0;
	kmln_syntax_print(&once, syntax);
	syntax = parse(pool, once.data, once.size);
	if (!syntax)
		abort();
	kmln_syntax_print(&twice, syntax);
	must_be_equal(&once, &twice);
	if (!resolve(pool, syntax, &flat))
		return 0;
	/* counts make much of little; the law is the same for small clusters */
	if (flat.size > 1 << 20)
		return 0;
	syntax = parse(pool, flat.data, flat.size);
	if (!syntax || !resolve(pool, syntax, &again))
		abort();
	must_be_equal(&flat, &again);
	return 0;
}
