/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A project file as it was written: a tree of blocks and items with their words, comments, and the
 * exact place of each. Nothing is lost but layout, so that the tree can be printed again.
 *
 * Two readers make it, of text (parse.h) and of XML; two writers print it, as text (print.h) and as
 * XML. What it means is no concern of this tree: resolve.h makes the cluster out of it, with the
 * same mistakes at the same places whichever reader made it. All of it lives in one pool.
 *
 *     host web {                      a block, words "host" "web"
 *         memory 256M                 an item, words "memory" "256M"
 *         $port = 8080                a variable, words "port" "8080"
 *         startup {                   a block of shell lines
 *             serve --port $port      a line, one word
 *         }
 *     }
 *     #include common.kmln            an include, word "common.kmln"; children: what it holds
 */
#ifndef KMLN_PROJECT_SYNTAX_H
#define KMLN_PROJECT_SYNTAX_H

#include "base/mem.h"

struct kmln_keyword;

/* Limits of what is read, all files of a project together; beyond them reading stops with an error.
 */
#define KMLN_SOURCE_MAX (16u << 20) /* bytes */
#define KMLN_LINE_MAX 65536u /* bytes of one line, and of one word after variables */
#define KMLN_NESTING_MAX 16u /* blocks in blocks; the language itself needs 5 */
#define KMLN_NODES_MAX 1000000u
#define KMLN_WORDS_MAX 2000000u
#define KMLN_INCLUDES_MAX 256u

/* One file. `text` is what was read, whole, with a NUL behind it, for the lines above a caret. */
struct kmln_source {
	const char *name; /* as people know it: the path that was given, or "<stdin>" */
	const char *text;
	size_t size;
	unsigned number; /* in the order of reading, 0 first: mistakes are sorted by it */
};

/* A stretch of one line. Lines and columns count from 1, columns in bytes; line 0: no place. */
struct kmln_place {
	const struct kmln_source *source;
	uint32_t line, column, length;
};

/*
 * One word. `text` is its content: as between double quotes, whether it stood in quotes or not.
 * There "$name" and "$[name]" are variables, "\$" and "\\" and "\"" stand for the character, and
 * any other backslash is itself. `plain`: no dollar and no backslash in it, so that the content is
 * the value.
 *
 * The word of a line (KMLN_NODE_LINE) is a line for a shell, without the blanks around it, in which
 * backslashes are data: see kmln_word_expand().
 */
struct kmln_word {
	const char *text;
	struct kmln_place at; /* with its quotes */
	bool plain, quoted, line;
	bool reported; /* a mistake in it has been told; it is told once, not for each host */
};

enum kmln_node_kind {
	KMLN_NODE_BLOCK, /* words, then { children }; the root is a block without words */
	KMLN_NODE_ITEM, /* words */
	KMLN_NODE_VARIABLE, /* $name = value: words name and value */
	KMLN_NODE_LINE, /* a shell line: one word */
	KMLN_NODE_INCLUDE, /* one word, the path as written; children: the items of that file */
	KMLN_NODE_COMMENT, /* a comment on lines of its own; `comment` */
};

struct kmln_node {
	enum kmln_node_kind kind;
	bool blank_before; /* an empty line stood before it */
	bool broken; /* a mistake in it has been reported: what it lacks is no news */
	bool has_variables; /* of a block: there are variables among its items */
	unsigned char opens; /* enum kmln_block of words.h: what the children of a block are */
	const struct kmln_keyword *keyword; /* of words.h; NULL where it is not known (shape.h) */
	uint32_t count; /* words */
	struct kmln_word *words;
	/* The comment behind it on its line, or behind the { of a block; or the comment itself.
	 * From '#' on; NULL: none. */
	const char *comment;
	const char *end_comment; /* of a block: behind its } */
	const char
		*indent; /* a shell line: blanks beyond the least indented of its block, or NULL */
	struct kmln_place end; /* of a block: its } */
	struct kmln_node *parent, *next, *first, *last; /* siblings and children in file order */
};

struct kmln_syntax {
	struct kmln_pool *pool; /* borrowed: owns everything here */
	struct kmln_source **sources;
	size_t source_count;
	struct kmln_node *root; /* never NULL */
	size_t nodes, words, bytes; /* how much there is, held against the limits above */
	bool unlimited; /* made of a model, not read: no limit holds */
	bool full; /* a limit was met (and reported); readers stop */
};

/* An empty tree with its root. */
struct kmln_syntax *kmln_syntax_new(struct kmln_pool *pool);
/*
 * Takes a file's text, which must live as long as the tree and end in a NUL; the name is copied.
 * NULL, with `full` set, where the bytes go over KMLN_SOURCE_MAX.
 */
struct kmln_source *kmln_syntax_source(
	struct kmln_syntax *syntax, const char *name, const char *text, size_t size);
/* Appends a node to a block or include; NULL, with `full` set, where there are too many. */
struct kmln_node *kmln_syntax_node(
	struct kmln_syntax *syntax, struct kmln_node *parent, enum kmln_node_kind kind);
/*
 * Appends a word to the node; `text` is its content, copied, and `plain` is found out. NULL, with
 * `full` set, where there are too many. The words of a node may move.
 */
struct kmln_word *kmln_syntax_word(struct kmln_syntax *syntax, struct kmln_node *node,
	const char *text, size_t size, struct kmln_place at);

/* The place of a node: its first word; of one without words, its `end`. */
struct kmln_place kmln_node_place(const struct kmln_node *node);
/* The text of word `i`, or NULL where it has less. */
const char *kmln_node_text(const struct kmln_node *node, size_t i);
/* From one node to the next in reading order, into includes but not into blocks; NULL at the end.
 * kmln_node_first(block), then kmln_node_after(block, node): all items of a block wherever they
 * were written. Comments and includes themselves are passed over. */
struct kmln_node *kmln_node_first(const struct kmln_node *block);
struct kmln_node *kmln_node_after(const struct kmln_node *block, const struct kmln_node *node);

/* Whether its value depends on variables. In a lenient word or a line any $name may. */
bool kmln_word_varies(const struct kmln_word *word);

/*
 * The value of a word: variables replaced, escapes undone. `look` gives the value of a variable, or
 * NULL where there is none. Appends to `out`; what is longer than KMLN_LINE_MAX may be cut.
 * `*missing` becomes the name of the first variable that has no value, from the pool, else NULL;
 * `*missing_at` where it stands.
 *
 * In a shell line a bare $name that is no variable stays as it is, and so do ${name}, $1, \$name
 * and everything else of the shell's; $[name] is always kmln's. `lenient` gives an ordinary word
 * the same leave: for passwords, hashes and patterns.
 */
typedef const char *(*kmln_look_fn)(void *data, const char *name, size_t size);
void kmln_word_expand(struct kmln_pool *pool, const struct kmln_word *word, bool lenient,
	kmln_look_fn look, void *data, struct kmln_buf *out, const char **missing,
	struct kmln_place *missing_at);

/* A value as the content of a word (with \$ and \\ where needed), the other way round. */
void kmln_word_content(struct kmln_buf *out, const char *value, bool line);

/* The number of bytes that a variable's name has at `text`: a letter or _, then those and digits; 0
 * where no name begins. */
size_t kmln_variable_name(const char *text);

#endif
