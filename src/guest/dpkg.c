// SPDX-License-Identifier: GPL-2.0-or-later
/* Paragraphs of dpkg's status file, as dpkg itself would write them. */
#include "guest/dpkg.h"

#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/md5.h"

/* The order in which dpkg writes fields; those it does not know come behind, as they stood. */
static const char *const order[] = {"Package", "Essential", "Protected", "Status", "Priority",
	"Section", "Installed-Size", "Origin", "Maintainer", "Bugs", "Architecture", "Multi-Arch",
	"Source", "Version", "Replaces", "Provides", "Depends", "Pre-Depends", "Recommends",
	"Suggests", "Breaks", "Conflicts", "Enhances", "Conffiles", "Description"};

/* The bytes of a field with its name and its folded lines; NULL where it is missing. */
static const char *find_field(const char *control, const char *name, size_t *size)
{
	size_t length = strlen(name);

	for (const char *line = control; *line;) {
		size_t end = strcspn(line, "\n") + 1;

		while (line[end] == ' ' || line[end] == '\t')
			end += strcspn(line + end, "\n") + 1;
		if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
			*size = end;
			return line;
		}
		line += end;
	}
	return NULL;
}

static bool is_ordered(const char *line)
{
	for (size_t i = 0; i < KMLN_COUNT(order); i++)
		if (strncasecmp(line, order[i], strlen(order[i])) == 0 &&
			line[strlen(order[i])] == ':')
			return true;
	return false;
}

static const struct kmln_deb_file *find_file(const struct kmln_pkg *pkg, const char *path)
{
	for (size_t i = 0; i < pkg->file_count; i++)
		if (kmln_eq(pkg->files[i].path, path))
			return &pkg->files[i];
	return NULL;
}

/* Configuration files with the sums that they came with: so dpkg knows an edited one later. */
static void add_conffiles(const struct kmln_pkg *pkg, struct kmln_buf *out)
{
	const struct kmln_deb_file *list = kmln_pkg_member(pkg, "conffiles");
	KMLN_FREE char *copy = list ? kmln_strdup(list->data) : NULL;
	char *rest = copy;
	bool any = false;

	for (char *line; (line = strsep(&rest, "\n"));) {
		const struct kmln_deb_file *file = find_file(pkg, line);
		char sum[KMLN_MD5_TEXT];

		if (!file || !S_ISREG(file->mode) || !file->data)
			continue;
		kmln_md5(file->data, file->size, sum);
		kmln_buf_printf(out, "%s %s %s\n", any ? "" : "Conffiles:\n", line, sum);
		any = true;
	}
}

void kmln_dpkg_paragraph(const struct kmln_pkg *pkg, struct kmln_buf *out)
{
	size_t size;

	for (size_t i = 0; i < KMLN_COUNT(order); i++) {
		const char *field = find_field(pkg->control, order[i], &size);

		if (kmln_eq(order[i], "Status"))
			kmln_buf_str(out, "Status: install ok installed\n");
		else if (kmln_eq(order[i], "Conffiles"))
			add_conffiles(pkg, out);
		else if (field)
			kmln_buf_add(out, field, size);
	}
	for (const char *line = pkg->control; *line; line += size) {
		size = strcspn(line, "\n") + 1;
		while (line[size] == ' ' || line[size] == '\t')
			size += strcspn(line + size, "\n") + 1;
		if (!is_ordered(line))
			kmln_buf_add(out, line, size);
	}
	kmln_buf_str(out, "\n");
}

char *kmln_dpkg_info_name(
	const struct kmln_pkg *pkg, const struct kmln_facts *facts, struct kmln_pool *pool)
{
	/* before multiarch came, dpkg had no such file, and no architectures in names */
	if (pkg->per_architecture && kmln_facts_file(facts, "/var/lib/dpkg/info/format")->mode)
		return kmln_pool_printf(pool, "%s:%s", pkg->name, pkg->architecture);
	return kmln_pool_strdup(pool, pkg->name);
}
