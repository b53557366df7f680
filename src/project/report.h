/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mistakes of a project file: collected while it is read, resolved and checked, all of one run,
 * and shown at its end in the order of the file. Shown for people:
 *
 *     lan.kmln:4:9: error: no keyword `memry` in a host
 *         4 |         memry 64M
 *           |         ^~~~~
 *     lan.kmln:4:9: note: did you mean `memory`?
 *
 * and as JSON with the same. A mistake is no kmln_error: functions that find mistakes go on, and
 * kmln_report_result() says at the end whether there were any.
 */
#ifndef KMLN_PROJECT_REPORT_H
#define KMLN_PROJECT_REPORT_H

#include <stdio.h>

#include "project/syntax.h"

struct kmln_json;

/* So many are kept; further ones are counted. */
#define KMLN_MISTAKES_MAX 1000

struct kmln_note {
	struct kmln_place at; /* no place: shown below the mistake without one */
	const char *text;
};

struct kmln_mistake {
	bool warning; /* the cluster can be made nevertheless */
	const char *code; /* for programs: "unknown-word"; see codes in docs/mln.md */
	struct kmln_place at;
	const char *text;
	const char *suggestion; /* what to write instead of what stands at `at`, or NULL */
	struct kmln_note *notes;
	size_t note_count;
	size_t number; /* in the order they were found */
};

struct kmln_report {
	struct kmln_pool *pool; /* borrowed: texts live here; the sources must live as long */
	struct kmln_mistake *items;
	size_t count;
	size_t errors, warnings; /* found, which may be more than kept */
	/* The line that was looked for last: mistakes are shown in the order of the file. */
	const struct kmln_source *seen;
	const char *seen_line;
	uint32_t seen_number;
};

/*
 * Adds a mistake; `code` is a literal. The text is one line without a full stop, names in `quotes`.
 * The notes and the suggestion go to the mistake that was added last.
 */
void kmln_report_error(struct kmln_report *report, const char *code, struct kmln_place at,
	const char *fmt, ...) KMLN_PRINTF(4, 5);
void kmln_report_warning(struct kmln_report *report, const char *code, struct kmln_place at,
	const char *fmt, ...) KMLN_PRINTF(4, 5);
void kmln_report_note(struct kmln_report *report, struct kmln_place at, const char *fmt, ...)
	KMLN_PRINTF(3, 4);
/* Whether one more would be kept: where not, nobody needs to look for suggestions. */
bool kmln_report_keeps(const struct kmln_report *report);
/* "did you mean `word`?"; NULL does nothing. */
void kmln_report_suggest(struct kmln_report *report, const char *word);

/* The nearest of names to a word: start with {.word = word}, offer each name, use `name`. */
struct kmln_nearest {
	const char *word;
	const char *name; /* borrowed; NULL: none is near */
	size_t distance;
};
void kmln_nearest_offer(struct kmln_nearest *nearest, const char *name);

/* Sorts by place. Called by the printers. */
void kmln_report_sort(struct kmln_report *report);
/* For people; `color` for a terminal. Texts and source lines are made harmless to terminals. */
void kmln_report_print(struct kmln_report *report, bool color, FILE *to);
/*
 * A list, one object for each: severity ("error", "warning"), code, file, line, column, length,
 * message, source (the line), suggestion, notes (file, line, column, message); what is unknown is
 * absent. Ends with the counts that were not kept, if any, as severity "error", code "too-many".
 */
struct kmln_json *kmln_report_json(struct kmln_report *report);
/* 0, or KMLN_EINVALID with "N mistakes in NAME" where there was an error. */
int kmln_report_result(const struct kmln_report *report, const char *name, struct kmln_error *err);

#endif
