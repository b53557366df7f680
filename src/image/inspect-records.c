// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which conversions left a record in the guest: their numbers and names, not what they say. The
 * folder must be one and no link, so that what is written and removed there is where it seems.
 */
#include "image/inspect.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX "conversion-"
#define NUMBER_MAX 999999u

static int newest_first(const void *a, const void *b)
{
	const struct kmln_record_file *x = a, *y = b;

	return (x->number < y->number) - (x->number > y->number);
}

/* The number in a record's name, or 0: "conversion-7", no other way of writing 7. */
static unsigned number_of(const char *name)
{
	const char *digits = name + strlen(PREFIX);
	unsigned number = 0;

	if (!kmln_starts(name, PREFIX) || *digits == '0')
		return 0;
	for (; *digits; digits++) {
		if (*digits < '0' || *digits > '9' || number > NUMBER_MAX / 10)
			return 0;
		number = number * 10 + (unsigned)(*digits - '0');
	}
	return number <= NUMBER_MAX ? number : 0;
}

static const char *add_records(
	struct kmln_tree *tree, struct kmln_facts *facts, const struct kmln_strv *names)
{
	struct kmln_error err;
	struct kmln_stat st;

	for (size_t i = 0; i < names->count; i++) {
		unsigned number = number_of(names->items[i]);
		struct kmln_record_file *f;
		char *path;

		if (!number)
			continue;
		if (facts->record_count == KMLN_RECORDS_MAX)
			return kmln_pool_printf(facts->pool, "more than %u records in %s",
				KMLN_RECORDS_MAX, KMLN_RECORD_FOLDER);
		path = kmln_pool_printf(facts->pool, "%s/%s",
			kmln_facts_file(facts, KMLN_RECORD_FOLDER)->real, names->items[i]);
		if (kmln_tree_stat(tree, path, &st, &err) < 0)
			return kmln_pool_strdup(facts->pool, err.text);
		if (!S_ISREG(st.mode))
			return kmln_pool_printf(facts->pool, "%s is not a regular file", path);
		f = kmln_pool_append(
			facts->pool, &facts->records, &facts->record_count, sizeof(*f));
		*f = (struct kmln_record_file){number, path, st.size};
	}
	return NULL;
}

void kmln_inspect_records(struct kmln_tree *tree, struct kmln_facts *facts)
{
	const struct kmln_known_file *folder = kmln_facts_file(facts, KMLN_RECORD_FOLDER);
	const struct kmln_known_file *above = kmln_facts_file(facts, "/var/lib");
	KMLN_STRV struct kmln_strv names = {0};
	KMLN_FREE char *place = NULL;
	struct kmln_error err;

	if (!folder->real) {
		/* /var or /var/lib is not there yet, or it is a link that leads nowhere */
		if (above->mode)
			facts->record_problem = folder->problem;
		return;
	}
	place = kmln_printf("%s%s", above->real, &KMLN_RECORD_FOLDER[strlen("/var/lib")]);
	if (strcmp(folder->real, place) != 0)
		facts->record_problem = KMLN_RECORD_FOLDER " is a link";
	else if (folder->mode && !S_ISDIR(folder->mode))
		facts->record_problem = KMLN_RECORD_FOLDER " is not a folder";
	else if (folder->mode && kmln_tree_names(tree, folder->real, &names, &err) < 0)
		facts->record_problem = kmln_pool_strdup(facts->pool, err.text);
	else
		facts->record_problem = add_records(tree, facts, &names);
	if (facts->record_count)
		qsort(facts->records, facts->record_count, sizeof(*facts->records), newest_first);
}
