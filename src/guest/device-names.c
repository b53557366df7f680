// SPDX-License-Identifier: GPL-2.0-or-later
/* Names of partitions; see device-names.h. */
#include "guest/device-names.h"

#include <stdlib.h>
#include <string.h>

#define UUID_SIZE 36

/* The number of the partition behind the disk's name, or 0. */
static unsigned partition_of(const char *device, const char *disk)
{
	const char *number;
	size_t n;

	if (!disk || !kmln_starts(device, "/dev/") || !kmln_starts(device + 5, disk))
		return 0;
	number = device + 5 + strlen(disk);
	n = strspn(number, "0123456789");
	return n && n < 4 && !number[n] ? (unsigned)strtoul(number, NULL, 10) : 0;
}

static unsigned partition(const char *device)
{
	unsigned number = 0;

	for (const struct kmln_platform *const *p = kmln_platforms; *p && !number; p++)
		number = partition_of(device, (*p)->disk);
	return number;
}

/* A LUKS header may hold any text in its place, and a FAT has a shorter one. */
static const char *whole_uuid(const char *uuid)
{
	return uuid && strlen(uuid) == UUID_SIZE && strspn(uuid, "0123456789abcdef-") == UUID_SIZE
		       ? uuid
		       : NULL;
}

bool kmln_is_device_name(const char *device)
{
	return partition(device) != 0;
}

const char *kmln_device_uuid(
	const struct kmln_facts *facts, const struct kmln_platform *platform, const char *device)
{
	const unsigned number = partition(device);

	if (!number || partition_of(device, platform->disk))
		return NULL;
	for (size_t i = 0; i < facts->volume_count; i++)
		if (facts->volumes[i].partition == number &&
			kmln_eq(facts->volumes[i].type, "luks"))
			return whole_uuid(facts->volumes[i].uuid);
	for (size_t i = 0; i < facts->filesystem_count; i++)
		if (facts->filesystems[i].partition == number)
			return whole_uuid(facts->filesystems[i].uuid);
	return NULL;
}

size_t kmln_uuid_word(const char *text)
{
	static const char head[] = "UUID=";
	size_t n = strlen(head) + UUID_SIZE;

	return kmln_starts(text, head) &&
			       strspn(text + strlen(head), "0123456789abcdef-") == UUID_SIZE &&
			       (text[n] == ' ' || text[n] == '\t')
		       ? n
		       : 0;
}
