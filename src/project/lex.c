// SPDX-License-Identifier: GPL-2.0-or-later
/* Words, shell lines and bytes of the text notation. Nothing here looks beyond one line. */
#include "project/lex.h"

#include <ctype.h>
#include <string.h>

#include "base/utf8.h"

/* So many bad bytes are reported; then the file is taken for what it is. */
#define BAD_BYTES_MAX 10

void kmln_lex_start(
	struct kmln_lexer *lexer, struct kmln_report *report, const struct kmln_source *source)
{
	*lexer = (struct kmln_lexer){
		.report = report,
		.source = source,
		.at = source->text,
		.end = source->text + source->size,
		.line_start = source->text,
		.line = 1,
	};
	/* the mark that some editors put in front of UTF-8 */
	if (kmln_starts(lexer->at, "\xef\xbb\xbf"))
		lexer->at += 3;
}

struct kmln_place kmln_lex_place(const struct kmln_lexer *lexer, const char *from, size_t length)
{
	return (struct kmln_place){
		.source = lexer->source,
		.line = lexer->line,
		.column = (uint32_t)(from - lexer->line_start) + 1,
		.length = (uint32_t)length,
	};
}

/* One byte or character that may be wrong; its length. */
static size_t check_byte(struct kmln_lexer *lexer, unsigned *bad)
{
	unsigned char c = (unsigned char)*lexer->at;
	size_t n = kmln_utf8_length(lexer->at);
	const char *what = NULL;

	if (c < 0x20 && c != '\t' && c != '\r')
		what = "control character";
	else if (c == 0x7f || (n > 1 && !kmln_utf8_printable(lexer->at)))
		what = "control character";
	else if (c == '\r' && lexer->at[1] != '\n')
		what = "carriage return inside a line";
	else if (!n)
		what = "byte that is no UTF-8";
	if (what && (*bad)++ < BAD_BYTES_MAX)
		kmln_report_error(lexer->report, "bad-byte", kmln_lex_place(lexer, lexer->at, 1),
			"%s: \\x%02x", what, c);
	return n ? n : 1;
}

static void check_length(struct kmln_lexer *lexer)
{
	size_t size = (size_t)(lexer->at - lexer->line_start);

	if (size > KMLN_LINE_MAX)
		kmln_report_error(lexer->report, "too-long",
			kmln_lex_place(lexer, lexer->line_start, 1),
			"a line of %zu bytes: the limit is %u", size, KMLN_LINE_MAX);
}

