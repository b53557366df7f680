// SPDX-License-Identifier: GPL-2.0-or-later
/* Kernel modules loaded at boot: by whatever loads modules there, else by kmln's own boot script.
 */
#include "guest/set.h"

#define DROP_IN "/etc/modules-load.d/kmln.conf"
#define LIST "/etc/modules"
#define WHY "kernel modules it loads"

static void look(const struct kmln_set *set, struct kmln_strv *paths)
{
	(void)set;
	kmln_set_look(paths, DROP_IN);
	kmln_set_look(paths, LIST);
}

static int plan(struct kmln_set *set, struct kmln_error *err)
{
	const char *const *modules = set->settings->modules;
	enum kmln_init init = set->facts->init;
	KMLN_BUF struct kmln_buf body = {0}, none = {0};
	bool listed = init == KMLN_INIT_SYSVINIT || init == KMLN_INIT_UPSTART;

	for (const char *const *m = modules; m && *m; m++)
		kmln_buf_printf(&body, "%s\n", *m);
	/* Debian's /etc/modules; other guests of this kind have none, and the script serves */
	if (listed && kmln_set_there(set, LIST))
		return kmln_set_block(set, LIST, "modules", &body, false, WHY, err);
	if (!body.size)
		return kmln_set_block(set, LIST, "modules", &none, false, WHY, err);
	if (init == KMLN_INIT_SYSTEMD || init == KMLN_INIT_OPENRC) {
		KMLN_BUF struct kmln_buf text = {0};

		kmln_buf_printf(&text, "# written by kmln\n%s", body.data);
		return kmln_set_own_text(set, DROP_IN, &text, 0644, WHY, err);
	}
	for (const char *const *m = modules; *m; m++)
		kmln_buf_printf(&set->boot, "modprobe %s\n", *m);
	return 0;
}

const struct kmln_setting kmln_set_modules = {.name = "modules", .look = look, .plan = plan};
