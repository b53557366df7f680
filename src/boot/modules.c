// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * depmod's files. A name is looked up by bisection; the order of loading is a walk, depth first,
 * with a stack of its own, so that a chain or a cycle of any length in modules.dep does no harm.
 */
#include "boot/modules.h"

#include <stdlib.h>
#include <string.h>

#define SOFTDEPS_MAX 1000 /* each is looked at for each module; a distribution has thirty */
#define FILE_LIMIT (6u << 20) /* a distribution's biggest is 2 MB */

struct entry {
	struct kmln_module module; /* first: a kmln_module is its entry */
	const char *needs; /* paths, a space between: the right side in modules.dep */
	size_t line; /* of two lines for one name the first counts */
};

struct alias {
	const char *pattern, *module;
};

struct softdep {
	const char *module, *text;
};

struct kmln_modules {
	struct entry *entries; /* by name */
	size_t count;
	const char **builtin; /* by name */
	size_t builtin_count;
	struct alias *aliases;
	size_t alias_count;
	struct softdep *softdeps;
	size_t softdep_count;
};

/* ---- names ---- */

/* "kernel/fs/foo-bar.ko.xz" -> "foo_bar"; NULL where it is not the name of a module. */
static const char *name_of(struct kmln_pool *pool, const char *path, size_t size)
{
	const char *slash = memrchr(path, '/', size);
	const char *start = slash ? slash + 1 : path;
	size_t length = size - (size_t)(start - path);
	const char *end = memmem(start, length, ".ko", 3);
	char *name;

	if (end)
		length = (size_t)(end - start);
	if (length == 0 || length > 200)
		return NULL;
	name = kmln_pool_memdup(pool, start, length);
	for (char *c = name; *c; c++) {
		if (*c == '-')
			*c = '_';
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			    (*c >= '0' && *c <= '9') || *c == '_'))
			return NULL;
	}
	return strlen(name) == length ? name : NULL;
}

