// SPDX-License-Identifier: GPL-2.0-or-later
/* The text of GRUB's configuration, and the small file that it is made from. */
#include "boot/grub-config.h"

#include <stdlib.h>
#include <string.h>

struct key {
	const char *name;
	size_t offset;
	bool needed;
};

static const struct key keys[] = {
	{"filesystem", offsetof(struct kmln_boot_config, filesystem), true},
	{"boot", offsetof(struct kmln_boot_config, boot), true},
	{"programs", offsetof(struct kmln_boot_config, programs), true},
	{"drivers", offsetof(struct kmln_boot_config, drivers), true},
	{"kernel", offsetof(struct kmln_boot_config, kernel), true},
	{"options", offsetof(struct kmln_boot_config, options), true},
	{"append", offsetof(struct kmln_boot_config, append), false},
};

static const char **value_of(const struct kmln_boot_config *config, const struct key *key)
{
	return (const char **)((char *)config + key->offset);
}

void kmln_boot_config_write(const struct kmln_boot_config *config, struct kmln_buf *out)
{
	kmln_buf_str(out, KMLN_GRUB_MARK
		": what " KMLN_GRUB_CONFIG " is made from when a kernel comes or goes.\n"
		"# The words of append= are yours: each kernel gets them. After a change run\n"
		"# /usr/lib/kmln/kmln-guest update\n");
	for (size_t i = 0; i < KMLN_COUNT(keys); i++)
		kmln_buf_printf(out, "%s=%s\n", keys[i].name, *value_of(config, &keys[i]));
}

bool kmln_boot_config_read(
	const char *text, struct kmln_pool *pool, struct kmln_boot_config *config)
{
	char *rest = kmln_pool_strdup(pool, text);

	*config = (struct kmln_boot_config){.append = ""};
	for (char *line; (line = strsep(&rest, "\n"));) {
		char *name = strsep(&line, "=");

		for (size_t i = 0; line && i < KMLN_COUNT(keys); i++)
			if (kmln_eq(name, keys[i].name))
				*value_of(config, &keys[i]) = line;
	}
	for (size_t i = 0; i < KMLN_COUNT(keys); i++)
		if (keys[i].needed && !*value_of(config, &keys[i]))
			return false;
	return true;
}

bool kmln_boot_suits(const struct kmln_boot_config *config, const struct kmln_kernel *kernel)
{
	KMLN_FREE char *drivers = kmln_strdup(config->drivers);
	char *rest = drivers;

	if (kernel->uml || !kernel->image || !kernel->indexed ||
		!kmln_arch_runs(*config->programs ? config->programs : NULL, kernel->arch))
		return false;
	for (char *word; (word = strsep(&rest, " "));)
		if (*word && !kmln_kernel_has(kernel, word))
			return false;
	return true;
}

static int newest_first(const void *a, const void *b)
{
	const struct kmln_kernel *const *x = a, *const *y = b;

	return kmln_release_compare((*y)->release, (*x)->release);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void write_head(const char *uuid, struct kmln_buf *out)
{
	kmln_buf_str(out, KMLN_GRUB_MARK
		", and written again by it; entries of your own go into custom.cfg beside it.\n"
		"serial --unit=0 --speed=115200\n"
		"terminal_input serial console\n"
		"terminal_output serial console\n"
		"set timeout=1\n");
	if (uuid)
		kmln_buf_printf(out, "search --no-floppy --fs-uuid --set=root %s\n", uuid);
}

static void write_entry(const struct kmln_grub_config *entry, struct kmln_buf *out)
{
	kmln_buf_printf(out,
		"menuentry 'Linux %s' {\n"
		"\tlinux %s %s\n",
		entry->title, entry->kernel, entry->words);
	if (entry->initramfs)
		kmln_buf_printf(out, "\tinitrd %s\n", entry->initramfs);
	kmln_buf_str(out, "}\n");
}

static void write_end(struct kmln_buf *out)
{
	kmln_buf_str(out, "if [ -f $prefix/custom.cfg ]; then\n\tsource $prefix/custom.cfg\nfi\n");
}

void kmln_grub_config(const struct kmln_grub_config *config, struct kmln_buf *out)
{
	write_head(config->uuid, out);
	write_entry(config, out);
	write_end(out);
}

static void write_kernel(const struct kmln_boot_config *config, const struct kmln_kernel *kernel,
	struct kmln_buf *out)
{
	KMLN_FREE char *image = kmln_printf("%s/%s", config->boot, base_name(kernel->image));
	KMLN_FREE char *initramfs =
		kmln_printf("%s/%s", config->boot, base_name(kernel->initramfs));
	KMLN_FREE char *words =
		kmln_printf("%s%s%s", config->options, *config->append ? " " : "", config->append);

	write_entry(&(struct kmln_grub_config){.title = kernel->release,
			    .kernel = image,
			    .initramfs = initramfs,
			    .words = words},
		out);
}

size_t kmln_grub_config_write(const struct kmln_boot_config *config,
	const struct kmln_kernel *kernels, size_t count, struct kmln_buf *out)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	const struct kmln_kernel **list = kmln_pool_array(pool, count + 1, sizeof(*list));
	size_t used = 0;

	for (size_t i = 0; i < count; i++)
		if (kernels[i].initramfs && kmln_boot_suits(config, &kernels[i]))
			list[used++] = &kernels[i];
	qsort(list, used, sizeof(*list), newest_first);
	write_head(config->filesystem, out);
	for (size_t i = 0; i < used; i++)
		if (kmln_eq(list[i]->release, config->kernel))
			write_kernel(config, list[i], out);
	for (size_t i = 0; i < used; i++)
		if (!kmln_eq(list[i]->release, config->kernel))
			write_kernel(config, list[i], out);
	write_end(out);
	return used;
}
