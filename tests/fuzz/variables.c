// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Words with variables. The first byte says how the rest is read. A value written as the content of
 * a word has that value again, whatever is in it; variables that need each other end with a report.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "project/parse.h"
#include "project/resolve.h"

static const char *look(void *data, const char *name, size_t size)
{
	(void)data;
	if (size == 1 && *name == 'a')
		return "value";
	return size == 1 && *name == 'b' ? "" : NULL;
}

static const char *expand(
	struct kmln_pool *pool, const char *content, bool line, bool lenient, const char **missing)
{
	const struct kmln_word word = {.text = content, .line = line, .at = {.length = 1}};
	KMLN_BUF struct kmln_buf value = {0};
	struct kmln_place at;

	kmln_word_expand(pool, &word, lenient, look, NULL, &value, missing, &at);
	return kmln_pool_strdup(pool, value.data);
}

static void one_word(struct kmln_pool *pool, const char *content, bool line, bool lenient)
{
	KMLN_BUF struct kmln_buf back = {0};
	const char *missing, *value = expand(pool, content, line, lenient, &missing);

	kmln_word_content(&back, value, line);
	/* a shell line has no way to write a dollar sign that kmln would take for its own */
	if (line && strchr(value, '$'))
		return;
	if (!kmln_eq(expand(pool, back.data, line, false, &missing), value) || missing)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_report report = {.pool = pool};
	struct kmln_syntax *syntax;
	struct kmln_source *source;
	char *text;

	if (!size)
		return 0;
	text = fuzz_text(pool, data + 1, size - 1);
	one_word(pool, text, data[0] & 1, data[0] & 2);
	/* the same as variables of a host: a line each */
	text = kmln_pool_printf(
		pool, "global { project p\n%s }\nhost h { owner $a$[b]$c }\n", text);
	syntax = kmln_syntax_new(pool);
	source = kmln_syntax_source(syntax, "input", text, strlen(text));
	if (!source)
		return 0;
	kmln_parse(syntax, &report, source, syntax->root, NULL, NULL);
	kmln_project_resolve(pool, syntax, &report);
	return 0;
}
