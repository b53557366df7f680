// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Users, groups and passwords, in passwd, group, shadow and gshadow. A user who is not there is
 * added, with a home made from /etc/skel; one who is there gets the password. Nobody loses a group.
 * Homes stay when users go: what is in them is not kmln's.
 */
#include <stdlib.h>
#include <string.h>

#include "guest/set.h"

#define ID_FIRST 1000u
#define ID_LAST 59999u
#define WHY_USERS "its users"

enum { PASSWD_HASH = 1, PASSWD_UID, PASSWD_GID, PASSWD_HOME = 5 };
enum { GROUP_GID = 2, GROUP_MEMBERS };
enum { SHADOW_HASH = 1 };
enum { GSHADOW_MEMBERS = 3 };

static const struct {
	const char *path;
	uint32_t mode;
} files[] = {
	{"/etc/passwd", 0644}, {"/etc/group", 0644}, {"/etc/shadow", 0640}, {"/etc/gshadow", 0640}};

static const char *const programs[] = {"/bin/bash", NULL};

/* The texts of one plan; shadow and gshadow are NULL where the guest does without. */
struct accounts {
	struct kmln_set *set;
	struct kmln_buf *passwd, *group, *shadow, *gshadow;
};

static bool is_ours(const struct kmln_set *set, const char *name)
{
	return kmln_set_before(set, "user", name, NULL);
}

static const char *home_in_facts(const struct kmln_set *set, const char *user)
{
	const struct kmln_known_file *file = kmln_set_known(set, "/etc/passwd");
	KMLN_BUF struct kmln_buf text = {0};

	if (!file || !file->data)
		return NULL;
	kmln_buf_str(&text, file->data);
	return kmln_account_get(set->pool, &text, user, PASSWD_HOME);
}

static const char *wanted_home(const struct kmln_set *set, const struct kmln_set_user *user)
{
	return user->home ? user->home : kmln_pool_printf(set->pool, "/home/%s", user->name);
}

static void look(const struct kmln_set *set, struct kmln_strv *paths)
{
	for (size_t i = 0; i < KMLN_COUNT(files); i++)
		kmln_set_look(paths, files[i].path);
	for (size_t i = 0; i < set->settings->user_count; i++)
		kmln_set_look(paths, wanted_home(set, &set->settings->users[i]));
}

/* ---- passwords ---- */

static void set_password(struct accounts *a, const char *user, const char *hash)
{
	struct kmln_buf *text =
		a->shadow && kmln_account_there(a->shadow, user) ? a->shadow : a->passwd;

	kmln_account_set(text, user, text == a->shadow ? SHADOW_HASH : PASSWD_HASH, hash);
}

static char *get_password(struct accounts *a, const char *user)
{
	if (a->shadow && kmln_account_there(a->shadow, user))
		return kmln_account_get(a->set->pool, a->shadow, user, SHADOW_HASH);
	return kmln_account_get(a->set->pool, a->passwd, user, PASSWD_HASH);
}

/* The hash that a user shall have: the one he has, where it is of this password. */
static const char *wanted_hash(struct accounts *a, const char *user, const char *password,
	const char *hash, const char *has, struct kmln_error *err)
{
	const struct kmln_filesystem *root = a->set->facts->root;
	const char *uuid = root && root->uuid ? root->uuid : "", *made;
	const char *name = a->set->settings->hostname;

	if (!password)
		return hash;
	if (has && kmln_set_hash_is(has, password))
		return has;
	made = kmln_set_hash(a->set->pool, password,
		kmln_pool_printf(a->set->pool, "kmln %s %s %s", uuid, name ? name : "", user));
	if (!made)
		kmln_fail(err, EIO, "the password of %s cannot be hashed", user);
	return made;
}

/* The password of one who was there before kmln; what he had is noted. */
static int change_password(struct accounts *a, const char *user, const char *password,
	const char *hash, struct kmln_error *err)
{
	struct kmln_set_note *before = kmln_set_before(a->set, "password", user, NULL);
	const char *has = get_password(a, user), *old, *wanted;

	if (!has)
		return kmln_fail(err, KMLN_EINVALID, "the guest has no user %s", user);
	wanted = wanted_hash(a, user, password, hash, has, err);
	if (!wanted)
		return -err->code;
	old = before && before->count == 3 && strcmp(before->words[1], has) == 0 ? before->words[2]
										 : has;
	if (before)
		before->settled = true;
	/* it was his before kmln came */
	if (strcmp(has, wanted) == 0 && !before)
		return 0;
	kmln_set_note(a->set, "password", user, wanted, old, NULL);
	set_password(a, user, wanted);
	return 0;
}

