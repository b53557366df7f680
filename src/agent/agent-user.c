// SPDX-License-Identifier: GPL-2.0-or-later
/* Users, by the guest's own passwd and group: a static program has no NSS, and wants none. */
#include "agent/agent.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define TEXT_MAX (1u << 20)

/* The next line, cut at its colons; false at the end. Fields that are not there are "". */
static bool next(const char **text, struct kmln_pool *pool, char **fields, size_t count)
{
	size_t length = strcspn(*text, "\n");
	char *rest;

	if (!**text)
		return false;
	rest = kmln_pool_memdup(pool, *text, length);
	*text += length + ((*text)[length] == '\n');
	for (size_t i = 0; i < count; i++) {
		fields[i] = rest ? strsep(&rest, ":") : NULL;
		if (!fields[i])
			fields[i] = kmln_pool_strdup(pool, "");
	}
	return true;
}

static bool number(const char *text, uint32_t *value)
{
	unsigned long n;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || *end || n >= UINT32_MAX)
		return false;
	*value = (uint32_t)n;
	return true;
}

static bool is_member(char *list, const char *name)
{
	char *word;

	while ((word = strsep(&list, ",")))
		if (strcmp(word, name) == 0)
			return true;
	return false;
}

static void add_groups(const char *text, struct kmln_pool *pool, struct agent_user *user)
{
	char *fields[4];
	uint32_t gid;

	user->groups[user->group_count++] = user->gid;
	while (user->group_count < AGENT_GROUPS && next(&text, pool, fields, 4))
		if (number(fields[2], &gid) && gid != user->gid && is_member(fields[3], user->name))
			user->groups[user->group_count++] = gid;
}

bool agent_user_find(const char *passwd, const char *group, const char *name,
	struct kmln_pool *pool, struct agent_user *user)
{
	uint32_t wanted = 0, uid, gid;
	bool numeric = number(name, &wanted);
	char *fields[7];

	while (next(&passwd, pool, fields, 7)) {
		if (!*fields[0] || !number(fields[2], &uid) || !number(fields[3], &gid) ||
			!(strcmp(fields[0], name) == 0 || (numeric && uid == wanted)))
			continue;
		*user = (struct agent_user){
			.name = fields[0],
			.home = *fields[5] ? fields[5] : "/",
			.shell = *fields[6] ? fields[6] : "/bin/sh",
			.uid = uid,
			.gid = gid,
		};
		add_groups(group, pool, user);
		return true;
	}
	return false;
}

int agent_user_read(
	const char *name, struct kmln_pool *pool, struct agent_user *user, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf passwd = {0}, group = {0};
	struct kmln_error ignored;

	kmln_buf_str(&passwd, "");
	kmln_buf_str(&group, "");
	kmln_read_file("/etc/passwd", TEXT_MAX, &passwd, &ignored);
	kmln_read_file("/etc/group", TEXT_MAX, &group, &ignored);
	if (agent_user_find(passwd.data, group.data, name, pool, user))
		return 0;
	if (strcmp(name, "root") != 0)
		return kmln_fail(err, ENOENT, "there is no user %s", name);
	/* a guest without users has root all the same */
	*user = (struct agent_user){
		.name = "root", .home = "/root", .shell = "/bin/sh", .group_count = 1};
	return 0;
}
