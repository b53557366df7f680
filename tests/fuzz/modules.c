// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * depmod's files. The input is all of them, each behind a line "=== NAME". Everything is looked up
 * that a conversion looks up, and the order of loading of every module that is there.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "boot/modules.h"
#include "memory-tree.h"

#define FOLDER "/lib/modules/test"
#define MARK "=== "

static const char *const names[] = {
	"modules.dep", "modules.builtin", "modules.alias", "modules.softdep", NULL};

/* Puts the parts of the text into the tree, under names that we choose. */
static void split(struct memory_tree *memory, struct kmln_pool *pool, const char *text)
{
	while (text && kmln_starts(text, MARK)) {
		const char *name = text + strlen(MARK), *body = strchrnul(name, '\n'), *end;

		body += *body == '\n';
		end = strstr(body, "\n" MARK);
		for (const char *const *known = names; *known; known++)
			if (strncmp(name, *known, strlen(*known)) == 0)
				memory_tree_put(memory,
					kmln_pool_printf(pool, "%s/%s", FOLDER, *known), body,
					end ? (size_t)(end + 1 - body) : strlen(body));
		text = end ? end + 1 : NULL;
	}
}

static void count_alias(void *data, const char *pattern)
{
	*(size_t *)data += strlen(pattern);
}

/* Each module is in the list once, and its file is below the folder. */
static void check(const struct kmln_module *const *list)
{
	for (; *list; list++) {
		if ((*list)->file[0] == '/' || kmln_starts((*list)->file, "../") ||
			strstr((*list)->file, "/../") || strchr((*list)->name, '/'))
			abort();
		for (const struct kmln_module *const *other = list + 1; *other; other++)
			if (*other == *list)
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const asked[] = {
		"virtio_blk", "ext4", "a", "b", "crc32c", "virtio-net", NULL};
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	MEMORY_TREE struct memory_tree memory;
	struct kmln_modules *modules;
	struct kmln_error err = {0};
	size_t letters = 0;

	memory_tree_init(&memory);
	split(&memory, pool, fuzz_text(pool, data, size));
	if (kmln_modules_read(&memory.tree, FOLDER, pool, &modules, &err) < 0)
		return 0;
	for (const char *const *name = asked; *name; name++) {
		const struct kmln_module *module = kmln_modules_get(modules, *name);

		if (module)
			kmln_modules_aliases(modules, module, count_alias, &letters);
		if ((module != NULL) != (kmln_modules_find(modules, *name) == KMLN_DRIVER_MODULE))
			abort();
	}
	check(kmln_modules_closure(modules, asked, pool));
	return 0;
}