static bool path_is_inside(const char *path)
{
	if (path[0] == '/' || path[0] == '\0')
		return false;
	for (const char *p = path; *p; p += strcspn(p, "/"), p += *p == '/')
		if (p[0] == '.' && p[1] == '.' && (p[2] == '/' || p[2] == '\0'))
			return false;
	return true;
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = strcmp(x->module.name, y->module.name);

	return order ? order : (x->line > y->line) - (x->line < y->line);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The first entry of this name. */
static const struct entry *find(const struct kmln_modules *modules, const char *name)
{
	size_t low = 0, high = modules->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(modules->entries[middle].module.name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < modules->count && strcmp(modules->entries[low].module.name, name) == 0
		       ? &modules->entries[low]
		       : NULL;
}

/* ---- the files ---- */

/* The file's text in the pool, or "" where it is missing and need not be there. */
static int load(struct kmln_tree *tree, const char *folder, const char *name, bool needed,
	struct kmln_pool *pool, char **text, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf buf = {0};
	struct kmln_error failed = {0};
	int r = kmln_tree_load(
		tree, kmln_pool_printf(pool, "%s/%s", folder, name), FILE_LIMIT, &buf, &failed);

	if (r == -ENOENT && !needed) {
		*text = kmln_pool_strdup(pool, "");
		return 0;
	}
	if (r < 0) {
		*err = failed;
		return r;
	}
	*text = kmln_pool_memdup(pool, buf.data, buf.size);
	return 0;
}

static void parse_dep(struct kmln_modules *modules, struct kmln_pool *pool, char *text)
{
	for (char *line; (line = strsep(&text, "\n"));) {
		char *path = strsep(&line, ":");
		const char *name = line ? name_of(pool, path, strlen(path)) : NULL;
		struct entry *entry;

		if (!name || !path_is_inside(path))
			continue;
		entry = kmln_pool_append(pool, &modules->entries, &modules->count, sizeof(*entry));
		*entry = (struct entry){{name, path}, line, modules->count};
	}
	if (modules->count)
		qsort(modules->entries, modules->count, sizeof(struct entry), compare_entries);
}

static void parse_builtin(struct kmln_modules *modules, struct kmln_pool *pool, char *text)
{
	for (char *line; (line = strsep(&text, "\n"));) {
		const char *name = name_of(pool, line, strlen(line));

		if (name)
			*(const char **)kmln_pool_append(pool, &modules->builtin,
				&modules->builtin_count, sizeof(char *)) = name;
	}
	if (modules->builtin_count)
		qsort(modules->builtin, modules->builtin_count, sizeof(char *), compare_names);
}

/* "alias PATTERN MODULE" */
static void parse_alias(struct kmln_modules *modules, struct kmln_pool *pool, char *text)
{
	for (char *line; (line = strsep(&text, "\n"));) {
		char *pattern, *module;
		const char *name;

		if (!kmln_eq(strsep(&line, " "), "alias") || !line)
			continue;
		pattern = strsep(&line, " ");
		module = strsep(&line, " ");
		name = module ? name_of(pool, module, strlen(module)) : NULL;
		if (!name || !*pattern)
			continue;
		*(struct alias *)kmln_pool_append(pool, &modules->aliases, &modules->alias_count,
			sizeof(struct alias)) = (struct alias){pattern, name};
	}
}

/* "softdep MODULE pre: A B post: C" */
static void parse_softdep(struct kmln_modules *modules, struct kmln_pool *pool, char *text)
{
	for (char *line; (line = strsep(&text, "\n"));) {
		const char *name = NULL;
		char *module;

		if (!kmln_eq(strsep(&line, " "), "softdep") || !line)
			continue;
		module = strsep(&line, " ");
		if (line && modules->softdep_count < SOFTDEPS_MAX)
			name = name_of(pool, module, strlen(module));
		if (name)
			*(struct softdep *)kmln_pool_append(pool, &modules->softdeps,
				&modules->softdep_count, sizeof(struct softdep)) =
				(struct softdep){name, line};
	}
}

int kmln_modules_read(struct kmln_tree *tree, const char *folder, struct kmln_pool *pool,
	struct kmln_modules **modules, struct kmln_error *err)
{
	static const struct {
		const char *name;
		bool needed;
		void (*parse)(struct kmln_modules *modules, struct kmln_pool *pool, char *text);
	} files[] = {
		{"modules.dep", true, parse_dep},
		{"modules.builtin", false, parse_builtin},
		{"modules.alias", false, parse_alias},
		{"modules.softdep", false, parse_softdep},
	};
	struct kmln_modules *m = kmln_pool_alloc(pool, sizeof(*m));

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char *text;
		int r = load(tree, folder, files[i].name, files[i].needed, pool, &text, err);

		if (r < 0)
			return r;
		files[i].parse(m, pool, text);
	}
	*modules = m;
	return 0;
}

/* ---- answers ---- */

const char *kmln_modules_compression(const struct kmln_modules *modules)
{
	static const char *const kinds[][2] = {
		{".ko", "none"}, {".ko.gz", "gz"}, {".ko.xz", "xz"}, {".ko.zst", "zst"}};

	for (size_t i = 0; i < KMLN_COUNT(kinds) && modules->count; i++)
		if (kmln_ends(modules->entries[0].module.file, kinds[i][0]))
			return kinds[i][1];
	return NULL;
}

const struct kmln_module *kmln_modules_get(const struct kmln_modules *modules, const char *name)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	const char *own = name_of(pool, name, strlen(name));
	const struct entry *entry = own ? find(modules, own) : NULL;

	return entry ? &entry->module : NULL;
}

enum kmln_driver kmln_modules_find(const struct kmln_modules *modules, const char *name)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	const char *own = name_of(pool, name, strlen(name));

	if (!own)
		return KMLN_DRIVER_ABSENT;
	if (find(modules, own))
		return KMLN_DRIVER_MODULE;
	if (modules->builtin_count && bsearch(&own, modules->builtin, modules->builtin_count,
					      sizeof(char *), compare_names))
		return KMLN_DRIVER_BUILTIN;
	return KMLN_DRIVER_ABSENT;
}

