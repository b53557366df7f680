// SPDX-License-Identifier: GPL-2.0-or-later
/* Finding things in a model. */
#include "project/model.h"

#include <string.h>

struct kmln_host *kmln_model_host(const struct kmln_model *model, const char *name)
{
	return kmln_names_find(&model->host_names, name, strlen(name));
}

bool kmln_mount_is_guests(const struct kmln_row *row)
{
	static const char *const types[] = {"tmpfs", "ramfs", "proc", "sysfs", "devpts", "debugfs",
		"cgroup", "cgroup2", "overlay", "nfs", "nfs4", "cifs", "smb3", "9p", "none"};
	const char *source, *type, *colon;

	if (row->count <= KMLN_MOUNT_TYPE)
		return true; /* a mistake, and reported */
	source = row->cells[KMLN_MOUNT_SOURCE].text;
	type = row->cells[KMLN_MOUNT_TYPE].text;
	colon = strchr(source, ':');
	for (size_t i = 0; i < KMLN_COUNT(types); i++)
		if (kmln_eq(type, types[i]))
			return true;
	/* a server's folder has a colon; a tag is written as NAME=value */
	return kmln_starts(source, "/dev/") || (colon && colon[1] == '/') ||
	       (strchr(source, '=') && !strchr(source, '/'));
}

struct kmln_switch *kmln_model_switch(const struct kmln_model *model, const char *name)
{
	return kmln_names_find(&model->switch_names, name, strlen(name));
}
