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
	if (s->in_hosts)
		return true;
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

#define WHY "names and addresses of the project"

/* The very text that another guest from these facts was given; nothing of it is this guest's own.
 */
static int plan_as_before(struct kmln_set *set, struct kmln_error *err)
{
	struct kmln_set_text *text;
	int r = kmln_set_text(set, "/etc/hosts", 0644, WHY, &text, err);

	if (r < 0)
		return r;
	text->ready = set->settings->memo->after;
	text->ready_size = set->settings->memo->after_size;
	return 0;
}

/* Once the block is in it. */
static void remember(struct kmln_set *set, const struct kmln_known_file *file)
{
	struct kmln_set_memo *memo = set->settings->memo;
	const struct kmln_set_text *text = kmln_set_text_there(set, "/etc/hosts");

	if (!text || text->edit)
		return;
	memo->before = file->data;
	memo->after = kmln_pool_memdup(memo->pool, text->text.data, text->text.size);
	memo->after_size = text->text.size;
}

static int plan(struct kmln_set *set, struct kmln_error *err)
{
	const struct kmln_known_file *file = kmln_set_known(set, "/etc/hosts");
	const struct kmln_settings *s = set->settings;
	const bool same = s->memo && s->in_hosts && file && s->host_count;
	int r;
	KMLN_BUF struct kmln_buf body = {0}, others = {0};

	if (same && s->memo->after && s->memo->before == file->data)
		return plan_as_before(set, err);
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
	r = kmln_set_block(set, "/etc/hosts", "hosts", &body, true, WHY, err);
	if (r == 0 && same)
		remember(set, file);
	return r;
}

const struct kmln_setting kmln_set_hosts = {.name = "hosts", .look = look, .plan = plan};
