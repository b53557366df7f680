// SPDX-License-Identifier: GPL-2.0-or-later
/* Names of root images. An image is a file, a block device or a folder with a root filesystem. */
#include "project/images.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

char *kmln_image_folder(struct kmln_pool *pool)
{
	return kmln_folder(pool, KMLN_FOLDER_DATA, "images");
}

/*
 * How well a file's name fits: 0 not at all, 1 by its suffix, more the newer it is by a version
 * behind the name (-V1.2, as MLN writes it).
 */
static unsigned long fits(const char *file, const char *name, bool is_template)
{
	size_t n = strlen(name);
	unsigned long major, minor;
	char *end;

	if (strncmp(file, name, n) != 0)
		return 0;
	file += n;
	if (file[0] == '.' && file[1] && !strchr(file + 1, '.'))
		return 1;
	if (!is_template || !kmln_starts(file, "-V") || !isdigit((unsigned char)file[2]))
		return 0;
	major = strtoul(file + 2, &end, 10);
	if (*end != '.' || !isdigit((unsigned char)end[1]))
		return 0;
	minor = strtoul(end + 1, &end, 10);
	if (*end != '.' || !end[1] || major > 1000000 || minor > 1000000)
		return 0;
	return 2 + major * 1000001 + minor;
}

char *kmln_image_find(
	struct kmln_pool *pool, const char *folder, const char *name, bool is_template)
{
	char *path, *images = kmln_image_folder(pool), *best = NULL;
	unsigned long most = 0;
	struct dirent *entry;
	DIR *dir;

	if (strchr(name, '/')) {
		path = kmln_pool_printf(
			pool, "%s%s", name[0] == '/' || !folder ? "" : folder, name);
		return access(path, F_OK) == 0 ? path : NULL;
	}
	path = kmln_pool_printf(pool, "%s/%s", images, name);
	if (access(path, F_OK) == 0)
		return path;
	dir = opendir(images);
	while (dir && (entry = readdir(dir))) {
		unsigned long fit = fits(entry->d_name, name, is_template);

		/* of two that fit as well the first by name, whatever order the folder has */
		if (fit < most || !fit || (fit == most && strcmp(entry->d_name, best) > 0))
			continue;
		most = fit;
		best = kmln_pool_strdup(pool, entry->d_name);
	}
	if (dir)
		closedir(dir);
	return best ? kmln_pool_printf(pool, "%s/%s", images, best) : NULL;
}
