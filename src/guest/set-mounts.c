// SPDX-License-Identifier: GPL-2.0-or-later
/* Further filesystems and swap: a block at the end of /etc/fstab. */
#include <string.h>

#include "guest/set.h"

#define WHY "what it mounts"

static void look(const struct kmln_set *set, struct kmln_strv *paths)
{
	kmln_set_look(paths, "/etc/fstab");
	for (size_t i = 0; i < set->settings->mount_count; i++)
		kmln_set_look(paths, set->settings->mounts[i].point);
}

/* Blanks, backslashes and a comment's sign in a word are written as fstab(5) wants them. */
static void add_word(struct kmln_buf *body, const char *word, const char *end)
{
	for (; *word; word++)
		if (strchr(" \t\\#", *word))
			kmln_buf_printf(body, "\\%03o", (unsigned char)*word);
		else
			kmln_buf_add(body, word, 1);
	kmln_buf_str(body, end);
}

static void note_double(struct kmln_set *set, const struct kmln_set_mount *mount)
{
	const struct kmln_facts *facts = set->facts;

	for (size_t i = 0; i < facts->fstab_count; i++)
		if (strcmp(facts->fstab[i].mount, mount->point) == 0 &&
			strcmp(facts->fstab[i].device, mount->device) != 0)
			kmln_edits_note(set->edits, "/etc/fstab mounts %s at %s as well",
				facts->fstab[i].device, mount->point);
}

static int plan(struct kmln_set *set, struct kmln_error *err)
{
	const struct kmln_settings *s = set->settings;
	KMLN_BUF struct kmln_buf body = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->mount_count; i++) {
		const struct kmln_set_mount *m = &s->mounts[i];

		add_word(&body, m->device, " ");
		add_word(&body, m->point, " ");
		add_word(&body, m->type ? m->type : "auto", " ");
		add_word(&body, m->options ? m->options : "defaults", " 0 0\n");
		note_double(set, m);
		r = kmln_set_folder(set, m->point, 0755, 0, 0, WHY, err);
	}
	for (const char *const *w = s->swaps; w && *w; w++)
		add_word(&body, *w, " none swap sw 0 0\n");
	return r < 0 ? r : kmln_set_block(set, "/etc/fstab", "mounts", &body, false, WHY, err);
}

const struct kmln_setting kmln_set_mounts = {.name = "mounts", .look = look, .plan = plan};
