/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A new GUID partition table, as bytes. Pure; reading tables is image/partitions.c. */
#ifndef KMLN_GUEST_GPT_H
#define KMLN_GUEST_GPT_H

#include <stdint.h>

#include "base/mem.h"

#define KMLN_GPT_LINUX "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
#define KMLN_GPT_ESP "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
#define KMLN_GPT_BIOS_BOOT "21686148-6449-6E6F-744E-656564454649"

struct kmln_gpt_partition {
	unsigned number; /* from 1 */
	const char *type; /* one of the above */
	const char *name; /* ASCII, up to 36 letters */
	uint64_t start, count; /* sectors */
};

/*
 * Writes the table of a disk of `sectors` sectors: head[KMLN_GPT_SECTORS] with a protective MBR in
 * sector 0 (whose boot code is left as it is), and tail[KMLN_GPT_BACKUP_SECTORS] for its end. GUIDs
 * come from `seed`: those of one seed are always the same, those of two differ.
 */
void kmln_gpt_make(char *head, char *tail, uint64_t sectors, const char *seed,
	const struct kmln_gpt_partition *partitions, size_t count);

#endif
