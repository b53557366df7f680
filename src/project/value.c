// SPDX-License-Identifier: GPL-2.0-or-later
/* Words and their values: variables and escapes, both ways. Every $ is looked at alone. */
#include "project/syntax.h"

#include <ctype.h>
#include <string.h>

size_t kmln_variable_name(const char *text)
{
	size_t n = 0;

	if (isalpha((unsigned char)text[0]) || text[0] == '_')
		while (isalnum((unsigned char)text[n]) || text[n] == '_')
			n++;
	return n;
}

bool kmln_word_varies(const struct kmln_word *word)
{
	if (word->plain)
		return false;
	for (const char *p = word->text; (p = strpbrk(p, "\\$")); p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (*p == '$' && (p[1] == '[' || kmln_variable_name(p + 1)))
			return true;
	}
	return false;
}

/* What a word's value is made with. */
struct making {
	struct kmln_pool *pool;
	const struct kmln_word *word;
	bool lenient;
	kmln_look_fn look;
	void *data;
	struct kmln_buf *out;
	const char **missing;
	struct kmln_place *missing_at;
};

static void note_missing(struct making *m, const char *p, const char *name, size_t size)
{
	if (*m->missing)
		return;
	*m->missing = kmln_pool_memdup(m->pool, name, size);
	*m->missing_at = m->word->at;
	/* escapes of a bare word may have moved it; then the word itself is shown */
	if (m->word->at.length == strlen(m->word->text) + (m->word->quoted ? 2 : 0)) {
		m->missing_at->column += (uint32_t)(p - m->word->text) + (m->word->quoted ? 1 : 0);
		m->missing_at->length = (uint32_t)(name + size - p) + (name > p + 1 ? 1 : 0);
	}
}

/* A dollar sign that may begin a variable; the byte behind what it was. */
static const char *dollar(struct making *m, const char *p)
{
	bool bracket = p[1] == '[';
	const char *name = p + (bracket ? 2 : 1), *behind, *value;
	size_t n = kmln_variable_name(name);

	if (!n || (bracket && name[n] != ']')) {
		kmln_buf_add(m->out, p, 1);
		return p + 1;
	}
	behind = name + n + (bracket ? 1 : 0);
	value = m->look(m->data, name, n);
	if (value) {
		kmln_buf_str(m->out, value);
		return behind;
	}
	if (bracket || !m->lenient)
		note_missing(m, p, name, n);
	kmln_buf_add(m->out, p, (size_t)(behind - p));
	return behind;
}

/*
 * A run of backslashes in a shell line; the byte behind. MLN's \; is a semicolon, which needs no
 * backslash here; a backslash that is meant for the shell has one more. A dollar sign behind an odd
 * number is none for kmln, as it is none for the shell.
 */
static const char *line_backslashes(struct making *m, const char *p)
{
	size_t n = strspn(p, "\\");

	kmln_buf_add(m->out, p, p[n] == ';' ? n - 1 : n);
	p += n;
	if (n % 2 && *p == '$') {
		kmln_buf_add(m->out, p, 1);
		p++;
	}
	return p;
}

static const char *backslash(struct making *m, const char *p)
{
	if (m->word->line)
		return line_backslashes(m, p);
	if (p[1] == '\\' || p[1] == '$' || p[1] == '"')
		p++;
	kmln_buf_add(m->out, p, 1);
	return p + 1;
}

void kmln_word_expand(struct kmln_pool *pool, const struct kmln_word *word, bool lenient,
	kmln_look_fn look, void *data, struct kmln_buf *out, const char **missing,
	struct kmln_place *missing_at)
{
	struct making m = {
		.pool = pool,
		.word = word,
		.lenient = lenient || word->line,
		.look = look,
		.data = data,
		.out = out,
		.missing = missing,
		.missing_at = missing_at,
	};
	const char *p = word->text;

	*missing = NULL;
	kmln_buf_add(out, "", 0);
	/* what is too long is refused by the caller, and need not be made */
	while (*p && out->size <= KMLN_LINE_MAX) {
		size_t n = strcspn(p, "\\$");

		kmln_buf_add(out, p, n);
		p += n;
		if (*p == '\\')
			p = backslash(&m, p);
		else if (*p == '$')
			p = dollar(&m, p);
	}
}

void kmln_word_content(struct kmln_buf *out, const char *value, bool line)
{
	kmln_buf_add(out, "", 0);
	for (const char *p = value; *p; p++) {
		bool escaped = false;

		if (line) {
			size_t n = strspn(p, "\\");

			/* once for each run that stands before a semicolon */
			escaped = n && p[n] == ';' && (p == value || p[-1] != '\\');
		} else if (*p == '\\') {
			escaped = !p[1] || p[1] == '\\' || p[1] == '$' || p[1] == '"';
		} else if (*p == '$') {
			escaped = p[1] == '[' || kmln_variable_name(p + 1);
		} else {
			escaped = *p == '"';
		}
		if (escaped)
			kmln_buf_str(out, "\\");
		kmln_buf_add(out, p, 1);
	}
}
