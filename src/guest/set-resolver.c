// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nameservers: first in /etc/resolv.conf; where systemd-resolved makes that file, in a drop-in for
 * it. The network's own settings name them too (set-net-*.c).
 */
#include <string.h>

#include "guest/set.h"

#define RESOLV "/etc/resolv.conf"
#define DROP_IN "/etc/systemd/resolved.conf.d/kmln.conf"
#define WHY "where names are asked for"

static void look(const struct kmln_set *set, struct kmln_strv *paths)
{
	(void)set;
	kmln_set_look(paths, RESOLV);
	kmln_set_look(paths, DROP_IN);
}

static int plan(struct kmln_set *set, struct kmln_error *err)
{
	const struct kmln_known_file *file = kmln_set_known(set, RESOLV);
	const char *const *servers = set->settings->nameservers;
	KMLN_BUF struct kmln_buf body = {0};

	if (!servers || !*servers)
		return kmln_set_block(set, RESOLV, "nameservers", &body, true, WHY, err);
	if (file && file->link && strstr(file->link, "systemd/resolve")) {
		kmln_buf_str(&body, "# written by kmln\n[Resolve]\nDNS=");
		for (const char *const *s = servers; *s; s++)
			kmln_buf_printf(&body, "%s%s", s == servers ? "" : " ", *s);
		kmln_buf_str(&body, "\n");
		return kmln_set_own_text(set, DROP_IN, &body, 0644, WHY, err);
	}
	if (file && file->link && !file->mode) {
		kmln_edits_note(set->edits, "nameservers: " RESOLV
					    " is made by the guest itself when it runs, from the "
					    "settings of its network");
		return 0;
	}
	for (const char *const *s = servers; *s; s++)
		kmln_buf_printf(&body, "nameserver %s\n", *s);
	return kmln_set_block(set, RESOLV, "nameservers", &body, true, WHY, err);
}

const struct kmln_setting kmln_set_resolver = {.name = "resolver", .look = look, .plan = plan};