bool kmln_lex_check(struct kmln_report *report, const struct kmln_source *source)
{
	struct kmln_lexer lexer;
	unsigned bad = 0;

	kmln_lex_start(&lexer, report, source);
	if (memchr(source->text, '\0', source->size)) {
		kmln_report_error(report, "no-text", kmln_lex_place(&lexer, lexer.at, 0),
			"this is no text: there are NUL bytes in it");
		return false;
	}
	while (lexer.at < lexer.end) {
		if (*lexer.at == '\n') {
			check_length(&lexer);
			kmln_lex_newline(&lexer);
		} else if (*lexer.at >= 0x20 && *lexer.at < 0x7f) {
			lexer.at++;
		} else {
			lexer.at += check_byte(&lexer, &bad);
		}
	}
	check_length(&lexer);
	return bad <= BAD_BYTES_MAX;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

void kmln_lex_blanks(struct kmln_lexer *lexer)
{
	while (lexer->at < lexer->end && is_blank(*lexer->at))
		lexer->at++;
}

bool kmln_lex_line_ends(const struct kmln_lexer *lexer)
{
	return lexer->at >= lexer->end || *lexer->at == '\n';
}

void kmln_lex_newline(struct kmln_lexer *lexer)
{
	lexer->at++;
	lexer->line++;
	lexer->line_start = lexer->at;
}

size_t kmln_lex_rest(struct kmln_lexer *lexer, const char **text)
{
	const char *to = lexer->at;

	*text = lexer->at;
	while (!kmln_lex_line_ends(lexer)) {
		lexer->at++;
		if (!is_blank(lexer->at[-1]))
			to = lexer->at;
	}
	return (size_t)(to - *text);
}

/* Where a bare word ends. */
static bool is_delimiter(char c)
{
	return is_blank(c) || c == '\n' || c == ';' || c == '{' || c == '}';
}

static void quoted_word(struct kmln_lexer *lexer, struct kmln_buf *content)
{
	const char *start = lexer->at++;

	while (!kmln_lex_line_ends(lexer) && *lexer->at != '"')
		lexer->at +=
			lexer->at[0] == '\\' && lexer->at + 1 < lexer->end && lexer->at[1] != '\n'
				? 2
				: 1;
	if (kmln_lex_line_ends(lexer)) {
		const char *text;
		size_t size;

		lexer->at = start + 1;
		size = kmln_lex_rest(lexer, &text);
		kmln_buf_add(content, text, size);
		kmln_report_error(lexer->report, "open-quote", kmln_lex_place(lexer, start, 1),
			"the quote is not closed on its line");
		return;
	}
	kmln_buf_add(content, start + 1, (size_t)(lexer->at - start - 1));
	lexer->at++;
	if (lexer->at < lexer->end && !is_delimiter(*lexer->at) && *lexer->at != '#')
		kmln_report_error(lexer->report, "quote-inside",
			kmln_lex_place(lexer, lexer->at, 1),
			"a blank is missing behind the quoted word");
}

/* A backslash in a bare word. */
static void escape(struct kmln_lexer *lexer, struct kmln_buf *content)
{
	char c = lexer->at + 1 < lexer->end ? lexer->at[1] : '\n';

	if (c == '\n' || c == '\r' || isalnum((unsigned char)c)) {
		kmln_report_error(lexer->report, "bad-escape",
			kmln_lex_place(lexer, lexer->at, c == '\n' || c == '\r' ? 1 : 2),
			c == '\n' || c == '\r' ? "a backslash at the end of the line"
					       : "this backslash has no meaning: \\\\ is one");
		kmln_buf_str(content, "\\\\");
		lexer->at++;
		return;
	}
	if (c == '\\' || c == '$' || c == '"')
		kmln_buf_str(content, "\\");
	kmln_buf_add(content, &c, 1);
	lexer->at += 2;
}

static void bare_word(struct kmln_lexer *lexer, struct kmln_buf *content)
{
	while (lexer->at < lexer->end && !is_delimiter(*lexer->at)) {
		char c = *lexer->at;

		if (c == '\\') {
			escape(lexer, content);
			continue;
		}
		if (c == '"') {
			kmln_report_error(lexer->report, "quote-inside",
				kmln_lex_place(lexer, lexer->at, 1),
				"a quote inside a word: put the whole word into quotes");
			kmln_buf_str(content, "\\");
		} else if (c == '#') {
			kmln_report_error(lexer->report, "hash-inside",
				kmln_lex_place(lexer, lexer->at, 1),
				"# inside a word: a comment needs a blank before it, and a word with # "
				"quotes");
		} else if (c == '$' && lexer->at[1] == '{') {
			const char *name = lexer->at + 2;
			size_t n = kmln_variable_name(name);

			kmln_report_error(lexer->report, "bad-variable",
				kmln_lex_place(lexer, lexer->at, 2 + n + (name[n] == '}')),
				"a variable is written $name or $[name]");
			/* over it, or its brace would open a block */
			lexer->at = name + n + (name[n] == '}');
			continue;
		}
		kmln_buf_add(content, &c, 1);
		lexer->at++;
	}
}

/* Each $[ must be a variable. */
static void check_variables(struct kmln_lexer *lexer, const char *start, const char *content)
{
	for (const char *p = content; (p = strpbrk(p, "\\$")); p++) {
		size_t n;

		if (*p == '\\' && p[1]) {
			p++;
			continue;
		}
		if (p[0] != '$' || p[1] != '[')
			continue;
		n = kmln_variable_name(p + 2);
		if (!n || p[2 + n] != ']')
			kmln_report_error(lexer->report, "bad-variable",
				kmln_lex_place(lexer, start, (size_t)(lexer->at - start)),
				"$[ begins a variable, like $[name]; a dollar sign alone is \\$");
	}
}

void kmln_lex_word(struct kmln_lexer *lexer, struct kmln_buf *content, bool *quoted)
{
	const char *start = lexer->at;

	*quoted = *start == '"';
	kmln_buf_add(content, "", 0);
	if (*quoted)
		quoted_word(lexer, content);
	else
		bare_word(lexer, content);
	check_variables(lexer, start, content->data);
}

/* Behind the quote that closes the one at `p`, or behind that one alone where none does. */
static const char *over_quotes(const char *p, const char *end)
{
	const char *q = p + 1;

	while (q < end && *q != *p)
		q += *p == '"' && *q == '\\' && q + 1 < end ? 2 : 1;
	return q < end ? q + 1 : p + 1;
}

size_t kmln_lex_shell(const char *text, size_t size, unsigned *depth)
{
	const char *p = text, *end = text + size;

	while (p < end) {
		switch (*p) {
		case '\\':
			p += end - p > 1 ? 2 : 1;
			continue;
		case '\'':
		case '"':
			p = over_quotes(p, end);
			continue;
		case '#':
			if (p == text || is_blank(p[-1]))
				return size;
			break;
		case '{':
			++*depth;
			break;
		case '}':
			if (!*depth)
				return (size_t)(p - text);
			--*depth;
			break;
		}
		p++;
	}
	return size;
}

bool kmln_lex_bare(const char *content)
{
	return content[0] && content[0] != '=' && !strpbrk(content, " \t;{}#\"\\");
}
