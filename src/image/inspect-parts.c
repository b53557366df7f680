// SPDX-License-Identifier: GPL-2.0-or-later
/* What the readers of a guest's settings share: bounded reading, notes, lines and words. */
#include "image/inspect-parts.h"

#include <ctype.h>
#include <string.h>

#include "image/inspect.h"

#define NOTES_MAX 100

void kmln_note_fact(struct kmln_facts *facts, const char *fmt, ...)
{
	KMLN_BUF struct kmln_buf text = {0};
	va_list args;

	va_start(args, fmt);
	kmln_buf_vprintf(&text, fmt, args);
	va_end(args);
	if (facts->note_count >= NOTES_MAX)
		return;
	for (size_t i = 0; i < facts->note_count; i++)
		if (kmln_eq(facts->notes[i], text.data))
			return;
	*(const char **)kmln_pool_append(facts->pool, &facts->notes, &facts->note_count,
		sizeof(char *)) = kmln_pool_strdup(facts->pool, text.data);
}

void *kmln_list_add(
	struct kmln_facts *facts, void *array, size_t *count, size_t size, const char *what)
{
	if (*count < KMLN_LIST_MAX)
		return kmln_pool_append(facts->pool, array, count, size);
	kmln_note_fact(facts, "more than %d %s: the rest is not listed", KMLN_LIST_MAX, what);
	return NULL;
}

/* ---- reading ---- */

static bool spend(struct kmln_look *look, size_t bytes)
{
	if (bytes > look->left) {
		kmln_note_fact(look->facts, "more than %u MiB of settings: the rest was not read",
			KMLN_LOOK_MAX >> 20);
		look->left = 0;
		return false;
	}
	look->left -= bytes;
	return true;
}

bool kmln_look_text(struct kmln_look *look, const char *path, struct kmln_buf *text)
{
	struct kmln_error ignored;
	size_t before = text->size;
	int r;

	/* that it was looked for costs something too */
	if (!spend(look, 64))
		return false;
	r = kmln_tree_load(look->tree, path, KMLN_LOOK_FILE_MAX, text, &ignored);
	if (r == -EFBIG)
		kmln_note_fact(look->facts, "%s is longer than %u kiB: not read", path,
			KMLN_LOOK_FILE_MAX >> 10);
	if (!spend(look, text->size - before) || r < 0)
		return false;
	/* a NUL would end the text for its parser: no text at all */
	return !memchr(text->data + before, 0, text->size - before);
}

void kmln_look_names(struct kmln_look *look, const char *folder, struct kmln_strv *names)
{
	struct kmln_error err;
	size_t bytes = 64;
	int r = look->left ? kmln_tree_names(look->tree, folder, names, &err) : 0;

	if (r == -KMLN_EINVALID)
		kmln_note_fact(look->facts, "%s", err.text);
	for (size_t i = 0; i < names->count; i++)
		bytes += strlen(names->items[i]) + 16;
	if (!spend(look, bytes) || r < 0) {
		kmln_strv_fini(names);
		*names = (struct kmln_strv){0};
	}
}

uint32_t kmln_look_type(struct kmln_look *look, const char *path)
{
	KMLN_BUF struct kmln_buf real = {0};
	struct kmln_error ignored;
	struct kmln_stat st;

	return kmln_tree_resolve(look->tree, path, &real, &ignored) == 0 &&
			       kmln_tree_stat(look->tree, real.data, &st, &ignored) == 0
		       ? st.mode & S_IFMT
		       : 0;
}

bool kmln_look_parse(struct kmln_look *look, const char *path, kmln_parse_fn parse)
{
	KMLN_BUF struct kmln_buf text = {0};

	if (!kmln_look_text(look, path, &text))
		return false;
	parse(look->facts, path, text.data);
	return true;
}

void kmln_look_folder(
	struct kmln_look *look, const char *folder, const char *suffix, kmln_parse_fn parse)
{
	KMLN_STRV struct kmln_strv names = {0};

	kmln_look_names(look, folder, &names);
	for (size_t i = 0; i < names.count && look->left; i++) {
		KMLN_FREE char *path = kmln_printf("%s/%s", folder, names.items[i]);

		if (kmln_ends(names.items[i], suffix))
			kmln_look_parse(look, path, parse);
	}
}

/* ---- words and lines ---- */

char *kmln_next_word(char **text)
{
	char *word;

	do
		word = strsep(text, " \t\r\n");
	while (word && !*word);
	return word;
}

char *kmln_trim(char *text)
{
	size_t n;

	if (!text)
		return NULL;
	while (isspace((unsigned char)*text))
		text++;
	n = strlen(text);
	while (n && isspace((unsigned char)text[n - 1]))
		text[--n] = '\0';
	return text;
}

char *kmln_unquote(char *text)
{
	size_t n;

	text = kmln_trim(text);
	n = text ? strlen(text) : 0;
	if (n >= 2 && (text[0] == '"' || text[0] == '\'') && text[n - 1] == text[0]) {
		text[n - 1] = '\0';
		text++;
	}
	return text;
}

const char *kmln_word_value(struct kmln_pool *pool, const char *words, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = words; p && *p;) {
		size_t length;

		p += strspn(p, " \t\r\n\"'");
		length = strcspn(p, " \t\r\n\"'");
		if (length > n && strncmp(p, key, n) == 0 && p[n] == '=')
			return kmln_pool_memdup(pool, p + n + 1, length - n - 1);
		p += length;
	}
	return NULL;
}

const char *kmln_mac(struct kmln_pool *pool, const char *text)
{
	char *mac;

	if (!text || strlen(text) != 17)
		return NULL;
	mac = kmln_pool_strdup(pool, text);
	for (int i = 0; i < 17; i++) {
		if (i % 3 == 2 && (mac[i] == '-' || mac[i] == ':'))
			mac[i] = ':';
		else if (i % 3 == 2 || !isxdigit((unsigned char)mac[i]))
			return NULL;
		else
			mac[i] = (char)tolower((unsigned char)mac[i]);
	}
	return mac;
}

void kmln_ini(const char *text, kmln_ini_fn fn, void *data)
{
	KMLN_FREE char *copy = kmln_strdup(text);
	const char *section = "";
	char *rest = copy, *line;

	while (kmln_next_line(&rest, &line)) {
		char *key, *value;

		line = kmln_trim(line);
		if (*line == '#' || *line == ';')
			continue;
		if (*line == '[' && kmln_ends(line, "]")) {
			line[strlen(line) - 1] = '\0';
			section = line + 1;
			fn(data, section, NULL, NULL);
			continue;
		}
		value = line;
		key = strsep(&value, "=");
		if (value)
			fn(data, section, kmln_trim(key), kmln_unquote(value));
	}
}
