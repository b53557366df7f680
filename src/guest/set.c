// SPDX-License-Identifier: GPL-2.0-or-later
/* What kinds of settings stand on: looking at facts, and the list of what kmln set. The list comes
 * from the guest: it can make kmln change nothing but this guest, as the plan shows.
 */
#include "guest/set.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/sum.h"

#define NOTES_MAX 1024 /* a guest's list can be long; a plan looks at each path of it */

#define HEAD \
	"# What kmln has set in this guest, so that it can take back what is no longer asked for.\n"

/* ---- looking ---- */

bool kmln_set_is_path(const char *path)
{
	const char *part = path;

	if (*path != '/' || strlen(path) > 1024)
		return false;
	if (strcmp(path, "/") == 0)
		return true;
	for (const char *c = path; *c; c++)
		if (iscntrl((unsigned char)*c))
			return false;
	while (*part) {
		size_t n = strcspn(++part, "/");

		if (!n || n > 255 || (n == 1 && part[0] == '.') ||
			(n == 2 && part[0] == '.' && part[1] == '.'))
			return false;
		part += n;
	}
	return true;
}

void kmln_set_look(struct kmln_strv *paths, const char *path)
{
	KMLN_FREE char *copy = kmln_strdup(path);
	char *slash;

	if (!kmln_set_is_path(path) || !path[1])
		return;
	do {
		if (!kmln_strv_has(paths, copy))
			kmln_strv_add(paths, copy);
		slash = strrchr(copy, '/');
		*slash = '\0';
	} while (*copy);
}

static int compare_files(const void *a, const void *b)
{
	const struct kmln_known_file *const *left = a, *const *right = b;

	return strcmp((*left)->path, (*right)->path);
}

/* Asked for a hundred times for each guest, where hundreds of guests come from the same facts. */
static const struct kmln_known_file *find_sorted(
	struct kmln_set_memo *memo, const struct kmln_facts *facts, const char *path)
{
	const struct kmln_known_file key = {.path = path}, *wanted = &key;
	const struct kmln_known_file **found;

	if (memo->facts != facts || memo->file_count != facts->file_count) {
		memo->facts = facts;
		memo->file_count = facts->file_count;
		memo->files =
			kmln_pool_array(memo->pool, facts->file_count + 1, sizeof(*memo->files));
		for (size_t i = 0; i < facts->file_count; i++)
			memo->files[i] = &facts->files[i];
		qsort(memo->files, memo->file_count, sizeof(*memo->files), compare_files);
	}
	found = bsearch(
		&wanted, memo->files, memo->file_count, sizeof(*memo->files), compare_files);
	return found ? *found : NULL;
}

const struct kmln_known_file *kmln_set_known(const struct kmln_set *set, const char *path)
{
	if (set->settings && set->settings->memo && set->edits)
		return find_sorted(set->settings->memo, set->facts, path);
	for (size_t i = 0; i < set->facts->file_count; i++)
		if (strcmp(set->facts->files[i].path, path) == 0)
			return &set->facts->files[i];
	return NULL;
}

bool kmln_set_there(const struct kmln_set *set, const char *path)
{
	const struct kmln_known_file *file = kmln_set_known(set, path);

	return file && file->mode;
}

const char *kmln_set_sum(struct kmln_pool *pool, const char *data, size_t size)
{
	char text[KMLN_SHA256_TEXT];
	struct kmln_sha256 sum;

	kmln_sha256_start(&sum);
	kmln_sha256_add(&sum, data, size);
	kmln_sha256_end(&sum, text);
	return kmln_pool_strdup(pool, text);
}

/* ---- the list: words with tabs between; \ooo for what could be taken for something else ---- */

static void print_word(struct kmln_buf *out, const char *word)
{
	while (*word) {
		size_t plain = 0;

		while (word[plain] && !iscntrl((unsigned char)word[plain]) && word[plain] != '\\')
			plain++;
		kmln_buf_add(out, word, plain);
		word += plain;
		if (*word)
			kmln_buf_printf(out, "\\%03o", (unsigned char)*word++);
	}
}

