// SPDX-License-Identifier: GPL-2.0-or-later
/* Mistakes: kept, sorted, shown with their line and a caret. */
#include "project/report.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/nearest.h"
#include "base/utf8.h"
#include "text/json.h"

/* Of a source line so much is shown. */
#define SHOWN 160

KMLN_PRINTF(5, 0)
static struct kmln_mistake *add(struct kmln_report *report, bool warning, const char *code,
	struct kmln_place at, const char *fmt, va_list args)
{
	KMLN_BUF struct kmln_buf text = {0};
	struct kmln_mistake *m;

	report->errors += !warning;
	report->warnings += warning;
	if (report->count >= KMLN_MISTAKES_MAX)
		return NULL;
	kmln_buf_vprintf(&text, fmt, args);
	m = kmln_pool_append(report->pool, &report->items, &report->count, sizeof(*m));
	m->warning = warning;
	m->code = code;
	m->at = at;
	m->text = kmln_pool_strdup(report->pool, text.data);
	m->number = report->count;
	return m;
}

bool kmln_report_keeps(const struct kmln_report *report)
{
	return report->count < KMLN_MISTAKES_MAX;
}

/* The mistake that notes go to; NULL where the last one was not kept. */
static struct kmln_mistake *last(struct kmln_report *report)
{
	if (!report->count || report->errors + report->warnings > report->count)
		return NULL;
	return &report->items[report->count - 1];
}

void kmln_report_error(
	struct kmln_report *report, const char *code, struct kmln_place at, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add(report, false, code, at, fmt, args);
	va_end(args);
}

void kmln_report_warning(
	struct kmln_report *report, const char *code, struct kmln_place at, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add(report, true, code, at, fmt, args);
	va_end(args);
}

void kmln_report_note(struct kmln_report *report, struct kmln_place at, const char *fmt, ...)
{
	struct kmln_mistake *m = last(report);
	KMLN_BUF struct kmln_buf text = {0};
	struct kmln_note *note;
	va_list args;

	if (!m)
		return;
	va_start(args, fmt);
	kmln_buf_vprintf(&text, fmt, args);
	va_end(args);
	note = kmln_pool_append(report->pool, &m->notes, &m->note_count, sizeof(*note));
	note->at = at;
	note->text = kmln_pool_strdup(report->pool, text.data);
}

void kmln_report_suggest(struct kmln_report *report, const char *word)
{
	struct kmln_mistake *m = last(report);

	if (m && word)
		m->suggestion = kmln_pool_strdup(report->pool, word);
}

void kmln_nearest_offer(struct kmln_nearest *nearest, const char *name)
{
	size_t distance =
		strcasecmp(nearest->word, name) == 0 ? 0 : kmln_distance(nearest->word, name);

	if (distance == SIZE_MAX || (nearest->name && distance >= nearest->distance))
		return;
	nearest->name = name;
	nearest->distance = distance;
}

static unsigned source_number(const struct kmln_place *at)
{
	return at->source ? at->source->number : UINT32_MAX;
}

static int compare(const void *left, const void *right)
{
	const struct kmln_mistake *a = left, *b = right;
	unsigned an = source_number(&a->at), bn = source_number(&b->at);

	if (an != bn)
		return an < bn ? -1 : 1;
	if (a->at.line != b->at.line)
		return a->at.line < b->at.line ? -1 : 1;
	if (a->at.column != b->at.column)
		return a->at.column < b->at.column ? -1 : 1;
	return a->number < b->number ? -1 : 1;
}

void kmln_report_sort(struct kmln_report *report)
{
	if (report->count)
		qsort(report->items, report->count, sizeof(*report->items), compare);
}

