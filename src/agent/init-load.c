// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Drivers. /modules has a line for each module that the initramfs carries: its name, its file, and
 * the names of all modules that it needs, in load order. /aliases has a line for each pattern and
 * the module that serves it. A module is tried once.
 */
#include "init.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MODULES_MAX 256
#define ALIASES_MAX 2048
#define PARAMETERS_MAX 1024

struct module {
	char *name, *path, *needs;
	char *parameters; /* NULL: none */
	bool tried;
	int error;
};

static struct module modules[MODULES_MAX];
static size_t module_count;
static struct {
	char *pattern;
	struct module *module;
} aliases[ALIASES_MAX];
static size_t alias_count;

/* '-' and '_' are one letter in a module's name; `size` letters of `name` count. */
static struct module *find(const char *name, size_t size)
{
	for (size_t i = 0; i < module_count; i++) {
		const char *own = modules[i].name;
		size_t at = 0;

		while (at < size && own[at] && own[at] == (name[at] == '-' ? '_' : name[at]))
			at++;
		if (at == size && !own[at])
			return &modules[i];
	}
	return NULL;
}

/* The whole file, for the life of the program; NULL where it is missing. */
static char *whole(const char *path)
{
	struct stat st;
	char *text;

	if (stat(path, &st) < 0)
		return NULL;
	text = malloc((size_t)st.st_size + 1);
	if (text && read_text(path, text, (size_t)st.st_size + 1) < 0)
		return NULL;
	return text;
}

void load_open(void)
{
	char *rest = whole("/modules");

	for (char *line; (line = strsep(&rest, "\n")) && module_count < MODULES_MAX;) {
		struct module *module = &modules[module_count];

		module->name = strsep(&line, " ");
		module->path = strsep(&line, " ");
		module->needs = line;
		module_count += module->path != NULL;
	}
	rest = whole("/aliases");
	for (char *line; (line = strsep(&rest, "\n")) && alias_count < ALIASES_MAX;) {
		aliases[alias_count].pattern = strsep(&line, " ");
		aliases[alias_count].module = line ? find(line, strlen(line)) : NULL;
		alias_count += aliases[alias_count].module != NULL;
	}
}

void load_parameter(const char *word)
{
	size_t length = strcspn(word, ".=");
	struct module *module = word[length] == '.' ? find(word, length) : NULL;
	const char *text = word + length + 1;
	size_t used;

	if (!module)
		return;
	if (!module->parameters)
		module->parameters = calloc(1, PARAMETERS_MAX);
	if (!module->parameters)
		return;
	used = strlen(module->parameters);
	/* the kernel splits at spaces: a value with one needs its quotes again */
	snprintf(module->parameters + used, PARAMETERS_MAX - used,
		strchr(text, ' ') ? "%s\"%s\"" : "%s%s", used ? " " : "", text);
}

static void insert(struct module *module)
{
	int fd;

	if (module->tried)
		return;
	module->tried = true;
	fd = open(module->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || (syscall(SYS_finit_module, fd, module->parameters ? module->parameters : "",
			       0) < 0 &&
			      errno != EEXIST))
		module->error = errno;
	if (fd >= 0)
		close(fd);
}

static void load(struct module *module)
{
	const char *needs = module->needs;

	if (module->tried)
		return;
	while (needs && *needs) {
		size_t length = strcspn(needs, " ");
		struct module *needed = find(needs, length);

		if (needed)
			insert(needed);
		needs += length + (needs[length] == ' ');
	}
	insert(module);
}

static unsigned load_for_alias(const char *alias)
{
	unsigned tried = 0;

	for (size_t i = 0; i < alias_count; i++) {
		if (aliases[i].module->tried || fnmatch(aliases[i].pattern, alias, 0) != 0)
			continue;
		load(aliases[i].module);
		tried++;
	}
	return tried;
}

static unsigned load_for_bus(const char *bus)
{
	char folder[INIT_PATH_MAX], path[2 * INIT_PATH_MAX], alias[2048];
	unsigned tried = 0;
	DIR *dir;

	snprintf(folder, sizeof(folder), "/sys/bus/%s/devices", bus);
	dir = opendir(folder);
	for (const struct dirent *e; dir && (e = readdir(dir));) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/modalias", folder, e->d_name);
		if (read_text(path, alias, sizeof(alias)) <= 0)
			continue;
		alias[strcspn(alias, "\n")] = '\0';
		tried += load_for_alias(alias);
	}
	if (dir)
		closedir(dir);
	return tried;
}

unsigned load_for_devices(void)
{
	DIR *dir = opendir("/sys/bus");
	unsigned tried = 0;

	for (const struct dirent *e; dir && (e = readdir(dir));)
		if (e->d_name[0] != '.')
			tried += load_for_bus(e->d_name);
	if (dir)
		closedir(dir);
	return tried;
}

void load_filesystem(const char *type)
{
	char alias[INIT_NAME_MAX];
	struct module *module = find(type, strlen(type));

	if (module)
		load(module);
	snprintf(alias, sizeof(alias), "fs-%s", type);
	load_for_alias(alias);
}

void load_report(void)
{
	for (size_t i = 0; i < module_count; i++)
		if (modules[i].error)
			say("the driver %s was not loaded: %s", modules[i].name,
				strerror(modules[i].error));
}
