// SPDX-License-Identifier: GPL-2.0-or-later
/* The guest's name, where the distributions keep it. */
#include <string.h>

#include "guest/set.h"

#define WHY "its name"

/* Besides /etc/hostname; only where the guest has them. */
static const struct {
	const char *path, *head;
	bool quoted;
} others[] = {
	{"/etc/HOSTNAME", "", false},
	{"/etc/sysconfig/network", "HOSTNAME=", false},
	{"/etc/conf.d/hostname", "hostname=", true},
};

static void look(const struct kmln_set *set, struct kmln_strv *paths)
{
	(void)set;
	kmln_set_look(paths, "/etc/hostname");
	for (size_t i = 0; i < KMLN_COUNT(others); i++)
		kmln_set_look(paths, others[i].path);
}

static int plan(struct kmln_set *set, struct kmln_error *err)
{
	const char *name = set->settings->hostname;
	int r = 0;

	if (!name)
		return 0;
	r = kmln_set_line(set, "/etc/hostname", "", name, WHY, err);
	for (size_t i = 0; r == 0 && i < KMLN_COUNT(others); i++) {
		const struct kmln_known_file *file = kmln_set_known(set, others[i].path);
		const char *quote = others[i].quoted ? "\"" : "";
		const char *line =
			kmln_pool_printf(set->pool, "%s%s%s%s", others[i].head, quote, name, quote);

		if (file && file->data && !file->link &&
			(!*others[i].head || strstr(file->data, others[i].head)))
			r = kmln_set_line(set, others[i].path, others[i].head, line, WHY, err);
	}
	return r;
}

const struct kmln_setting kmln_set_hostname = {.name = "hostname", .look = look, .plan = plan};