static void take_back_passwords(struct accounts *a)
{
	for (size_t i = 0; i < a->set->before.count; i++) {
		struct kmln_set_note *note = &a->set->before.items[i];
		const char *has;

		if (note->settled || strcmp(note->kind, "password") != 0 || note->count != 3)
			continue;
		has = get_password(a, note->words[0]);
		/* a hash of the list must not end a field */
		if (kmln_eq(has, note->words[1]) && !strpbrk(note->words[2], ":\n"))
			set_password(a, note->words[0], note->words[2]);
	}
}

/* ---- groups ---- */

static uint32_t free_id(const struct accounts *a)
{
	unsigned char used[ID_LAST - ID_FIRST + 1] = {0};

	kmln_account_numbers(a->passwd, PASSWD_UID, used, ID_FIRST, ID_LAST);
	kmln_account_numbers(a->group, GROUP_GID, used, ID_FIRST, ID_LAST);
	for (uint32_t id = ID_FIRST; id <= ID_LAST; id++)
		if (!used[id - ID_FIRST])
			return id;
	return 0;
}

static int add_group(struct accounts *a, const char *name, uint32_t wanted, const char **gid,
	struct kmln_error *err)
{
	struct kmln_pool *pool = a->set->pool;
	uint32_t id = wanted && !kmln_account_has_number(a->group, GROUP_GID, wanted) ? wanted
										      : free_id(a);

	if (kmln_set_before(a->set, "group", name, NULL) && kmln_account_there(a->group, name))
		kmln_set_note(a->set, "group", name, NULL);
	*gid = kmln_account_get(pool, a->group, name, GROUP_GID);
	if (*gid)
		return 0;
	if (!id)
		return kmln_fail(err, KMLN_EINVALID, "no number is free for group %s", name);
	*gid = kmln_pool_printf(pool, "%u", id);
	kmln_account_add(a->group, kmln_pool_printf(pool, "%s:x:%s:", name, *gid));
	if (a->gshadow && !kmln_account_there(a->gshadow, name))
		kmln_account_add(a->gshadow, kmln_pool_printf(pool, "%s:!::", name));
	kmln_set_note(a->set, "group", name, NULL);
	return 0;
}

static void change_member(struct accounts *a, const char *group, const char *user, bool in)
{
	struct kmln_buf *texts[] = {a->group, a->gshadow};

	for (size_t i = 0; i < KMLN_COUNT(texts); i++) {
		const char *list =
			texts[i] ? kmln_account_get(a->set->pool, texts[i], group, 3) : NULL;

		if (list && kmln_member_there(list, user) != in)
			kmln_account_set(texts[i], group, 3,
				in ? kmln_member_add(a->set->pool, list, user)
				   : kmln_member_remove(a->set->pool, list, user));
	}
}

static int plan_group(
	struct accounts *a, const struct kmln_set_group *group, struct kmln_error *err)
{
	const char *gid;
	int r = add_group(a, group->name, 0, &gid, err);

	for (const char *const *m = group->members; r == 0 && m && *m; m++) {
		const char *list =
			kmln_account_get(a->set->pool, a->group, group->name, GROUP_MEMBERS);

		if (!kmln_account_there(a->passwd, *m))
			return kmln_fail(err, KMLN_EINVALID, "group %s: there is no user %s",
				group->name, *m);
		if (list && kmln_member_there(list, *m) &&
			!kmln_set_before(a->set, "member", group->name, *m))
			continue;
		change_member(a, group->name, *m, true);
		kmln_set_note(a->set, "member", group->name, *m, NULL);
	}
	return r;
}

static bool noted(
	const struct kmln_set *set, const char *kind, const char *about, const char *second)
{
	const struct kmln_set after = {.before = set->after};

	return kmln_set_before(&after, kind, about, second);
}

static void take_back_groups(struct accounts *a)
{
	for (size_t i = 0; i < a->set->before.count; i++) {
		const struct kmln_set_note *note = &a->set->before.items[i];
		const char *name = note->words[0];

		if (strcmp(note->kind, "member") == 0 && note->count == 2 &&
			!noted(a->set, "member", name, note->words[1]))
			change_member(a, name, note->words[1], false);
		if (strcmp(note->kind, "group") != 0 || noted(a->set, "group", name, NULL))
			continue;
		kmln_account_remove(a->group, name);
		if (a->gshadow)
			kmln_account_remove(a->gshadow, name);
	}
}

/* ---- users ---- */

