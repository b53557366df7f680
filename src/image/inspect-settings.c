// SPDX-License-Identifier: GPL-2.0-or-later
/* fstab, crypttab, swap; the order in which the other settings are read. */
#include "image/inspect.h"

#include <stdlib.h>
#include <string.h>

#include "image/inspect-parts.h"

/* fstab writes blanks in names as \040. */
static void decode_octal(char *word)
{
	char *to = word;

	for (const char *from = word; *from; from++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
			from[2] <= '7' && from[3] >= '0' && from[3] <= '7') {
			*to++ = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 |
				       (from[3] - '0'));
			from += 3;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
}

void kmln_parse_fstab(struct kmln_facts *facts, const char *path, const char *text)
{
	char *rest = kmln_pool_strdup(facts->pool, text), *line;

	(void)path;
	for (unsigned number = 1; kmln_next_line(&rest, &line); number++) {
		char *device = kmln_next_word(&line), *mount = kmln_next_word(&line),
		     *type = kmln_next_word(&line);
		char *options = kmln_next_word(&line);
		struct kmln_fstab_line *f;

		if (!device || device[0] == '#' || !mount)
			continue;
		decode_octal(device);
		decode_octal(mount);
		f = kmln_list_add(facts, &facts->fstab, &facts->fstab_count, sizeof(*f),
			"lines in /etc/fstab");
		if (!f)
			return;
		*f = (struct kmln_fstab_line){device, mount, type ? type : "auto",
			options ? options : "defaults", number};
	}
}

void kmln_parse_crypttab(struct kmln_facts *facts, const char *path, const char *text)
{
	char *rest = kmln_pool_strdup(facts->pool, text), *line;

	(void)path;
	for (unsigned number = 1; kmln_next_line(&rest, &line); number++) {
		char *name = kmln_next_word(&line), *device = kmln_next_word(&line);
		struct kmln_crypttab_line *c;

		if (!name || name[0] == '#' || !device)
			continue;
		c = kmln_list_add(facts, &facts->crypttab, &facts->crypttab_count, sizeof(*c),
			"lines in /etc/crypttab");
		if (!c)
			return;
		*c = (struct kmln_crypttab_line){.name = name, .device = device, .line = number};
		c->key = kmln_next_word(&line);
		c->options = kmln_next_word(&line);
	}
}

static void add_swap(struct kmln_facts *facts, const char *device, const char *source, bool resume)
{
	struct kmln_swap *s = kmln_list_add(
		facts, &facts->swaps, &facts->swap_count, sizeof(*s), "places to swap to");

	if (s)
		*s = (struct kmln_swap){device, source, resume};
}

/* "RESUME=" of initramfs-tools, and "resume=" among the words of a kernel's command line. */
void kmln_parse_resume(struct kmln_facts *facts, const char *path, const char *text)
{
	KMLN_FREE char *copy = kmln_strdup(text);
	char *rest = copy, *line;

	while (kmln_next_line(&rest, &line)) {
		const char *device;

		line = kmln_trim(line);
		if (*line == '#')
			continue;
		device = kmln_starts(line, "RESUME=")
				 ? kmln_pool_strdup(facts->pool, kmln_unquote(line + 7))
				 : kmln_word_value(facts->pool, line, "resume");
		if (!device || !*device || kmln_eq(device, "none") || kmln_eq(device, "auto"))
			continue;
		for (size_t i = 0; i < facts->swap_count; i++)
			if (facts->swaps[i].resume && kmln_eq(facts->swaps[i].device, device))
				device = "";
		if (*device)
			add_swap(facts, device, kmln_pool_strdup(facts->pool, path), true);
	}
}

static bool names_filesystem(
	const char *device, const struct kmln_filesystem *fs, const struct kmln_facts *facts)
{
	if (kmln_starts(device, "UUID="))
		return fs->uuid && strcasecmp(device + 5, fs->uuid) == 0;
	if (kmln_starts(device, "LABEL="))
		return fs->label && strcmp(device + 6, fs->label) == 0;
	if (kmln_starts(device, "PARTUUID="))
		for (size_t i = 0; i < facts->partition_count; i++)
			if (facts->partitions[i].number == fs->partition &&
				facts->partitions[i].uuid)
				return strcasecmp(device + 9, facts->partitions[i].uuid) == 0;
	return false;
}

static void find_mounts(struct kmln_facts *facts)
{
	for (size_t i = 0; i < facts->filesystem_count; i++) {
		struct kmln_filesystem *fs = &facts->filesystems[i];

		if (fs == facts->root)
			fs->mount = "/";
		for (size_t f = 0; !fs->mount && f < facts->fstab_count; f++)
			if (names_filesystem(facts->fstab[f].device, fs, facts))
				fs->mount = facts->fstab[f].mount;
	}
}

/* What fstab names, and swap partitions that it does not. */
static void find_swap(struct kmln_facts *facts)
{
	for (size_t i = 0; i < facts->fstab_count; i++)
		if (kmln_eq(facts->fstab[i].type, "swap"))
			add_swap(facts, facts->fstab[i].device,
				kmln_pool_printf(
					facts->pool, "/etc/fstab:%u", facts->fstab[i].line),
				false);
	for (size_t i = 0; i < facts->filesystem_count; i++)
		if (kmln_eq(facts->filesystems[i].type, "swap") && !facts->filesystems[i].mount)
			add_swap(facts,
				kmln_pool_printf(facts->pool, "partition %u",
					facts->filesystems[i].partition),
				"a swap area that /etc/fstab does not name by UUID or label",
				false);
}

int kmln_inspect_settings(struct kmln_tree *tree, struct kmln_facts *facts, struct kmln_error *err)
{
	struct kmln_look look = {tree, facts, KMLN_LOOK_MAX};
	const struct kmln_known_file *fstab = kmln_facts_file(facts, "/etc/fstab");

	(void)err;
	if (fstab->data)
		kmln_parse_fstab(facts, "/etc/fstab", fstab->data);
	find_mounts(facts);
	find_swap(facts);
	kmln_look_parse(&look, "/etc/crypttab", kmln_parse_crypttab);
	kmln_inspect_marks(&look);
	kmln_inspect_services(&look);
	kmln_inspect_loaders(&look);
	kmln_look_folder(&look, "/etc/initramfs-tools/conf.d", "", kmln_parse_resume);
	kmln_look_parse(&look, "/etc/default/grub", kmln_parse_resume);
	kmln_look_parse(&look, "/etc/kernel/cmdline", kmln_parse_resume);
	for (size_t i = 0; i < facts->boot_entry_count; i++)
		if (facts->boot_entries[i].options)
			kmln_parse_resume(
				facts, facts->boot_entries[i].file, facts->boot_entries[i].options);
	kmln_inspect_network(&look);
	return 0;
}
