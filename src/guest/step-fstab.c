// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The root filesystem is named by its UUID, which is the same wherever the disk is plugged in, and
 * so are other partitions of the image that are called as another platform calls them. Only the
 * devices of those lines change; the rest of the file stays as its owner wrote it.
 */
#include "guest/steps.h"

#include "guest/device-names.h"
#include "guest/lines.h"
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

/* What to call the device of this line, or NULL: as it is called now. */
static const char *new_name(
	const struct kmln_planning *planning, const struct kmln_fstab_line *line, bool root)
{
	if (!root)
		return kmln_device_uuid(planning->facts, planning->platform, line->device);
	return names_root(line->device, planning->facts, planning->platform)
		       ? NULL
		       : planning->facts->root->uuid;
}

/* Of several lines for the root the last one counts, as it does for mount. */
static const struct kmln_fstab_line *root_line(const struct kmln_facts *facts)
{
	for (size_t i = facts->fstab_count; i--;)
		if (kmln_eq(facts->fstab[i].mount, "/"))
			return &facts->fstab[i];
	return NULL;
}

/* The line with its device word exchanged. */
static bool exchange(const void *data, unsigned number, const char *line, struct kmln_buf *out)
{
	const struct kmln_planning *planning = data;
	const struct kmln_facts *facts = planning->facts;
	const char *uuid = NULL;

	for (size_t i = 0; i < facts->fstab_count && !uuid; i++)
		if (facts->fstab[i].line == number)
			uuid = new_name(
				planning, &facts->fstab[i], &facts->fstab[i] == root_line(facts));
	if (uuid) {
		size_t blank = strspn(line, " \t"), word = strcspn(line + blank, " \t");

		kmln_buf_printf(out, "%.*sUUID=%s%s", (int)blank, line, uuid, line + blank + word);
	}
	return uuid;
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
	const struct kmln_fstab_line *line = root_line(facts);
	KMLN_BUF struct kmln_buf text = {0};
	bool add = !line && needs_line(facts->init);

	/* a container's root is mounted before it starts */
	if (!planning->platform->disk)
		return 0;
	if (add || (line && new_name(planning, line, true)))
		kmln_missing(planning, "the root filesystem by UUID in /etc/fstab");
	for (size_t i = 0; i < facts->fstab_count; i++)
		if (&facts->fstab[i] != line && new_name(planning, &facts->fstab[i], false))
			kmln_missing(planning, "%s by UUID in /etc/fstab", facts->fstab[i].device);
	if (!planning->edits)
		return 0;
	if (!add)
		return kmln_want_lines(
			planning, "fstab", WHY, "/etc/fstab", exchange, planning, err);
	if (file->data)
		kmln_lines_change(file->data, exchange, planning, &text);
	if (text.size && text.data[text.size - 1] != '\n')
		kmln_buf_str(&text, "\n");
	kmln_buf_printf(&text, "UUID=%s / %s errors=remount-ro 0 1\n", facts->root->uuid,
		facts->root->type);
	return kmln_want_file(planning, "fstab", WHY, "/etc/fstab",
		kmln_pool_memdup(planning->edits->pool, text.data, text.size), text.size, 0644,
		true, err);
}

/* "UUID=... / TYPE errors=remount-ro 0 1" */
static bool is_own_line(const char *line)
{
	static const char end[] = " errors=remount-ro 0 1\n";
	size_t n = kmln_uuid_word(line);

	if (!n || !kmln_starts(line + n, " / ext"))
		return false;
	line += n + strlen(" / ext");
	return *line >= '2' && *line <= '4' && strcmp(line + 1, end) == 0;
}

/*
 * A line with its device word exchanged. The root's may have been called anything, and that is put
 * back into that line alone; others had the name of a partition.
 */
static bool is_exchange(const char *before, const char *after)
{
	size_t blank = strspn(after, " \t"), word = kmln_uuid_word(after + blank);
	bool indented = strncmp(before, after, blank) == 0;
	size_t old_word = indented ? strcspn(before + blank, " \t") : 0;
	const char *rest = after + blank + word, *mount = rest + strspn(rest, " \t");
	KMLN_FREE char *device = NULL;

	if (!word || !old_word || before[blank] == '#' ||
		strcmp(before + blank + old_word, rest) != 0)
		return false;
	if (mount[0] == '/' && (mount[1] == ' ' || mount[1] == '\t'))
		return true;
	device = kmln_printf("%.*s", (int)old_word, before + blank);
	return kmln_is_device_name(device);
}

static bool could_write(const struct kmln_facts *facts, const struct kmln_record_item *item)
{
	const char *line = kmln_added_line(item);

	if (item->kind != KMLN_RECORD_CHANGE || !kmln_is_place(facts, "/etc/fstab", item->path))
		return false;
	return (line && is_own_line(line)) || kmln_vouch_lines(item, is_exchange);
}

const struct kmln_step kmln_step_fstab = {
	.name = "fstab",
	.summary = "name the root filesystem by its UUID",
	.plan = plan,
	.could_write = could_write,
};
