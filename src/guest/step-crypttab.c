// SPDX-License-Identifier: GPL-2.0-or-later
/* As step-fstab.c does, for encrypted partitions that are opened at the start. */
#include "guest/steps.h"

#include <string.h>

#include "guest/device-names.h"
#include "guest/lines.h"
#include "guest/vouch.h"

/* The second word of the line and where it stands. */
static size_t device_word(const char *line, size_t *at)
{
	*at = strspn(line, " \t");
	*at += strcspn(line + *at, " \t");
	*at += strspn(line + *at, " \t");
	return strcspn(line + *at, " \t");
}

static bool exchange(const void *data, unsigned number, const char *line, struct kmln_buf *out)
{
	const struct kmln_planning *planning = data;
	const struct kmln_facts *facts = planning->facts;
	const char *uuid = NULL;
	size_t at, n = device_word(line, &at);

	for (size_t i = 0; i < facts->crypttab_count && !uuid; i++)
		if (facts->crypttab[i].line == number)
			uuid = kmln_device_uuid(
				facts, planning->platform, facts->crypttab[i].device);
	if (uuid)
		kmln_buf_printf(out, "%.*sUUID=%s%s", (int)at, line, uuid, line + at + n);
	return uuid;
}

static int plan(struct kmln_planning *planning, struct kmln_error *err)
{
	const struct kmln_facts *facts = planning->facts;

	if (!planning->platform->disk)
		return 0;
	for (size_t i = 0; i < facts->crypttab_count; i++)
		if (kmln_device_uuid(facts, planning->platform, facts->crypttab[i].device))
			kmln_missing(
				planning, "%s by UUID in /etc/crypttab", facts->crypttab[i].device);
	if (!planning->edits)
		return 0;
	return kmln_want_lines(planning, "crypttab", "partitions by UUID: right on every platform",
		"/etc/crypttab", exchange, planning, err);
}

static bool is_exchange(const char *before, const char *after)
{
	size_t at, new_at, n = device_word(before, &at), word = device_word(after, &new_at);
	KMLN_FREE char *device = kmln_printf("%.*s", (int)n, before + at);
	KMLN_FREE char *name = kmln_printf("%.*s ", (int)word, after + new_at);

	return at == new_at && memcmp(before, after, at) == 0 && kmln_uuid_word(name) == word &&
	       word && strcmp(before + at + n, after + at + word) == 0 &&
	       kmln_is_device_name(device);
}

static bool could_write(const struct kmln_facts *facts, const struct kmln_record_item *item)
{
	return item->kind == KMLN_RECORD_CHANGE &&
	       kmln_is_place(facts, "/etc/crypttab", item->path) &&
	       kmln_vouch_lines(item, is_exchange);
}

const struct kmln_step kmln_step_crypttab = {
	.name = "crypttab",
	.summary = "name encrypted partitions by their UUID",
	.plan = plan,
	.could_write = could_write,
};
