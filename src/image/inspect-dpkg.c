// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a step must know to tell dpkg of packages: where the texts that dpkg, apt and debconf keep
 * end, and what the guest runs when a kernel is installed. The texts are read as streams.
 */
#include "image/inspect.h"

#include <string.h>
#include <sys/stat.h>

/* debconf knows 10 MB in a big system; what is longer no step adds to */
#define TEXT_MAX (64u << 20)

static const char *const texts[] = {"/var/lib/dpkg/status", "/var/lib/apt/extended_states",
	"/var/cache/debconf/config.dat", "/var/cache/debconf/templates.dat"};

static int count_newlines(void *data, const char *bytes, size_t size, struct kmln_error *err)
{
	struct kmln_text_end *text = data;
	unsigned newlines = 0;

	(void)err;
	text->size += size;
	while (newlines < 2 && newlines < size && bytes[size - 1 - newlines] == '\n')
		newlines++;
	/* a piece that is nothing but newlines goes on from the one before */
	text->newlines = newlines == size ? text->newlines + newlines : newlines;
	text->newlines = text->newlines > 2 ? 2 : text->newlines;
	return 0;
}

static void read_end(struct kmln_tree *tree, struct kmln_facts *facts, const char *path)
{
	struct kmln_text_end *text = kmln_pool_append(
		facts->pool, &facts->text_ends, &facts->text_end_count, sizeof(*text));
	KMLN_BUF struct kmln_buf real = {0};
	struct kmln_error ignored;
	struct kmln_stat st;

	*text = (struct kmln_text_end){.path = path, .newlines = 2};
	if (kmln_tree_resolve(tree, path, &real, &ignored) < 0)
		return;
	text->real = kmln_pool_strdup(facts->pool, real.data);
	if (kmln_tree_stat(tree, real.data, &st, &ignored) < 0 || !S_ISREG(st.mode) ||
		st.size > TEXT_MAX)
		return;
	text->there = kmln_tree_read(tree, real.data, count_newlines, text, &ignored) == 0;
	text->mode = st.mode;
	text->uid = st.uid;
	text->gid = st.gid;
	text->mtime = st.mtime;
	text->mtime_ns = st.mtime_ns;
}

const struct kmln_text_end *kmln_facts_text_end(const struct kmln_facts *facts, const char *path)
{
	for (size_t i = 0; i < facts->text_end_count; i++)
		if (kmln_eq(facts->text_ends[i].path, path))
			return &facts->text_ends[i];
	return NULL;
}

const struct kmln_package *kmln_facts_package(const struct kmln_facts *facts, const char *name)
{
	for (size_t i = 0; i < facts->package_count; i++)
		if (kmln_eq(facts->packages[i].name, name))
			return &facts->packages[i];
	return NULL;
}

bool kmln_package_is_installed(const struct kmln_package *package)
{
	return package->status && kmln_ends(package->status, " ok installed");
}

static void read_hooks(struct kmln_tree *tree, struct kmln_facts *facts)
{
	static const char *const folders[] = {"/etc/kernel/preinst.d", "/etc/kernel/postinst.d",
		"/usr/share/kernel/preinst.d", "/usr/share/kernel/postinst.d"};
	const char **hooks = NULL;
	size_t count = 0;

	for (size_t f = 0; f < KMLN_COUNT(folders); f++) {
		KMLN_STRV struct kmln_strv names = {0};
		struct kmln_error ignored;

		if (kmln_tree_names(tree, folders[f], &names, &ignored) < 0)
			continue;
		for (size_t i = 0; i < names.count && count < 100; i++)
			*(const char **)kmln_pool_append(facts->pool, &hooks, &count,
				sizeof(char *)) = kmln_pool_strdup(facts->pool, names.items[i]);
	}
	kmln_pool_append(facts->pool, &hooks, &count, sizeof(char *));
	facts->kernel_hooks = hooks;
}

static bool is_there(struct kmln_tree *tree, const char *path)
{
	KMLN_BUF struct kmln_buf real = {0};
	struct kmln_error ignored;
	struct kmln_stat st;

	return kmln_tree_resolve(tree, path, &real, &ignored) == 0 &&
	       kmln_tree_stat(tree, real.data, &st, &ignored) == 0;
}

void kmln_inspect_dpkg(struct kmln_tree *tree, struct kmln_facts *facts)
{
	if (!kmln_eq(facts->package_manager, "dpkg"))
		return;
	for (size_t i = 0; i < KMLN_COUNT(texts); i++)
		read_end(tree, facts, texts[i]);
	read_hooks(tree, facts);
	for (size_t i = 0; kmln_initramfs_tools[i]; i++)
		facts->has_initramfs_tool |= is_there(tree, kmln_initramfs_tools[i]);
}