/* The line of a place, without its newline; NULL where there is none. */
static const char *line_of(struct kmln_report *report, const struct kmln_place *at, size_t *size)
{
	const char *p, *end, *newline;
	uint32_t line = 1;

	if (!at->line || !at->source)
		return NULL;
	p = at->source->text;
	end = p + at->source->size;
	if (report->seen == at->source && report->seen_number <= at->line) {
		p = report->seen_line;
		line = report->seen_number;
	}
	while (line < at->line && (p = memchr(p, '\n', (size_t)(end - p)))) {
		p++;
		line++;
	}
	if (!p)
		return NULL;
	report->seen = at->source;
	report->seen_line = p;
	report->seen_number = line;
	newline = memchr(p, '\n', (size_t)(end - p));
	*size = (size_t)((newline ? newline : end) - p);
	if (*size && p[*size - 1] == '\r')
		--*size;
	return p;
}

/* What steers no terminal; a tab stays if wished. */
static void print_harmless(FILE *to, const char *text, size_t size, bool tabs)
{
	while (size) {
		size_t n = kmln_utf8_printable(text);

		if (n > size)
			n = 0;
		if (n || (tabs && *text == '\t'))
			fwrite(text, 1, n ? n : 1, to);
		else
			fprintf(to, "\\x%02x", (unsigned char)*text);
		n = n ? n : 1;
		text += n;
		size -= n;
	}
}

/* How many columns of a terminal the bytes take as print_harmless() writes them; a tab is one. */
static size_t columns(const char *text, size_t size)
{
	size_t count = 0;

	while (size) {
		size_t n = kmln_utf8_printable(text);

		if (n > size)
			n = 0;
		count += n || *text == '\t' ? 1 : 4;
		n = n ? n : 1;
		text += n;
		size -= n;
	}
	return count;
}

struct painter {
	struct kmln_report *report;
	FILE *to;
	bool color;
};

static void paint(const struct painter *painter, const char *code)
{
	if (painter->color)
		fprintf(painter->to, "\033[%sm", code);
}

/* The line with its number, and the caret below the place. */
static void print_line(const struct painter *painter, const struct kmln_place *at)
{
	size_t size, start = at->column ? at->column - 1 : 0, from = 0, mark;
	const char *line = line_of(painter->report, at, &size);

	if (!line || start > size)
		return;
	/* of a long line that part where the mistake is */
	if (start > SHOWN - 40) {
		from = start - (SHOWN - 40);
		while (from < start && ((unsigned char)line[from] & 0xc0) == 0x80)
			from++;
	}
	line += from;
	size -= from;
	start -= from;
	if (size > SHOWN)
		size = SHOWN;
	while (size && size == SHOWN && ((unsigned char)line[size] & 0xc0) == 0x80)
		size--;
	fprintf(painter->to, "%7u | ", at->line);
	print_harmless(painter->to, line, size, true);
	fprintf(painter->to, "\n        | ");
	for (size_t i = 0; i < start;) {
		size_t n = kmln_utf8_length(line + i);

		n = n ? n : 1;
		fprintf(painter->to, "%*s", (int)columns(line + i, n), line[i] == '\t' ? "\t" : "");
		i += n;
	}
	mark = at->length;
	if (mark > size - start)
		mark = size - start;
	mark = mark ? columns(line + start, mark) : 1;
	paint(painter, "1;32");
	fputc('^', painter->to);
	while (--mark)
		fputc('~', painter->to);
	paint(painter, "0");
	fputc('\n', painter->to);
}

static void print_head(const struct painter *painter, const struct kmln_place *at)
{
	paint(painter, "1");
	if (at->source) {
		print_harmless(painter->to, at->source->name, strlen(at->source->name), false);
		if (at->line)
			fprintf(painter->to, ":%u:%u", at->line, at->column);
	} else {
		fputs("kmln", painter->to);
	}
	fputs(": ", painter->to);
	paint(painter, "0");
}

static void print_text(
	const struct painter *painter, const char *kind, const char *color, const char *text)
{
	paint(painter, color);
	fprintf(painter->to, "%s: ", kind);
	paint(painter, "0");
	print_harmless(painter->to, text, strlen(text), false);
	fputc('\n', painter->to);
}