static int fill_home(
	struct kmln_set *set, const char *home, uint32_t uid, uint32_t gid, struct kmln_error *err)
{
	const struct kmln_facts *facts = set->facts;
	const char *real;
	int r = kmln_set_place(set, home, &real, err);

	for (size_t i = 0; r == 0 && i < facts->skeleton_count; i++) {
		const struct kmln_skeleton *s = &facts->skeleton[i];
		struct kmln_edit edit = {
			.kind = S_ISDIR(s->mode)   ? KMLN_EDIT_MKDIR
				: S_ISLNK(s->mode) ? KMLN_EDIT_SYMLINK
						   : KMLN_EDIT_PUT,
			.by = set->by,
			.why = "a home",
			.path = kmln_pool_printf(set->pool, "%s/%s", real, s->path),
			.mode = s->mode & 07777,
			.uid = uid,
			.gid = gid,
			.mtime = KMLN_MTIME_NOW,
			.data = S_ISDIR(s->mode) ? NULL : s->data,
			.size = S_ISDIR(s->mode) ? 0 : s->size,
			.group = "skeleton",
		};

		/* made already for what goes into it */
		if (!kmln_edits_has(set->edits, edit.path))
			r = kmln_edits_add(set->edits, &edit, err);
	}
	return r;
}

static int make_home(
	struct kmln_set *set, const char *home, uint32_t uid, uint32_t gid, struct kmln_error *err)
{
	int r;

	if (!home[1] || kmln_set_there(set, home))
		return 0;
	r = kmln_set_folder(set, home, 0700, uid, gid, "a home", err);
	return r < 0 ? r : fill_home(set, home, uid, gid, err);
}

static int add_user(struct accounts *a, const struct kmln_set_user *user, struct kmln_error *err)
{
	struct kmln_pool *pool = a->set->pool;
	const char *home = wanted_home(a->set, user), *gid, *hash;
	uint32_t uid = user->has_uid ? user->uid : free_id(a);
	const char *shell = kmln_set_there(a->set, programs[0]) ? programs[0] : "/bin/sh";
	int r;

	if (user->has_uid && kmln_account_has_number(a->passwd, PASSWD_UID, uid))
		return kmln_fail(err, KMLN_EINVALID, "user %s: the guest has a user %u already",
			user->name, uid);
	if (!user->has_uid && !uid)
		return kmln_fail(err, KMLN_EINVALID, "no number is free for user %s", user->name);
	r = add_group(a, user->name, uid, &gid, err);
	if (r < 0)
		return r;
	hash = wanted_hash(a, user->name, user->password, user->hash, NULL, err);
	if (!hash && user->password)
		return -err->code;
	hash = hash ? hash : "!";
	kmln_account_add(a->passwd, kmln_pool_printf(pool, "%s:%s:%u:%s::%s:%s", user->name,
					    a->shadow ? "x" : hash, uid, gid, home, shell));
	if (a->shadow) {
		kmln_account_remove(a->shadow, user->name);
		kmln_account_add(
			a->shadow, kmln_pool_printf(pool, "%s:%s::0:99999:7:::", user->name, hash));
	}
	kmln_set_note(a->set, "user", user->name, NULL);
	return make_home(a->set, home, uid, (uint32_t)strtoul(gid, NULL, 10), err);
}

/* A user of kmln's, from an earlier plan. */
static int change_user(struct accounts *a, const struct kmln_set_user *user, struct kmln_error *err)
{
	struct kmln_pool *pool = a->set->pool;
	const char *home = wanted_home(a->set, user), *hash, *gid;
	const char *uid = kmln_account_get(pool, a->passwd, user->name, PASSWD_UID);
	int r;

	if (user->has_uid && uid && strtoul(uid, NULL, 10) != user->uid) {
		if (kmln_account_has_number(a->passwd, PASSWD_UID, user->uid))
			return kmln_fail(err, KMLN_EINVALID,
				"user %s: the guest has a user %u already", user->name, user->uid);
		uid = kmln_pool_printf(pool, "%u", user->uid);
		kmln_account_set(a->passwd, user->name, PASSWD_UID, uid);
	}
	kmln_account_set(a->passwd, user->name, PASSWD_HOME, home);
	kmln_set_note(a->set, "user", user->name, NULL);
	r = add_group(a, user->name, 0, &gid, err);
	if (r == 0 && (user->password || user->hash)) {
		hash = wanted_hash(a, user->name, user->password, user->hash,
			get_password(a, user->name), err);
		if (!hash)
			return -err->code;
		set_password(a, user->name, hash);
	}
	return r < 0 ? r
		     : make_home(a->set, home, uid ? (uint32_t)strtoul(uid, NULL, 10) : 0,
			       (uint32_t)strtoul(gid, NULL, 10), err);
}

