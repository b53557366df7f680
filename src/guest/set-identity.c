// SPDX-License-Identifier: GPL-2.0-or-later
/* What two copies of a guest must not share: the machine's id, and the host keys of ssh. Asked for
 * once, when a guest is made from another; the guest then makes its own.
 */
#include <string.h>

#include "guest/set.h"

#define MACHINE_ID "/etc/machine-id"
#define DBUS_ID "/var/lib/dbus/machine-id"

static const char *const keys[] = {"rsa", "ecdsa", "ed25519", "dsa"};

static const char *const programs[] = {"/usr/bin/ssh-keygen", NULL};

static const char *key_path(const struct kmln_set *set, size_t i, const char *end)
{
	return kmln_pool_printf(set->pool, "/etc/ssh/ssh_host_%s_key%s", keys[i], end);
}

static void look(const struct kmln_set *set, struct kmln_strv *paths)
{
	kmln_set_look(paths, MACHINE_ID);
	kmln_set_look(paths, DBUS_ID);
	for (size_t i = 0; i < KMLN_COUNT(keys); i++) {
		kmln_set_look(paths, key_path(set, i, ""));
		kmln_set_look(paths, key_path(set, i, ".pub"));
	}
}

static int empty_machine_id(struct kmln_set *set, struct kmln_error *err)
{
	const struct kmln_known_file *id = kmln_set_known(set, MACHINE_ID);
	const struct kmln_known_file *dbus = kmln_set_known(set, DBUS_ID);
	const struct kmln_set_file empty = {.path = MACHINE_ID, .data = "", .mode = 0444};
	int r = 0;

	if (id && S_ISREG(id->mode) && id->size)
		r = kmln_set_put(set, &empty, "it makes itself an id", false, false, err);
	/* systemd's dbus has a link there, which leads to the one above */
	if (r == 0 && dbus && !dbus->link)
		r = kmln_set_remove(set, DBUS_ID, "it makes itself an id", err);
	return r;
}

static int remove_keys(struct kmln_set *set, struct kmln_error *err)
{
	static const char why[] = "it makes itself keys";
	int r = 0;

	for (size_t i = 0; r == 0 && i < KMLN_COUNT(keys) && !set->settings->itself; i++) {
		r = kmln_set_remove(set, key_path(set, i, ""), why, err);
		if (r == 0)
			r = kmln_set_remove(set, key_path(set, i, ".pub"), why, err);
	}
	/* makes those that are missing; Debian's ssh does not by itself */
	if (kmln_set_there(set, programs[0]))
		kmln_buf_str(&set->boot, "/usr/bin/ssh-keygen -A\n");
	return r;
}

static int plan(struct kmln_set *set, struct kmln_error *err)
{
	const bool empty = set->settings->empty_machine_id && !set->settings->itself;
	int r = empty ? empty_machine_id(set, err) : 0;

	return r == 0 && set->settings->new_host_keys ? remove_keys(set, err) : r;
}

const struct kmln_setting kmln_set_identity = {
	.name = "identity", .look = look, .plan = plan, .programs = programs};
