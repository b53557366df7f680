// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The root filesystem is named by its UUID, which is the same wherever the disk is plugged in. Only
 * the device of that one line changes; the rest of the file stays as its owner wrote it.
 */
#include "guest/steps.h"
#include "guest/vouch.h"

#include <string.h>

#define WHY "the root by UUID: right on every platform"

static bool names_root(
	const char *device, const struct kmln_facts *facts, const struct kmln_platform *platform)
{
	const struct kmln_filesystem *root = facts->root;

	if (kmln_starts(device, "UUID="))
		return root->uuid && strcasecmp(device + 5, root->uuid) == 0;
	if (kmln_starts(device, "LABEL="))
		return root->label && *root->label && strcmp(device + 6, root->label) == 0;
	/* a device name is right on its own platform only */
	return !platform->needs_loader && platform->disk && kmln_starts(device, "/dev/") &&
	       kmln_starts(device + 5, platform->disk);
}

/* The text with the device word of the given line exchanged. */
static void exchange(struct kmln_buf *out, const char *text, unsigned line, const char *uuid)
{
	for (unsigned number = 1; *text; number++) {
		size_t n = strcspn(text, "\n");

		n += text[n] == '\n';
		if (number == line) {
			size_t blank = strspn(text, " \t"), word = strcspn(text + blank, " \t\n");

			kmln_buf_printf(out, "%.*sUUID=%s", (int)blank, text, uuid);
			kmln_buf_add(out, text + blank + word, n - blank - word);
		} else {
			kmln_buf_add(out, text, n);
		}
		text += n;
	}
}

/* A system that mounts by fstab leaves its root read-only without a line for it. */
static bool needs_line(enum kmln_init init)
{
	return init == KMLN_INIT_SYSTEMD || init == KMLN_INIT_SYSVINIT || init == KMLN_INIT_OPENRC;
}

static int plan(struct kmln_planning *planning, struct kmln_error *err)
{
	const struct kmln_facts *facts = planning->facts;
	const struct kmln_known_file *file = kmln_facts_file(facts, "/etc/fstab");
	const struct kmln_fstab_line *line = NULL;
	KMLN_BUF struct kmln_buf text = {0};

	/* a container's root is mounted before it starts */
	if (!planning->platform->disk)
		return 0;
	for (size_t i = 0; i < facts->fstab_count; i++)
		if (kmln_eq(facts->fstab[i].mount, "/"))
			line = &facts->fstab[i];
	if (line ? names_root(line->device, facts, planning->platform) : !needs_line(facts->init))
		return 0;
	kmln_missing(planning, "the root filesystem by UUID in /etc/fstab");
	if (!planning->edits)
		return 0;
	if (line) {
		exchange(&text, file->data, line->line, facts->root->uuid);
	} else {
		if (file->data)
			kmln_buf_str(&text, file->data);
		if (text.size && text.data[text.size - 1] != '\n')
			kmln_buf_str(&text, "\n");
		kmln_buf_printf(&text, "UUID=%s / %s errors=remount-ro 0 1\n", facts->root->uuid,
			facts->root->type);
	}
	return kmln_want_file(planning, "fstab", WHY, "/etc/fstab",
		kmln_pool_memdup(planning->edits->pool, text.data, text.size), text.size, 0644,
		true, err);
}

#define UUID_SIZE 36

/* The length of "UUID=..." and the blank behind it; 0 for another word. */
static size_t uuid_word(const char *text)
{
	static const char head[] = "UUID=";
	size_t n = strlen(head) + UUID_SIZE;

	return kmln_starts(text, head) &&
			       strspn(text + strlen(head), "0123456789abcdef-") == UUID_SIZE &&
			       (text[n] == ' ' || text[n] == '\t')
		       ? n
		       : 0;
}

/* "UUID=... / TYPE errors=remount-ro 0 1" */
static bool is_own_line(const char *line)
{
	static const char end[] = " errors=remount-ro 0 1\n";
	size_t n = uuid_word(line);

	if (!n || !kmln_starts(line + n, " / ext"))
		return false;
	line += n + strlen(" / ext");
	return *line >= '2' && *line <= '4' && strcmp(line + 1, end) == 0;
}

/* The root's line, its device word exchanged: whatever it was, it is put back into that line alone.
 */
static bool is_exchange(const struct kmln_record_item *item)
{
	size_t blank = strspn(item->new, " \t"), word = uuid_word(item->new + blank);
	bool indented = strncmp(item->old, item->new, blank) == 0;
	size_t old_word = indented ? strcspn(item->old + blank, " \t\n") : 0;
	const char *rest = item->new + blank + word, *mount = rest + strspn(rest, " \t");
	const char *newline = strchr(item->new, '\n');

	return word && old_word && item->old[blank] != '#' &&
	       strcmp(item->old + blank + old_word, rest) == 0 && mount[0] == '/' &&
	       (mount[1] == ' ' || mount[1] == '\t') &&
	       (!newline || newline == item->new + item->new_size - 1);
}

static bool could_write(const struct kmln_facts *facts, const struct kmln_record_item *item)
{
	const char *line = kmln_added_line(item);

	if (item->kind != KMLN_RECORD_CHANGE || !kmln_is_place(facts, "/etc/fstab", item->path))
		return false;
	if (line && is_own_line(line))
		return true;
	return item->was == KMLN_WAS_KEPT && item->old_size && is_exchange(item);
}

const struct kmln_step kmln_step_fstab = {
	.name = "fstab",
	.summary = "name the root filesystem by its UUID",
	.plan = plan,
	.could_write = could_write,
};
