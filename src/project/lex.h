/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lowest level of the text notation: where words end, where a shell line ends, which bytes may
 * stand in a file at all. A reader is a place in one source; mistakes go to its report.
 */
#ifndef KMLN_PROJECT_LEX_H
#define KMLN_PROJECT_LEX_H

#include "project/report.h"
#include "project/syntax.h"

struct kmln_lexer {
	struct kmln_report *report;
	const struct kmln_source *source;
	const char *at, *end; /* what is next, and the NUL behind the source */
	const char *line_start;
	uint32_t line;
};

void kmln_lex_start(
	struct kmln_lexer *lexer, struct kmln_report *report, const struct kmln_source *source);
/*
 * Reports bytes that no project file holds (control characters, what is no UTF-8) and lines that
 * are too long. False: it is no text at all, and not worth reading.
 */
bool kmln_lex_check(struct kmln_report *report, const struct kmln_source *source);

/* The place of `length` bytes from `from`, which is on the current line. */
struct kmln_place kmln_lex_place(const struct kmln_lexer *lexer, const char *from, size_t length);
/* Blanks of one line: space, tab, and the CR of a line end. */
void kmln_lex_blanks(struct kmln_lexer *lexer);
/* True at the end of the line or of the source. */
bool kmln_lex_line_ends(const struct kmln_lexer *lexer);
/* Steps over a newline. */
void kmln_lex_newline(struct kmln_lexer *lexer);
/* What is left of the line without blanks at its end; the reader stands behind it. */
size_t kmln_lex_rest(struct kmln_lexer *lexer, const char **text);

/*
 * One ordinary word, bare or in quotes; the reader stands at its first byte, which is no blank and
 * none of ; { } #. Its content is appended to `content`. *quoted is set.
 */
void kmln_lex_word(struct kmln_lexer *lexer, struct kmln_buf *content, bool *quoted);

/*
 * How far a shell line goes: to the end of `text`, or to the } that closes its block. *depth counts
 * braces open so far, from line to line. Braces in quotes that close on the line, behind a
 * backslash and in comments do not count.
 */
size_t kmln_lex_shell(const char *text, size_t size, unsigned *depth);

/* Whether a word can stand without quotes. */
bool kmln_lex_bare(const char *content);

#endif
