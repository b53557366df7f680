// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The root filesystem is named by its UUID, which is the same wherever the disk is plugged in; and
 * where that is wished, disks that are not part of the image are marked as ones that may be
 * missing. Only single words of lines change; the rest of the file stays as its owner wrote it.
 */
#include "guest/fstab-lines.h"
#include "guest/steps.h"
#include "guest/vouch.h"

#include <string.h>

#define WHY_NOFAIL "the guest starts without disks that are not there"
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

static const struct kmln_fstab_line *line_at(const struct kmln_facts *facts, unsigned number)
{
	for (size_t i = 0; i < facts->fstab_count; i++)
		if (facts->fstab[i].line == number)
			return &facts->fstab[i];
	return NULL;
}

static bool is_merged(const struct kmln_goal *goal, const struct kmln_fstab_line *line)
{
	for (size_t i = 0; i < goal->merged_count; i++)
		if (kmln_eq(goal->merged[i]->mount, line->mount))
			return true;
	return false;
}

/* The text with words exchanged: the device of the line `root`, options of disks that are missing.
 */
static void rewrite(struct kmln_planning *planning, const char *text,
	const struct kmln_fstab_line *root, struct kmln_buf *out)
{
	const struct kmln_facts *facts = planning->facts;
	KMLN_FREE char *uuid = kmln_printf("UUID=%s", facts->root->uuid);

	for (unsigned number = 1; *text; number++) {
		const struct kmln_fstab_line *line = line_at(facts, number);
		size_t n = strcspn(text, "\n");

		if (line && line == root)
			kmln_fstab_device(out, text, n, uuid);
		else if (line && is_merged(planning->goal, line))
			kmln_fstab_merged(out, text, n);
		else if (line && planning->goal->nofail &&
			 kmln_fstab_lacks(facts, line, planning->platform->wants_bare))
			kmln_fstab_nofail(out, text, n);
		else
			kmln_buf_add(out, text, n);
		if (text[n])
			kmln_buf_str(out, "\n");
		text += n + (text[n] == '\n');
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
	bool right;

	/* a container's root is mounted before it starts */
	if (!planning->platform->disk)
		return 0;
	for (size_t i = 0; i < facts->fstab_count; i++)
		if (kmln_eq(facts->fstab[i].mount, "/"))
			line = &facts->fstab[i];
	right = line ? names_root(line->device, facts, planning->platform)
		     : !needs_line(facts->init);
	if (!right)
		kmln_missing(planning, "the root filesystem by UUID in /etc/fstab");
	if (!planning->edits || (right && !planning->goal->nofail && !planning->goal->merged_count))
		return 0;
	if (file->data)
		rewrite(planning, file->data, right ? NULL : line, &text);
	if (!right && !line) {
		if (text.size && text.data[text.size - 1] != '\n')
			kmln_buf_str(&text, "\n");
		kmln_buf_printf(&text, "UUID=%s / %s errors=remount-ro 0 1\n", facts->root->uuid,
			facts->root->type);
	}
	if (!text.size)
		return 0;
	return kmln_want_file(planning, "fstab", right ? WHY_NOFAIL : WHY, "/etc/fstab",
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
static bool is_exchange(const char *old, size_t old_size, const char *new, size_t new_size)
{
	size_t blank = strspn(new, " \t"), word = uuid_word(new + blank), old_word;
	const char *mount = new + blank + word;

	if (!word || blank + word > new_size || old_size < blank || memcmp(old, new, blank) != 0 ||
		old[blank] == '#')
		return false;
	old_word = strcspn(old + blank, " \t\n");
	mount += strspn(mount, " \t");
	return old_word && old_size - blank >= old_word &&
	       old_size - blank - old_word == new_size - blank - word &&
	       memcmp(old + blank + old_word, new + blank + word, new_size - blank - word) == 0 &&
	       mount[0] == '/' && (mount[1] == ' ' || mount[1] == '\t');
}

static bool is_comment(const char *old, size_t old_size, const char *new, size_t new_size)
{
	KMLN_BUF struct kmln_buf comment = {0};

	kmln_fstab_merged(&comment, old, old_size);
	return comment.size == new_size && memcmp(comment.data, new, new_size) == 0;
}

static bool is_marked(const char *old, size_t old_size, const char *new, size_t new_size)
{
	KMLN_BUF struct kmln_buf marked = {0};

	kmln_fstab_nofail(&marked, old, old_size);
	return old_size && old[strspn(old, " \t")] != '#' && marked.size == new_size &&
	       memcmp(marked.data, new, new_size) == 0;
}

/* Line for line the same, but for words that this step exchanges; and its own line at the end. */
static bool is_rewrite(const struct kmln_record_item *item)
{
	const char *old = item->old, *new = item->new;

	while (*old && *new) {
		size_t n = strcspn(old, "\n"), m = strcspn(new, "\n");

		if ((n != m || memcmp(old, new, n) != 0) && !is_exchange(old, n, new, m) &&
			!is_marked(old, n, new, m) && !is_comment(old, n, new, m))
			return false;
		/* the last line may have had no end */
		if (!!old[n] != !!new[m] && old[n])
			return false;
		old += n + (old[n] == '\n');
		new += m + (new[m] == '\n');
	}
	return !*old && (!*new || is_own_line(new));
}

static bool could_write(const struct kmln_facts *facts, const struct kmln_record_item *item)
{
	const char *line = kmln_added_line(item);

	if (item->kind != KMLN_RECORD_CHANGE || !kmln_is_place(facts, "/etc/fstab", item->path))
		return false;
	if (line && is_own_line(line))
		return true;
	return item->was == KMLN_WAS_KEPT && item->old_size && is_rewrite(item);
}

const struct kmln_step kmln_step_fstab = {
	.name = "fstab",
	.summary = "name the root filesystem by its UUID",
	.plan = plan,
	.could_write = could_write,
};
