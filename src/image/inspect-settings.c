// SPDX-License-Identifier: GPL-2.0-or-later
/* fstab, network settings, boot loader configuration. */
#include "image/inspect.h"

#include <stdlib.h>
#include <string.h>

#define WORD_BREAKS " \t\r"

/* The next word of *text, or NULL. */
static char *next_word(char **text)
{
	char *word;

	do
		word = strsep(text, WORD_BREAKS);
	while (word && !*word);
	return word;
}

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

static void read_fstab(struct kmln_facts *facts)
{
	char *text = kmln_pool_strdup(facts->pool, kmln_facts_file(facts, "/etc/fstab")->data);
	char *line;

	for (unsigned number = 1; kmln_next_line(&text, &line); number++) {
		char *device = next_word(&line), *mount = next_word(&line),
		     *type = next_word(&line);
		char *options = next_word(&line);
		struct kmln_fstab_line *f;

		if (!device || device[0] == '#' || !mount)
			continue;
		decode_octal(device);
		decode_octal(mount);
		f = kmln_pool_append(facts->pool, &facts->fstab, &facts->fstab_count, sizeof(*f));
		*f = (struct kmln_fstab_line){device, mount, type ? type : "auto",
			options ? options : "defaults", number};
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

static struct kmln_interface *add_interface(
	struct kmln_facts *facts, const char *name, const char *system, const char *file)
{
	struct kmln_interface *i = kmln_pool_append(
		facts->pool, &facts->interfaces, &facts->interface_count, sizeof(*i));

	*i = (struct kmln_interface){.name = kmln_pool_strdup(facts->pool, name),
		.system = system,
		.file = kmln_pool_strdup(facts->pool, file)};
	return i;
}

/* "iface NAME FAMILY METHOD", and "address" below it. */
static void read_ifupdown(struct kmln_tree *tree, struct kmln_facts *facts, const char *path)
{
	char *text = (char *)kmln_inspect_text(tree, facts, path), *line;
	struct kmln_interface *current = NULL;

	while (kmln_next_line(&text, &line)) {
		char *word = next_word(&line), *name;

		if (kmln_eq(word, "iface") && (name = next_word(&line))) {
			current = add_interface(facts, name, "ifupdown", path);
			next_word(&line);
			current->method = next_word(&line);
		} else if (kmln_eq(word, "address") && current) {
			current->address = next_word(&line);
		}
	}
}

static void read_networkd(struct kmln_tree *tree, struct kmln_facts *facts, const char *path)
{
	char *text = (char *)kmln_inspect_text(tree, facts, path), *line;
	struct kmln_interface *current = NULL;

	while (kmln_next_line(&text, &line)) {
		char *key = strsep(&line, "="), *value = line;

		if (!value)
			continue;
		if (kmln_eq(key, "Name") && !current)
			current = add_interface(facts, value, "systemd-networkd", path);
		else if (kmln_eq(key, "DHCP") && current)
			current->method = kmln_eq(value, "no") ? "static" : "dhcp";
		else if (kmln_eq(key, "Address") && current)
			current->address = value;
	}
	if (current && !current->method)
		current->method = "static";
}

typedef void (*read_fn)(struct kmln_tree *tree, struct kmln_facts *facts, const char *path);

static void read_folder(struct kmln_tree *tree, struct kmln_facts *facts, const char *folder,
	const char *suffix, read_fn read)
{
	KMLN_STRV struct kmln_strv names = {0};
	struct kmln_error ignored;

	if (kmln_tree_names(tree, folder, &names, &ignored) < 0)
		return;
	for (size_t i = 0; i < names.count && i < 1000; i++) {
		KMLN_FREE char *path = kmln_printf("%s/%s", folder, names.items[i]);

		if (kmln_ends(names.items[i], suffix))
			read(tree, facts, path);
	}
}

static void find_loader(struct kmln_tree *tree, struct kmln_facts *facts)
{
	static const struct {
		const char *name, *config;
	} loaders[] = {{"grub", "/boot/grub/grub.cfg"}, {"grub", "/boot/grub2/grub.cfg"},
		{"grub-legacy", "/boot/grub/menu.lst"},
		{"extlinux", "/boot/extlinux/extlinux.conf"},
		{"syslinux", "/boot/syslinux/syslinux.cfg"}, {"lilo", "/etc/lilo.conf"}};

	for (size_t i = 0; i < KMLN_COUNT(loaders) && !facts->loader; i++) {
		KMLN_BUF struct kmln_buf real = {0};
		struct kmln_error ignored;
		struct kmln_stat st;

		if (kmln_tree_resolve(tree, loaders[i].config, &real, &ignored) == 0 &&
			kmln_tree_stat(tree, real.data, &st, &ignored) == 0 && S_ISREG(st.mode)) {
			facts->loader = loaders[i].name;
			facts->loader_config = loaders[i].config;
		}
	}
}

int kmln_inspect_settings(struct kmln_tree *tree, struct kmln_facts *facts, struct kmln_error *err)
{
	(void)err;
	read_fstab(facts);
	find_mounts(facts);
	read_ifupdown(tree, facts, "/etc/network/interfaces");
	read_folder(tree, facts, "/etc/network/interfaces.d", "", read_ifupdown);
	read_folder(tree, facts, "/etc/systemd/network", ".network", read_networkd);
	find_loader(tree, facts);
	return 0;
}
