// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * As step-fstab.c does, for the swap partition that a suspended guest is resumed from: the guest's
 * own initramfs waits for it at each start, and under another platform's name in vain.
 */
#include "guest/steps.h"

#include <string.h>

#include "guest/device-names.h"
#include "guest/lines.h"
#include "guest/vouch.h"

/* RESUME=DEVICE of initramfs-tools; resume=DEVICE among the words for a kernel. */
static const char *const files[] = {
	"/etc/initramfs-tools/conf.d/resume", "/etc/default/grub", "/etc/kernel/cmdline", NULL};

/* Where in the line the device begins; NULL: none is named. */
static const char *find_device(const char *line)
{
	const char *at = line;

	if (line[strspn(line, " \t")] == '#')
		return NULL;
	if (kmln_starts(line, "RESUME="))
		return line + strlen("RESUME=") + (line[strlen("RESUME=")] == '"');
	while ((at = strstr(at, "resume="))) {
		if (at == line || strchr(" \t\"'", at[-1]))
			return at + strlen("resume=");
		at++;
	}
	return NULL;
}

static size_t device_size(const char *device)
{
	return strcspn(device, " \t\"'");
}

static bool exchange(const void *data, unsigned number, const char *line, struct kmln_buf *out)
{
	const struct kmln_planning *planning = data;
	const char *at = find_device(line), *uuid;
	KMLN_FREE char *device = kmln_printf("%.*s", at ? (int)device_size(at) : 0, at ? at : "");

	(void)number;
	uuid = kmln_device_uuid(planning->facts, planning->platform, device);
	if (uuid)
		kmln_buf_printf(
			out, "%.*sUUID=%s%s", (int)(at - line), line, uuid, at + device_size(at));
	return uuid;
}

/* Not missing: a start goes well without it, only later. */
static int plan(struct kmln_planning *planning, struct kmln_error *err)
{
	int r = 0;

	if (!planning->platform->disk || !planning->edits)
		return 0;
	for (const char *const *path = files; *path && r == 0; path++)
		r = kmln_want_lines(planning, "resume",
			"the swap partition by UUID: right on every platform", *path, exchange,
			planning, err);
	return r;
}

static bool is_exchange(const char *before, const char *after)
{
	const char *at = find_device(before), *new_at = find_device(after);
	KMLN_FREE char *device = kmln_printf("%.*s", at ? (int)device_size(at) : 0, at ? at : "");
	KMLN_FREE char *name =
		kmln_printf("%.*s ", new_at ? (int)device_size(new_at) : 0, new_at ? new_at : "");

	return kmln_is_device_name(device) && kmln_uuid_word(name) + 1 == strlen(name) &&
	       at - before == new_at - after && memcmp(before, after, (size_t)(at - before)) == 0 &&
	       strcmp(at + device_size(at), new_at + device_size(new_at)) == 0;
}

static bool could_write(const struct kmln_facts *facts, const struct kmln_record_item *item)
{
	for (const char *const *path = files; *path; path++)
		if (item->path && kmln_is_place(facts, *path, item->path))
			return kmln_vouch_lines(item, is_exchange);
	return false;
}

const struct kmln_step kmln_step_resume = {
	.name = "resume",
	.summary = "name the partition to resume from by its UUID",
	.plan = plan,
	.could_write = could_write,
};
