// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dpkg's status file, read as a stream: however long it is, only one paragraph's fields are held at
 * a time, and the number of packages is bounded.
 */
#include "image/inspect.h"

#include <ctype.h>
#include <string.h>

#define STATUS "/var/lib/dpkg/status"
#define PACKAGES_MAX 200000
#define FIELD_MAX 8192 /* perl provides 3000 bytes of names */
/* a file with holes can claim to be endless */
#define STATUS_MAX (1ull << 30)

enum field { PACKAGE, STATUS_FIELD, VERSION, ARCHITECTURE, PROVIDES, CONFLICTS, BREAKS, FIELDS };

struct status_reader {
	struct kmln_facts *facts;
	char line[FIELD_MAX]; /* the line that is being read, cut at its end */
	size_t used;
	uint64_t read; /* bytes of the file so far */
	char fields[FIELDS][FIELD_MAX];
};

/* Most packages have none of it, and share one empty text. */
static const char *keep(struct kmln_pool *pool, const char *text)
{
	return *text ? kmln_pool_strdup(pool, text) : "";
}

static void end_paragraph(struct status_reader *reader)
{
	struct kmln_facts *facts = reader->facts;

	if (reader->fields[PACKAGE][0] && facts->package_count < PACKAGES_MAX) {
		struct kmln_package *p = kmln_pool_append(
			facts->pool, &facts->packages, &facts->package_count, sizeof(*p));

		p->name = kmln_pool_strdup(facts->pool, reader->fields[PACKAGE]);
		p->version = kmln_pool_strdup(facts->pool, reader->fields[VERSION]);
		p->architecture = kmln_pool_strdup(facts->pool, reader->fields[ARCHITECTURE]);
		p->status = kmln_pool_strdup(facts->pool, reader->fields[STATUS_FIELD]);
		p->provides = keep(facts->pool, reader->fields[PROVIDES]);
		p->conflicts = keep(facts->pool, reader->fields[CONFLICTS]);
		p->breaks = keep(facts->pool, reader->fields[BREAKS]);
	}
	for (int f = 0; f < FIELDS; f++)
		reader->fields[f][0] = '\0';
}

static void end_line(struct status_reader *reader)
{
	static const char *const names[] = {
		[PACKAGE] = "Package:",
		[STATUS_FIELD] = "Status:",
		[VERSION] = "Version:",
		[ARCHITECTURE] = "Architecture:",
		[PROVIDES] = "Provides:",
		[CONFLICTS] = "Conflicts:",
		[BREAKS] = "Breaks:",
	};

	reader->line[reader->used] = '\0';
	reader->used = 0;
	if (!reader->line[0]) {
		end_paragraph(reader);
		return;
	}
	for (int f = 0; f < FIELDS; f++) {
		const char *value = reader->line + strlen(names[f]);

		if (strncasecmp(reader->line, names[f], strlen(names[f])) != 0)
			continue;
		while (isblank((unsigned char)*value))
			value++;
		strcpy(reader->fields[f], value); /* the line is no longer than a field */
	}
}

static int read_piece(void *data, const char *bytes, size_t size, struct kmln_error *err)
{
	struct status_reader *reader = data;

	reader->read += size;
	if (reader->read > STATUS_MAX)
		return kmln_fail(err, KMLN_EINVALID, "longer than 1 GiB");
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '\n')
			end_line(reader);
		else if (bytes[i] && reader->used < FIELD_MAX - 1)
			reader->line[reader->used++] = bytes[i];
	}
	return 0;
}

int kmln_inspect_packages(struct kmln_tree *tree, struct kmln_facts *facts, struct kmln_error *err)
{
	struct status_reader reader = {.facts = facts};
	KMLN_BUF struct kmln_buf real = {0};
	struct kmln_error missing;
	int r;

	if (kmln_tree_resolve(tree, STATUS, &real, &missing) < 0)
		return 0;
	r = kmln_tree_read(tree, real.data, read_piece, &reader, &missing);
	if (r == -ENOENT || r == -EINVAL || r == -ELOOP || r == -ENOTDIR)
		return 0;
	if (r < 0) {
		*err = missing;
		return r;
	}
	end_line(&reader);
	end_paragraph(&reader);
	facts->package_manager = "dpkg";
	return 0;
}
