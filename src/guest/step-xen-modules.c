// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest of Xen may be told to load Xen's drivers whatever there is: away from Xen that fails at
 * each start, or leaves no room for other drivers under the same alias. Such lines become comments,
 * and such names are taken out of lists.
 */
#include "guest/steps.h"

#include <ctype.h>
#include <string.h>

#include "guest/lines.h"
#include "guest/vouch.h"

#define MARK "# kmln, not under Xen: "

/* A module a line; or "alias NAME MODULE"; or, in /etc/sysconfig/kernel, NAME="MODULE ...". */
static const char *const files[] = {"/etc/modules", "/etc/initramfs-tools/modules",
	"/etc/modprobe.conf", "/etc/sysconfig/kernel", NULL};

static bool is_xen_module(const char *word, size_t size)
{
	static const char *const names[] = {"xen_blkfront", "xen_netfront", "xen_kbdfront",
		"xen_fbfront", "xen_platform_pci", "xenblk", "xennet", "xen_vbd", "xen_vnif"};

	for (size_t i = 0; i < KMLN_COUNT(names); i++) {
		size_t n = 0;

		while (n < size && names[i][n] && names[i][n] == (word[n] == '-' ? '_' : word[n]))
			n++;
		if (n == size && !names[i][n])
			return true;
	}
	return false;
}

/* NAME="a b c" without those words that are Xen's; false: none is. */
static bool shorten_list(const char *line, struct kmln_buf *out)
{
	const char *quote = strchr(line, '"'), *end = quote ? strchr(quote + 1, '"') : NULL;
	bool found = false, any = false;

	for (const char *c = line; c < quote; c++)
		if (!isalnum((unsigned char)*c) && *c != '_' && *c != '=')
			return false;
	if (!end || quote == line || quote[-1] != '=')
		return false;
	for (const char *word = quote + 1; word < end && !found; word += strcspn(word, " \"") + 1)
		found = is_xen_module(word, strcspn(word, " \""));
	if (!found)
		return false;
	kmln_buf_add(out, line, (size_t)(quote + 1 - line));
	for (const char *word = quote + 1; word < end;) {
		size_t n = strcspn(word, " \"");

		if (n && !is_xen_module(word, n)) {
			kmln_buf_printf(out, "%s%.*s", any ? " " : "", (int)n, word);
			any = true;
		}
		word += n + 1;
	}
	kmln_buf_str(out, end);
	return true;
}

static bool change(const void *data, unsigned number, const char *line, struct kmln_buf *out)
{
	const char *word = line + strspn(line, " \t");

	(void)data;
	(void)number;
	if (kmln_starts(word, "alias ")) {
		word += strlen("alias ");
		word += strcspn(word, " \t");
		word += strspn(word, " \t");
	}
	if (is_xen_module(word, strcspn(word, " \t"))) {
		kmln_buf_printf(out, MARK "%s", line);
		return true;
	}
	return shorten_list(line, out);
}

static int plan(struct kmln_planning *planning, struct kmln_error *err)
{
	int r = 0;

	if (planning->platform->domains || !planning->platform->disk)
		return 0;
	for (const char *const *path = files; *path && r == 0; path++) {
		const struct kmln_known_file *file = kmln_facts_file(planning->facts, *path);
		KMLN_BUF struct kmln_buf text = {0};

		if (!file->data || !kmln_lines_change(file->data, change, NULL, &text))
			continue;
		/* not missing: a start goes well without it */
		if (planning->edits)
			r = kmln_want_lines(planning, "xen-modules",
				"loads Xen's drivers, which find nothing here", *path, change, NULL,
				err);
	}
	return r;
}

static bool is_change(const char *before, const char *after)
{
	KMLN_BUF struct kmln_buf line = {0};

	return change(NULL, 0, before, &line) && kmln_eq(line.data, after);
}

static bool could_write(const struct kmln_facts *facts, const struct kmln_record_item *item)
{
	for (const char *const *path = files; *path; path++)
		if (item->path && kmln_is_place(facts, *path, item->path))
			return kmln_vouch_lines(item, is_change);
	return false;
}

const struct kmln_step kmln_step_xen_modules = {
	.name = "xen-modules",
	.summary = "load Xen's drivers under Xen only",
	.plan = plan,
	.could_write = could_write,
};