void kmln_modules_aliases(const struct kmln_modules *modules, const struct kmln_module *module,
	kmln_alias_fn fn, void *data)
{
	for (size_t i = 0; i < modules->alias_count; i++)
		if (strcmp(modules->aliases[i].module, module->name) == 0)
			fn(data, modules->aliases[i].pattern);
}

/* ---- the order of loading ---- */

struct step {
	const struct entry *entry;
	bool leave; /* all that it needs is in the list: add it */
};

struct walk {
	const struct kmln_modules *modules;
	struct kmln_pool *pool; /* of the walk */
	bool *entered; /* per entry: in the list, or about to be */
	struct step *stack;
	size_t depth, room;
};

static void push(struct walk *walk, const struct entry *entry, bool leave)
{
	if (walk->depth == walk->room)
		kmln_pool_append(walk->pool, &walk->stack, &walk->room, sizeof(struct step));
	walk->stack[walk->depth++] = (struct step){entry, leave};
}

/* A soft dependency: a module, or an alias that a portable ("_generic") module serves. */
static void push_soft(struct walk *walk, const char *word, size_t size)
{
	const char *name = name_of(walk->pool, word, size);
	const struct entry *entry = name ? find(walk->modules, name) : NULL;

	if (entry) {
		push(walk, entry, false);
		return;
	}
	for (size_t i = 0; i < walk->modules->alias_count; i++) {
		const struct alias *alias = &walk->modules->aliases[i];

		if (strlen(alias->pattern) == size && memcmp(alias->pattern, word, size) == 0 &&
			kmln_ends(alias->module, "_generic") &&
			(entry = find(walk->modules, alias->module)))
			push(walk, entry, false);
	}
}

static void push_softdeps(struct walk *walk, const struct entry *entry)
{
	for (size_t i = 0; i < walk->modules->softdep_count; i++) {
		const struct softdep *soft = &walk->modules->softdeps[i];
		bool before = false;

		if (strcmp(soft->module, entry->module.name) != 0)
			continue;
		for (const char *p = soft->text; *p;) {
			size_t length = strcspn(p, " ");

			if (length && p[length - 1] == ':')
				before = length == 4 && memcmp(p, "pre:", 4) == 0;
			else if (length && before)
				push_soft(walk, p, length);
			p += length + (p[length] == ' ');
		}
	}
}

/* What is pushed last is walked first; modules.dep names what is needed first last. */
static void push_needs(struct walk *walk, const struct entry *entry)
{
	for (const char *p = entry->needs; *p;) {
		size_t length = strcspn(p, " ");
		const char *name = length ? name_of(walk->pool, p, length) : NULL;
		const struct entry *needed = name ? find(walk->modules, name) : NULL;

		if (needed)
			push(walk, needed, false);
		p += length + (p[length] == ' ');
	}
	push_softdeps(walk, entry);
}

const struct kmln_module *const *kmln_modules_closure(
	const struct kmln_modules *modules, const char *const *names, struct kmln_pool *pool)
{
	KMLN_POOL struct kmln_pool *own = kmln_pool_new();
	struct walk walk = {.modules = modules, .pool = own};
	const struct kmln_module **list = NULL;
	size_t count = 0;

	walk.entered = kmln_pool_array(own, modules->count + 1, sizeof(bool));
	for (; *names; names++) {
		const struct kmln_module *module = kmln_modules_get(modules, *names);

		if (module)
			push(&walk, (const struct entry *)module, false);
		while (walk.depth) {
			struct step step = walk.stack[--walk.depth];
			size_t index = (size_t)(step.entry - modules->entries);

			if (step.leave) {
				*(const struct kmln_module **)kmln_pool_append(
					pool, &list, &count, sizeof(*list)) = &step.entry->module;
			} else if (!walk.entered[index]) {
				walk.entered[index] = true;
				push(&walk, step.entry, true);
				push_needs(&walk, step.entry);
			}
		}
	}
	kmln_pool_append(pool, &list, &count, sizeof(*list));
	return list;
}