static int plan_user(struct accounts *a, const struct kmln_set_user *user, struct kmln_error *err)
{
	if (!kmln_account_there(a->passwd, user->name))
		return add_user(a, user, err);
	if (is_ours(a->set, user->name))
		return change_user(a, user, err);
	if (!user->password && !user->hash)
		return 0;
	return change_password(a, user->name, user->password, user->hash, err);
}

static void take_back_users(struct accounts *a)
{
	for (size_t i = 0; i < a->set->before.count; i++) {
		const struct kmln_set_note *note = &a->set->before.items[i];

		if (strcmp(note->kind, "user") != 0 ||
			noted(a->set, "user", note->words[0], NULL) ||
			strcmp(note->words[0], "root") == 0)
			continue;
		kmln_account_remove(a->passwd, note->words[0]);
		if (a->shadow)
			kmln_account_remove(a->shadow, note->words[0]);
	}
}

/* Opens the texts; those that a guest may lack only where it has them. */
static int open_accounts(struct kmln_set *set, struct accounts *a, struct kmln_error *err)
{
	struct kmln_buf **slots[] = {&a->passwd, &a->group, &a->shadow, &a->gshadow};
	struct kmln_set_text *text;
	int r = 0;

	a->set = set;
	for (size_t i = 0; r == 0 && i < KMLN_COUNT(files); i++) {
		if (i >= 2 && !kmln_set_there(set, files[i].path))
			continue;
		r = kmln_set_text(set, files[i].path, files[i].mode, WHY_USERS, &text, err);
		if (r == 0)
			*slots[i] = &text->text;
	}
	return r;
}

static bool has_work(const struct kmln_set *set)
{
	static const char *const mine[] = {"user", "group", "member", "password"};
	const struct kmln_settings *s = set->settings;

	for (size_t i = 0; i < set->before.count; i++)
		for (size_t k = 0; k < KMLN_COUNT(mine); k++)
			if (strcmp(set->before.items[i].kind, mine[k]) == 0)
				return true;
	return s->user_count || s->group_count || s->root_password || s->root_hash;
}

static int plan(struct kmln_set *set, struct kmln_error *err)
{
	const struct kmln_settings *s = set->settings;
	struct accounts a = {0};
	int r;

	if (!has_work(set))
		return 0;
	r = open_accounts(set, &a, err);
	if (r == 0 && (s->root_password || s->root_hash))
		r = change_password(&a, "root", s->root_password, s->root_hash, err);
	for (size_t i = 0; r == 0 && i < s->user_count; i++)
		r = plan_user(&a, &s->users[i], err);
	for (size_t i = 0; r == 0 && i < s->group_count; i++)
		r = plan_group(&a, &s->groups[i], err);
	if (r < 0)
		return r;
	take_back_passwords(&a);
	take_back_users(&a);
	take_back_groups(&a);
	return 0;
}

int kmln_set_user_home(struct kmln_set *set, const char *user, const char **home, uint32_t *uid,
	uint32_t *gid, struct kmln_error *err)
{
	struct kmln_set_text *passwd;
	const char *uid_text, *gid_text;
	int r = kmln_set_text(set, "/etc/passwd", 0644, WHY_USERS, &passwd, err);

	if (r < 0)
		return r;
	*home = kmln_account_get(set->pool, &passwd->text, user, PASSWD_HOME);
	uid_text = kmln_account_get(set->pool, &passwd->text, user, PASSWD_UID);
	gid_text = kmln_account_get(set->pool, &passwd->text, user, PASSWD_GID);
	if (!*home || !uid_text || !gid_text || !kmln_set_is_path(*home))
		return kmln_fail(err, KMLN_EINVALID, "the guest has no user %s with a home", user);
	*uid = (uint32_t)strtoul(uid_text, NULL, 10);
	*gid = (uint32_t)strtoul(gid_text, NULL, 10);
	return 0;
}

const char *kmln_set_user_home_now(const struct kmln_set *set, const char *user)
{
	const char *home = home_in_facts(set, user);

	for (size_t i = 0; i < set->settings->user_count; i++)
		if (strcmp(set->settings->users[i].name, user) == 0 &&
			(!home || is_ours(set, user)))
			return wanted_home(set, &set->settings->users[i]);
	return home && kmln_set_is_path(home) ? home : NULL;
}

const struct kmln_setting kmln_set_users = {
	.name = "users", .look = look, .plan = plan, .programs = programs};
