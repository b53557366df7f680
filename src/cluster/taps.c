// SPDX-License-Identifier: GPL-2.0-or-later
/* The host's network devices that start scripts made; see store.h. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "cluster/control.h"
#include "cluster/store.h"

static int remove_device(const char *name, struct kmln_error *err)
{
	const char *const argv[] = {"ip", "tuntap", "del", "dev", name, "mode", "tap", NULL};
	const struct kmln_child child = {.argv = argv, .package = "iproute2"};
	KMLN_FREE char *there = kmln_printf("/sys/class/net/%s", name);

	return access(there, F_OK) == 0 ? kmln_child_must(&child, NULL, err) : 0;
}

/* The note holds the node's name and a newline. */
static bool is_needed(const struct kmln_store *store, const char *note)
{
	KMLN_BUF struct kmln_buf node = {0};
	struct kmln_error err;

	if (kmln_read_file(note, 4096, &node, &err) < 0 || !node.size)
		return false;
	node.data[strcspn(node.data, "\n")] = '\0';
	return !strchr(node.data, '/') &&
	       kmln_node_keeper(kmln_store_node_folder(store, node.data)) != 0;
}

int kmln_taps_clear(const struct kmln_store *store, struct kmln_error *err)
{
	const char *folder = kmln_pool_printf(store->pool, "%s/taps", store->runtime);
	KMLN_STRV struct kmln_strv names = {0};
	int r = kmln_store_names(folder, &names, err);

	for (size_t i = 0; r == 0 && i < names.count; i++) {
		const char *note = kmln_pool_printf(store->pool, "%s/%s", folder, names.items[i]);

		if (is_needed(store, note))
			continue;
		r = remove_device(names.items[i], err);
		if (r == 0)
			unlink(note);
	}
	return r;
}
