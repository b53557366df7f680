// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln _words: the vocabulary of project files as the page docs/words.md, from the one table of it.
 */
#include "project/words.h"

#include <stdio.h>

#include "cli/commands.h"

static void print_columns(const struct kmln_keyword *k)
{
	for (const struct kmln_column *c = k->columns; c && c->name; c++) {
		const char *open = c->optional ? "[" : "", *close = c->optional ? "]" : "";

		if (c->type != KMLN_TYPE_CHOICE) {
			printf(" %s_%s_%s%s", open, c->name, c->rest ? "..." : "", close);
			continue;
		}
		printf(" %s", open);
		for (const char *const *choice = c->choices; *choice; choice++)
			printf("%s`%s`", choice == c->choices ? "" : " / ", *choice);
		printf("%s", close);
	}
}

/* How it is written. */
static void print_form(const struct kmln_keyword *k)
{
	printf("| `%s`", k->name);
	if (k->named)
		printf(" _name_");
	if (k->shape == KMLN_SHAPE_ROWS)
		printf(" {");
	if (k->shape == KMLN_SHAPE_VALUE || k->shape == KMLN_SHAPE_ROWS)
		print_columns(k);
	if (k->shape == KMLN_SHAPE_ROWS)
		printf(" }");
	if (k->shape == KMLN_SHAPE_LINES)
		printf(" { _shell lines_ }");
	if (k->shape == KMLN_SHAPE_BLOCK)
		printf(" { }");
	if (k->repeated)
		printf(" *");
}

static void print_meaning(const struct kmln_keyword *k)
{
	const struct kmln_column *c = k->columns;

	printf(" | %s", k->help);
	if (k->shape == KMLN_SHAPE_VALUE && c && c->type == KMLN_TYPE_NUMBER && c->most)
		printf(" From %llu to %llu.", (unsigned long long)c->least,
			(unsigned long long)c->most);
	if (k->standing == KMLN_STANDING_IDLE)
		printf(" *No effect: %s.*", k->why);
	printf(" | %s%s%s |\n", k->fallback ? "`" : "", k->fallback ? k->fallback : "",
		k->fallback ? "`" : "");
}

static void print_block(enum kmln_block block, const char *title)
{
	printf("\n## %s\n\n| word | meaning | default |\n|---|---|---|\n", title);
	for (const struct kmln_keyword *k = NULL; (k = kmln_keyword_next(k));) {
		if (!(k->in & (1u << block)) || k->standing == KMLN_STANDING_REFUSED)
			continue;
		print_form(k);
		print_meaning(k);
	}
}

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const char *last = "";

	(void)values;
	(void)argc;
	(void)argv;
	(void)err;
	printf("# The words of project files\n\n"
	       "Made by `kmln _words` from the table in `src/project/words-*.c`. A word with * may "
	       "stand several times in a block.\n"
	       "[mln.md](mln.md) says how they work together.\n");
	print_block(KMLN_BLOCK_FILE, "The file");
	print_block(KMLN_BLOCK_GLOBAL, "In `global`");
	print_block(KMLN_BLOCK_SWITCH, "In a switch");
	print_block(KMLN_BLOCK_HOST, "In a host; but for `count` also in a superclass");
	print_block(KMLN_BLOCK_NETWORK, "In a network interface");
	print_block(KMLN_BLOCK_AUTOENUM, "In `autoenum`");
	printf("\n## Not supported\n\n| word | instead |\n|---|---|\n");
	for (const struct kmln_keyword *k = NULL; (k = kmln_keyword_next(k));)
		if (k->standing == KMLN_STANDING_REFUSED && !kmln_eq(k->name, last)) {
			printf("| `%s` | %s |\n", k->name, k->why);
			last = k->name;
		}
	return 0;
}

const struct kmln_command kmln_command_words = {
	.name = "_words",
	.args = "",
	.summary = "Show the words of project files",
	.hidden = true,
	.raw = true,
	.run = run,
};
