// SPDX-License-Identifier: GPL-2.0-or-later
/* The one layout of project files. */
#include "project/print.h"

#include <string.h>

#include "project/lex.h"
#include "project/words.h"

static void indent(struct kmln_buf *out, unsigned depth)
{
	while (depth--)
		kmln_buf_str(out, "\t");
}

static void print_word(struct kmln_buf *out, const struct kmln_word *word)
{
	bool bare = word->line || (!word->quoted && kmln_lex_bare(word->text));

	kmln_buf_printf(out, bare ? "%s" : "\"%s\"", word->text);
}

static void print_words(struct kmln_buf *out, const struct kmln_node *node)
{
	for (uint32_t i = 0; i < node->count; i++) {
		if (i)
			kmln_buf_str(out, " ");
		print_word(out, &node->words[i]);
	}
}

static void print_comment(struct kmln_buf *out, const char *comment)
{
	if (comment)
		kmln_buf_printf(out, " %s", comment);
}

static void print_node(struct kmln_buf *out, const struct kmln_node *node, unsigned depth);

static void print_children(struct kmln_buf *out, const struct kmln_node *block, unsigned depth)
{
	for (const struct kmln_node *n = block->first; n; n = n->next) {
		if (n->blank_before && n != block->first)
			kmln_buf_str(out, "\n");
		print_node(out, n, depth);
	}
}

static void print_node(struct kmln_buf *out, const struct kmln_node *node, unsigned depth)
{
	indent(out, depth);
	switch (node->kind) {
	case KMLN_NODE_VARIABLE:
		kmln_buf_printf(out, "$%s =", node->words[0].text);
		for (uint32_t i = 1; i < node->count; i++) {
			kmln_buf_str(out, " ");
			print_word(out, &node->words[i]);
		}
		break;
	case KMLN_NODE_INCLUDE:
		kmln_buf_str(out, "#include ");
		print_words(out, node);
		break;
	case KMLN_NODE_COMMENT:
		kmln_buf_printf(out, "%s%s\n", node->indent ? node->indent : "", node->comment);
		return;
	case KMLN_NODE_LINE:
		kmln_buf_printf(out, "%s%s\n", node->indent ? node->indent : "",
			node->count ? node->words[0].text : "");
		return;
	case KMLN_NODE_ITEM:
		print_words(out, node);
		break;
	case KMLN_NODE_BLOCK:
		print_words(out, node);
		kmln_buf_str(out, node->count ? " {" : "{");
		if (!node->first && !node->comment) {
			kmln_buf_str(out, " }");
		} else {
			print_comment(out, node->comment);
			kmln_buf_str(out, "\n");
			print_children(out, node, depth + 1);
			indent(out, depth);
			kmln_buf_str(out, "}");
		}
		print_comment(out, node->end_comment);
		kmln_buf_str(out, "\n");
		return;
	}
	print_comment(out, node->comment);
	kmln_buf_str(out, "\n");
}

void kmln_syntax_print(struct kmln_buf *out, const struct kmln_syntax *syntax)
{
	kmln_buf_add(out, "", 0);
	print_children(out, syntax->root, 0);
}
