// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * /etc/hosts: the hosts of the project. The block stands first, since the first line of a name is
 * the one that counts; what the guest has stays below it.
 */
#include <string.h>

#include "guest/set.h"

static void look(const struct kmln_set *set, struct kmln_strv *paths)
{
	(void)set;
	kmln_set_look(paths, "/etc/hosts");
}

static bool has_own_line(const struct kmln_settings *s)
{
	for (size_t i = 0; i < s->host_count; i++)
		for (const char *const *n = s->hosts[i].names; *n; n++)
			if (strcasecmp(*n, s->hostname) == 0)
				return true;
	return false;
}

/* The name must lead somewhere: to an address of the guest's own, else to itself. */
static void add_own_name(const struct kmln_set *set, struct kmln_buf *body)
{
	const char *name = set->settings->hostname;
	const char *v4 = kmln_set_own_address(set, false), *v6 = kmln_set_own_address(set, true);

	if (!name || has_own_line(set->settings))
		return;
	if (v4 || !v6)
		kmln_buf_printf(body, "%s\t%s\n", v4 ? v4 : "127.0.1.1", name);
	if (v6)
		kmln_buf_printf(body, "%s\t%s\n", v6, name);
}

static int plan(struct kmln_set *set, struct kmln_error *err)
{
	const struct kmln_known_file *file = kmln_set_known(set, "/etc/hosts");
	const struct kmln_settings *s = set->settings;
	KMLN_BUF struct kmln_buf body = {0}, others = {0};

	add_own_name(set, &body);
	for (size_t i = 0; i < s->host_count; i++) {
		kmln_buf_str(&body, s->hosts[i].address);
		for (const char *const *n = s->hosts[i].names; *n; n++)
			kmln_buf_printf(&body, "%c%s", n == s->hosts[i].names ? '\t' : ' ', *n);
		kmln_buf_str(&body, "\n");
	}
	/* a guest that has nothing but what kmln wrote would not know itself */
	kmln_buf_str(&others, file && file->data ? file->data : "");
	kmln_block_remove(&others, "hosts");
	if (body.size && !strstr(others.data, "localhost")) {
		KMLN_FREE char *rest = kmln_strdup(body.data);

		body.size = 0;
		kmln_buf_printf(&body,
			"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n%s",
			rest);
	}
	return kmln_set_block(
		set, "/etc/hosts", "hosts", &body, true, "names and addresses of the project", err);
}

const struct kmln_setting kmln_set_hosts = {"hosts", look, plan};
