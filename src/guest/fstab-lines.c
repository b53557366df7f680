// SPDX-License-Identifier: GPL-2.0-or-later
/* See fstab-lines.h. Called by the fstab step, and by who tells of lines that it left. */
#include "guest/fstab-lines.h"

#include <string.h>

static bool has_option(const char *options, const char *name)
{
	size_t n = strlen(name);

	for (const char *o = options; o && *o;) {
		size_t length = strcspn(o, ",");

		if (length == n && memcmp(o, name, n) == 0)
			return true;
		o += length + (o[length] == ',');
	}
	return false;
}

static bool names_disk(const char *device)
{
	static const char *const starts[] = {"/dev/", "UUID=", "LABEL=", "PARTUUID=", "PARTLABEL="};

	for (size_t i = 0; i < KMLN_COUNT(starts); i++)
		if (kmln_starts(device, starts[i]))
			return true;
	return false;
}

bool kmln_fstab_lacks(
	const struct kmln_facts *facts, const struct kmln_fstab_line *line, bool alone)
{
	if (kmln_eq(line->mount, "/") || !names_disk(line->device) ||
		has_option(line->options, "nofail") || has_option(line->options, "noauto"))
		return false;
	for (size_t i = 0; i < facts->filesystem_count; i++) {
		const struct kmln_filesystem *fs = &facts->filesystems[i];

		/* inspect gave it this very line's text */
		if (fs->mount == line->mount)
			return alone && fs != facts->root;
	}
	return true;
}

/* Where the word `index` (from 0) begins and ends; false where there are not so many. */
static bool find_word(const char *line, size_t size, unsigned index, size_t *start, size_t *end)
{
	size_t at = 0;

	for (unsigned i = 0;; i++) {
		while (at < size && (line[at] == ' ' || line[at] == '\t'))
			at++;
		*start = at;
		while (at < size && line[at] != ' ' && line[at] != '\t')
			at++;
		*end = at;
		if (*start == *end)
			return false;
		if (i == index)
			return true;
	}
}

void kmln_fstab_nofail(struct kmln_buf *out, const char *line, size_t size)
{
	size_t start, end;

	/* no line that anybody would mount by */
	if (!find_word(line, size, 2, &start, &end)) {
		kmln_buf_add(out, line, size);
		return;
	}
	if (!find_word(line, size, 3, &start, &end)) {
		/* device, mount point and type alone */
		while (size && (line[size - 1] == ' ' || line[size - 1] == '\t'))
			size--;
		kmln_buf_add(out, line, size);
		kmln_buf_str(out, " defaults,nofail");
		return;
	}
	kmln_buf_add(out, line, end);
	kmln_buf_str(out, ",nofail");
	kmln_buf_add(out, line + end, size - end);
}

void kmln_fstab_device(struct kmln_buf *out, const char *line, size_t size, const char *device)
{
	size_t start, end;

	find_word(line, size, 0, &start, &end);
	kmln_buf_add(out, line, start);
	kmln_buf_str(out, device);
	kmln_buf_add(out, line + end, size - end);
}

void kmln_fstab_merged(struct kmln_buf *out, const char *line, size_t size)
{
	kmln_buf_str(out, "# now a folder of the root: ");
	kmln_buf_add(out, line, size);
}