static void print_mistake(const struct painter *painter, const struct kmln_mistake *m)
{
	print_head(painter, &m->at);
	print_text(
		painter, m->warning ? "warning" : "error", m->warning ? "1;35" : "1;31", m->text);
	print_line(painter, &m->at);
	if (m->suggestion) {
		KMLN_FREE char *text = kmln_printf("did you mean `%s`?", m->suggestion);

		print_head(painter, &m->at);
		print_text(painter, "note", "1;36", text);
	}
	for (size_t i = 0; i < m->note_count; i++) {
		const struct kmln_place *at = m->notes[i].at.line ? &m->notes[i].at : &m->at;

		print_head(painter, at);
		print_text(painter, "note", "1;36", m->notes[i].text);
		if (m->notes[i].at.line)
			print_line(painter, at);
	}
}

void kmln_report_print(struct kmln_report *report, bool color, FILE *to)
{
	const struct painter painter = {report, to, color};
	size_t found = report->errors + report->warnings;

	kmln_report_sort(report);
	for (size_t i = 0; i < report->count; i++)
		print_mistake(&painter, &report->items[i]);
	if (found > report->count)
		fprintf(to, "kmln: error: %zu more mistakes are not shown\n",
			found - report->count);
}

static void json_place(struct kmln_json *o, const struct kmln_place *at)
{
	if (!at->source)
		return;
	kmln_json_set(o, "file", kmln_json_text(at->source->name));
	if (!at->line)
		return;
	kmln_json_set(o, "line", kmln_json_number(at->line));
	kmln_json_set(o, "column", kmln_json_number(at->column));
	kmln_json_set(o, "length", kmln_json_number(at->length));
}

static struct kmln_json *json_mistake(struct kmln_report *report, const struct kmln_mistake *m)
{
	struct kmln_json *o = kmln_json_object(), *notes;
	size_t size;
	const char *line = line_of(report, &m->at, &size);

	kmln_json_set(o, "severity", kmln_json_text(m->warning ? "warning" : "error"));
	kmln_json_set(o, "code", kmln_json_text(m->code));
	json_place(o, &m->at);
	kmln_json_set(o, "message", kmln_json_text(m->text));
	if (line) {
		KMLN_BUF struct kmln_buf text = {0};

		kmln_buf_add(&text, line, size < KMLN_LINE_MAX ? size : KMLN_LINE_MAX);
		kmln_json_set(o, "source", kmln_json_text(text.data));
	}
	if (m->suggestion)
		kmln_json_set(o, "suggestion", kmln_json_text(m->suggestion));
	if (!m->note_count)
		return o;
	notes = kmln_json_set(o, "notes", kmln_json_array());
	for (size_t i = 0; i < m->note_count; i++) {
		struct kmln_json *note = kmln_json_add(notes, kmln_json_object());

		json_place(note, &m->notes[i].at);
		kmln_json_set(note, "message", kmln_json_text(m->notes[i].text));
	}
	return o;
}

struct kmln_json *kmln_report_json(struct kmln_report *report)
{
	struct kmln_json *list = kmln_json_array();
	size_t found = report->errors + report->warnings;

	kmln_report_sort(report);
	for (size_t i = 0; i < report->count; i++)
		kmln_json_add(list, json_mistake(report, &report->items[i]));
	if (found > report->count) {
		struct kmln_json *o = kmln_json_add(list, kmln_json_object());
		KMLN_FREE char *text =
			kmln_printf("%zu more mistakes are not shown", found - report->count);

		kmln_json_set(o, "severity", kmln_json_text("error"));
		kmln_json_set(o, "code", kmln_json_text("too-many"));
		kmln_json_set(o, "message", kmln_json_text(text));
	}
	return list;
}

int kmln_report_result(const struct kmln_report *report, const char *name, struct kmln_error *err)
{
	if (!report->errors)
		return 0;
	return kmln_fail(err, KMLN_EINVALID, "%s: %zu %s", name, report->errors,
		report->errors == 1 ? "mistake" : "mistakes");
}
