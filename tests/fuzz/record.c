// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The record of a conversion, as a guest could forge it: read, asked of the steps, and its lines
 * taken out of a text. Aborts where the steps stand by a change of what is no step's.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "guest/undo.h"

static const char *const known[] = {"/etc/fstab", "/etc/inittab", "/etc/securetty", "/boot",
	"/boot/grub", "/boot/grub/grub.cfg", "/etc/kmln", "/etc/kmln/boot.conf", "/etc/modules",
	"/etc/rcS.d", "/etc/rcS.d/S01kmod", "/var/lib/dpkg/info", "/var/lib/apt/extended_states",
	"/lib", "/lib/modules", "/var", "/var/lib", KMLN_RECORD_FOLDER, KMLN_UNITS_FOLDER,
	KMLN_UNITS_FOLDER "/sysinit.target.wants", KMLN_UNITS_FOLDER "/" KMLN_MODULES_UNIT,
	KMLN_UNITS_FOLDER "/sysinit.target.wants/" KMLN_MODULES_UNIT};

/* What a plan for this guest could name: what is known, and what is in /boot and a modules folder.
 */
static bool is_ours(const char *path)
{
	static const char *const folders[] = {"/usr", "/bin", "/sbin", "/lib", "/etc/kernel",
		"/etc/kmln", "/etc/init.d", "/etc/modprobe.d", "/etc/modules-load.d",
		"/etc/depmod.d", "/etc/bash_completion.d", "/var/lib/dpkg/info/", "/vmlinuz",
		"/initrd.img"};

	for (size_t i = 0; i < KMLN_COUNT(known); i++)
		if (kmln_eq(path, known[i]))
			return true;
	for (size_t i = 0; i < KMLN_COUNT(folders); i++)
		if (kmln_starts(path, folders[i]))
			return true;
	if (kmln_starts(path, KMLN_UNITS_FOLDER "/"))
		return kmln_ends(path, ".d") || kmln_ends(path, ".d/" KMLN_UNIT_DROP_IN);
	return kmln_starts(path, "/boot/") && !strchr(path + 6, '/');
}

static void add_known(struct kmln_facts *facts, const char *path)
{
	struct kmln_known_file *file =
		kmln_pool_append(facts->pool, &facts->files, &facts->file_count, sizeof(*file));

	*file = (struct kmln_known_file){.path = path, .real = path, .mode = S_IFREG};
}

static void add_all(struct kmln_facts *facts)
{
	for (size_t i = 0; i < KMLN_COUNT(known); i++)
		add_known(facts, known[i]);
	for (const char *const *unit = kmln_hardware_units; *unit; unit++) {
		const char *folder =
			kmln_pool_printf(facts->pool, KMLN_UNITS_FOLDER "/%s.d", *unit);

		add_known(facts, folder);
		add_known(facts, kmln_pool_printf(facts->pool, "%s/" KMLN_UNIT_DROP_IN, folder));
	}
}

static void take_back(const struct kmln_record_item *item, struct kmln_pool *pool)
{
	static const char text[] = "Package: a\nVersion: 1\n\nttyS0\na\n\nb";
	size_t size = sizeof(text) - 1;
	const char *why = NULL, *left;

	if (item->kind != KMLN_RECORD_CHANGE && item->kind != KMLN_RECORD_APPEND)
		return;
	left = kmln_undo_text(item, pool, text, &size, &why);
	if (left ? strlen(left) != size : !why)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_filesystem root = {.is_ext = true};
	struct kmln_facts facts = {.pool = pool, .root = &root};
	struct kmln_record record;
	const struct kmln_undo undo = {.facts = &facts, .records = &record, .record_count = 1};
	struct kmln_error err;

	add_all(&facts);
	if (kmln_record_parse((const char *)data, size, pool, &record, &err) < 0)
		return 0;
	record.file = "record";
	for (size_t i = 0; i < record.count; i++)
		take_back(&record.items[i], pool);
	if (kmln_undo_vouch(&undo, &err) < 0)
		return 0;
	for (size_t i = 0; i < record.count; i++)
		if (record.items[i].path &&
			(!is_ours(record.items[i].path) || strstr(record.items[i].path, "/../")))
			abort();
	return 0;
}
