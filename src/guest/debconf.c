// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * As debconf's own parser does it: field names in small letters, sorted; the folded lines of a
 * field become "extended_FIELD", joined to paragraphs; a newline is written as \n.
 */
#include "guest/debconf.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct field {
	char *name, *value;
};

struct record {
	struct kmln_pool *pool;
	struct field *fields;
	size_t count;
	char *name; /* of the template */
};

static void trim(char *text)
{
	size_t length = strlen(text);

	while (length && isspace((unsigned char)text[length - 1]))
		text[--length] = '\0';
}

static char *lower(struct kmln_pool *pool, const char *prefix, const char *text)
{
	char *copy = kmln_pool_printf(pool, "%s%s", prefix, text);

	for (char *c = copy; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return copy;
}

static void add(struct record *record, char *name, const char *value)
{
	*(struct field *)kmln_pool_append(record->pool, &record->fields, &record->count,
		sizeof(struct field)) = (struct field){name, kmln_pool_strdup(record->pool, value)};
}

/* Ends the field that is being read. */
static void save(
	struct record *record, const char *name, const char *value, struct kmln_buf *extended)
{
	size_t length = extended->size;

	while (length && extended->data[length - 1] == '\n')
		extended->data[--length] = '\0';
	if (name && strcasecmp(name, "template") == 0) {
		record->name = kmln_pool_strdup(record->pool, value);
	} else if (name) {
		add(record, lower(record->pool, "", name), value);
		if (length)
			add(record, lower(record->pool, "extended_", name), extended->data);
	}
	extended->size = 0;
}

/* True where another word must be set apart from what is there. */
static bool open_end(const struct kmln_buf *text)
{
	return text->size && text->data[text->size - 1] != '\n' &&
	       text->data[text->size - 1] != ' ';
}

static void add_folded(struct kmln_buf *extended, char *line)
{
	trim(line);
	if (strcmp(line, ".") == 0) {
		kmln_buf_str(extended, "\n\n");
	} else if (isspace((unsigned char)*line)) {
		kmln_buf_printf(extended, "%s%s\n", open_end(extended) ? "\n" : "", line);
	} else {
		kmln_buf_printf(extended, "%s%s", open_end(extended) ? " " : "", line);
	}
}

static void parse(struct record *record, char *text)
{
	KMLN_BUF struct kmln_buf extended = {0};
	char *name = NULL, *value = NULL;

	for (char *line; (line = strsep(&text, "\n"));) {
		if (isspace((unsigned char)*line)) {
			add_folded(&extended, line + 1);
			continue;
		}
		if (!strchr(line, ':'))
			continue;
		save(record, name, value, &extended);
		value = line;
		name = strsep(&value, ":");
		value += isspace((unsigned char)*value) != 0;
		trim(value);
	}
	save(record, name, value, &extended);
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct field *)a)->name, ((const struct field *)b)->name);
}

static void write_template(const struct record *record, struct kmln_buf *out)
{
	kmln_buf_printf(out, "Name: %s\n", record->name);
	for (size_t i = 0; i < record->count; i++) {
		const struct field *f = &record->fields[i];

		kmln_buf_printf(out, "%c%s: ", toupper((unsigned char)*f->name), f->name + 1);
		for (const char *c = f->value; *c; c++)
			kmln_buf_add(out, *c == '\n' ? "\\n" : c, *c == '\n' ? 2 : 1);
		kmln_buf_str(out, "\n");
	}
	/* a template is owned by the question of its name */
	kmln_buf_printf(out, "Owners: %s\n\n", record->name);
}

void kmln_debconf_records(
	const char *text, const char *owner, struct kmln_buf *questions, struct kmln_buf *templates)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	char *rest = kmln_pool_strdup(pool, text);

	while (rest) {
		struct record record = {.pool = pool};
		char *next = strstr(rest, "\n\n");

		if (next)
			*next++ = '\0';
		parse(&record, rest);
		rest = next;
		if (!record.name)
			continue;
		if (record.count)
			qsort(record.fields, record.count, sizeof(struct field), compare);
		write_template(&record, templates);
		kmln_buf_printf(questions, "Name: %s\nTemplate: %s\nOwners: %s\n\n", record.name,
			record.name, owner);
	}
}
