// SPDX-License-Identifier: GPL-2.0-or-later
/* Keys with which users may log in by ssh: a block in ~/.ssh/authorized_keys. */
#include <string.h>

#include "guest/set.h"

#define WHY "ssh keys"

static void look(const struct kmln_set *set, struct kmln_strv *paths)
{
	for (size_t i = 0; i < set->settings->key_count; i++) {
		const char *home = kmln_set_user_home_now(set, set->settings->keys[i].user);

		if (home)
			kmln_set_look(paths, kmln_pool_printf(set->pool, "%s/.ssh/authorized_keys",
						     home[1] ? home : ""));
	}
}

/* All keys of the user, once for each user. */
static void gather(
	const struct kmln_settings *s, size_t first, const char *user, struct kmln_buf *body)
{
	for (size_t i = first; i < s->key_count; i++)
		if (strcmp(s->keys[i].user, user) == 0) {
			kmln_buf_str(body, s->keys[i].text);
			kmln_text_end_line(body);
		}
}

static bool is_first(const struct kmln_settings *s, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(s->keys[k].user, s->keys[i].user) == 0)
			return false;
	return true;
}

static int plan_user(
	struct kmln_set *set, const char *user, const struct kmln_buf *body, struct kmln_error *err)
{
	const char *home, *folder, *path;
	struct kmln_set_text *text;
	uint32_t uid, gid;
	int r = kmln_set_user_home(set, user, &home, &uid, &gid, err);

	if (r < 0)
		return r;
	folder = kmln_pool_printf(set->pool, "%s/.ssh", home[1] ? home : "");
	path = kmln_pool_printf(set->pool, "%s/authorized_keys", folder);
	r = kmln_set_folder(set, folder, 0700, uid, gid, WHY, err);
	if (r == 0)
		r = kmln_set_text(set, path, 0600, WHY, &text, err);
	if (r < 0)
		return r;
	text->uid = uid;
	text->gid = gid;
	kmln_block_remove(&text->text, "keys");
	kmln_block_add(&text->text, "keys", body->data, false);
	kmln_set_note(set, "keys", path, NULL);
	return 0;
}

static int plan(struct kmln_set *set, struct kmln_error *err)
{
	const struct kmln_settings *s = set->settings;
	int r = 0;

	for (size_t i = 0; i < set->before.count; i++) {
		const struct kmln_set_note *note = &set->before.items[i];
		struct kmln_set_text *text = strcmp(note->kind, "keys") == 0
						     ? kmln_set_text_there(set, note->words[0])
						     : NULL;

		if (text)
			kmln_block_remove(&text->text, "keys");
	}
	for (size_t i = 0; r == 0 && i < s->key_count; i++) {
		KMLN_BUF struct kmln_buf body = {0};

		gather(s, i, s->keys[i].user, &body);
		if (is_first(s, i) && body.size)
			r = plan_user(set, s->keys[i].user, &body, err);
	}
	return r;
}

const struct kmln_setting kmln_set_keys = {.name = "keys", .look = look, .plan = plan};
