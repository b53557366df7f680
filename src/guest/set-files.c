// SPDX-License-Identifier: GPL-2.0-or-later
/* Files from elsewhere, as the caller gives them; what they replace is kept for the way back. */
#include "guest/set.h"

static void look(const struct kmln_set *set, struct kmln_strv *paths)
{
	const struct kmln_settings *s = set->settings;

	for (size_t i = 0; i < s->file_count; i++) {
		kmln_set_look(paths, s->files[i].path);
		kmln_set_look(paths, kmln_set_copy_path(set->pool, s->files[i].path));
	}
}

static int plan(struct kmln_set *set, struct kmln_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < set->settings->file_count; i++)
		r = kmln_set_own(set, &set->settings->files[i], "a file from outside", err);
	return r;
}

const struct kmln_setting kmln_set_files = {.name = "files", .look = look, .plan = plan};