static bool is_octal(const char *digits)
{
	return digits[0] >= '0' && digits[0] <= '3' && digits[1] >= '0' && digits[1] <= '7' &&
	       digits[2] >= '0' && digits[2] <= '7';
}

static void decode(char *word)
{
	char *to = word;

	for (; *word; word++)
		if (*word == '\\' && is_octal(word + 1) && strncmp(word, "\\000", 4) != 0) {
			*to++ = (char)((word[1] - '0') << 6 | (word[2] - '0') << 3 |
				       (word[3] - '0'));
			word += 3;
		} else {
			*to++ = *word;
		}
	*to = '\0';
}

void kmln_set_read_notes(struct kmln_set *set)
{
	const struct kmln_known_file *file = kmln_set_known(set, KMLN_SET_STATE);
	char *rest = file ? kmln_pool_strdup(set->pool, file->data) : NULL, *line;

	set->before = (struct kmln_set_notes){0};
	while (rest && set->before.count < NOTES_MAX && (line = strsep(&rest, "\n"))) {
		struct kmln_set_note note = {.kind = strsep(&line, "\t")};

		while (line && note.count < KMLN_SET_WORDS) {
			char *word = strsep(&line, "\t");

			decode(word);
			note.words[note.count++] = word;
		}
		if (*note.kind == '#' || !note.count)
			continue;
		*(struct kmln_set_note *)kmln_pool_append(
			set->pool, &set->before.items, &set->before.count, sizeof(note)) = note;
	}
}

struct kmln_set_note *kmln_set_before(
	const struct kmln_set *set, const char *kind, const char *about, const char *second)
{
	for (size_t i = 0; i < set->before.count; i++) {
		struct kmln_set_note *note = &set->before.items[i];

		if (strcmp(note->kind, kind) == 0 && strcmp(note->words[0], about) == 0 &&
			(!second || kmln_eq(note->words[1], second)))
			return note;
	}
	return NULL;
}

static bool same_note(const struct kmln_set_note *a, const struct kmln_set_note *b)
{
	if (a->count != b->count || strcmp(a->kind, b->kind) != 0)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->words[i], b->words[i]) != 0)
			return false;
	return true;
}

void kmln_set_note(struct kmln_set *set, const char *kind, ...)
{
	struct kmln_set_note note = {.kind = kind};
	const char *word;
	va_list args;

	va_start(args, kind);
	while (note.count < KMLN_SET_WORDS && (word = va_arg(args, const char *)))
		note.words[note.count++] = kmln_pool_strdup(set->pool, word);
	va_end(args);
	for (size_t i = 0; i < set->after.count; i++)
		if (same_note(&set->after.items[i], &note))
			return;
	*(struct kmln_set_note *)kmln_pool_append(
		set->pool, &set->after.items, &set->after.count, sizeof(note)) = note;
}

static int compare_notes(const void *a, const void *b)
{
	const struct kmln_set_note *left = a, *right = b;
	int order = strcmp(left->kind, right->kind);

	for (size_t i = 0; !order && i < KMLN_SET_WORDS; i++)
		order = i >= left->count || i >= right->count
				? (left->count > right->count) - (left->count < right->count)
				: strcmp(left->words[i], right->words[i]);
	return order;
}

/* In an order of its own: the first plan of a guest and the next one find things in other orders.
 */
void kmln_set_print_notes(struct kmln_set *set, struct kmln_buf *out)
{
	if (set->after.count)
		qsort(set->after.items, set->after.count, sizeof(*set->after.items), compare_notes);
	kmln_buf_str(out, set->after.count ? HEAD : "");
	for (size_t i = 0; i < set->after.count; i++) {
		const struct kmln_set_note *note = &set->after.items[i];

		kmln_buf_str(out, note->kind);
		for (size_t w = 0; w < note->count; w++) {
			kmln_buf_str(out, "\t");
			print_word(out, note->words[w]);
		}
		kmln_buf_str(out, "\n");
	}
}

void kmln_set_fini(struct kmln_set *set)
{
	for (size_t i = 0; i < set->text_count; i++)
		kmln_buf_fini(&set->texts[i]->text);
	kmln_buf_fini(&set->boot);
	kmln_buf_fini(&set->start);
}
