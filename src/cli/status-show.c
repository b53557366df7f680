// SPDX-License-Identifier: GPL-2.0-or-later
/* The table and the JSON of kmln status; see status.h. */
#include "cli/status.h"

#include <stdio.h>
#include <string.h>

#include "plan/print.h"
#include "platform/platform.h"
#include "text/json.h"

enum { NODE, PLATFORM, STATE, UP, MEMORY, CPU, ADDRESSES, WHY, COLUMNS };

static const char *const heads[COLUMNS] = {
	[NODE] = "node",
	[PLATFORM] = "platform",
	[STATE] = "state",
	[UP] = "up",
	[MEMORY] = "memory",
	[CPU] = "cpu",
	[ADDRESSES] = "addresses",
	[WHY] = "why",
};

/* Characters, not bytes. */
static int width_of(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

/* "3d04h", "1h02m", "1m12s", "5s" */
static const char *duration(struct kmln_pool *pool, int64_t ms)
{
	const long long s = ms / 1000, m = s / 60, h = m / 60, d = h / 24;

	if (d)
		return kmln_pool_printf(pool, "%lldd%02lldh", d, h % 24);
	if (h)
		return kmln_pool_printf(pool, "%lldh%02lldm", h, m % 60);
	return m ? kmln_pool_printf(pool, "%lldm%02llds", m, s % 60)
		 : kmln_pool_printf(pool, "%llds", s);
}

static const char *plain(struct kmln_pool *pool, const char *text)
{
	KMLN_BUF struct kmln_buf out = {0};

	kmln_buf_add(&out, "", 0);
	kmln_plan_escape(&out, text);
	return kmln_pool_strdup(pool, out.data);
}

/* Those of the guest itself, else those of the plan. */
static void collect_addresses(const struct kmln_life_view *view, struct kmln_strv *addresses)
{
	const struct kmln_host *host = view->node->host;

	for (size_t i = 0; i < view->addresses.count; i++)
		kmln_strv_add(addresses, view->addresses.items[i]);
	for (size_t i = 0; !view->addresses.count && host && i < host->interface_count; i++)
		for (int f = 0; f < KMLN_FAMILIES; f++) {
			char text[KMLN_IP_TEXT];

			if (!host->interfaces[i].ip[f].given)
				continue;
			kmln_ip_text(text, &host->interfaces[i].ip[f], true);
			kmln_strv_printf(addresses, "%s %s", host->interfaces[i].name.text, text);
		}
}

static const char *addresses_of(struct kmln_pool *pool, const struct kmln_life_view *view)
{
	KMLN_STRV struct kmln_strv addresses = {0};
	KMLN_BUF struct kmln_buf text = {0};

	kmln_buf_add(&text, "", 0);
	collect_addresses(view, &addresses);
	for (size_t i = 0; i < addresses.count; i++) {
		const char *blank = strchr(addresses.items[i], ' ');

		kmln_buf_printf(&text, "%s%s", i ? " " : "", blank ? blank + 1 : "");
	}
	return plain(pool, text.data);
}

static void fill(struct kmln_pool *pool, const struct kmln_life_view *view, const char **row)
{
	const struct kmln_life_node *node = view->node;
	const struct kmln_life_status *s = &view->status;
	const bool host = node->role == KMLN_ROLE_HOST;

	row[NODE] = host ? node->name
			 : kmln_pool_printf(pool, "%s %s", kmln_role_name(node->role), node->name);
	row[STATE] = kmln_life_state_name(view->state);
	if (host && view->platform)
		row[PLATFORM] = plain(pool, view->platform);
	if (s->up_ms)
		row[UP] = duration(pool, s->up_ms);
	if (s->memory > 0)
		row[MEMORY] = kmln_plan_bytes(pool, (uint64_t)s->memory);
	if (s->pid)
		row[CPU] = kmln_pool_printf(pool, "%.1f s", (double)s->cpu_ms / 1000);
	if (host)
		row[ADDRESSES] = addresses_of(pool, view);
	if (view->why)
		row[WHY] = kmln_pool_printf(pool, "%s%s",
			view->state == KMLN_STATE_STARTING ? "waits for " : "",
			plain(pool, view->why));
	else if (view->loose)
		row[WHY] = view->loose;
	else if (!node->known)
		row[WHY] = "not in the project any more";
	else if (host && view->platform_why)
		row[WHY] = plain(pool, view->platform_why);
}

void kmln_status_table(const struct kmln_life_view *views, size_t count, struct kmln_buf *out)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	const char *(*rows)[COLUMNS] = kmln_pool_array(pool, count + 1, sizeof(*rows));
	int widths[COLUMNS] = {0};

	memcpy(rows[0], heads, sizeof(heads));
	for (size_t i = 0; i < count; i++)
		fill(pool, &views[i], rows[i + 1]);
	for (size_t i = 0; i <= count; i++)
		for (int c = 0; c < COLUMNS; c++) {
			int width = rows[i][c] ? width_of(rows[i][c]) : 0;

			if (width > widths[c])
				widths[c] = width;
		}
	for (size_t i = 0; i <= count; i++) {
		int gap = 0;

		for (int c = 0; c < COLUMNS; c++) {
			const char *cell = rows[i][c] ? rows[i][c] : "";

			if (*cell) {
				kmln_buf_printf(out, "%*s%s", gap, "", cell);
				gap = 0;
			}
			gap += widths[c] - width_of(cell) + 2;
			if (!*cell && !gap)
				gap = 2;
		}
		kmln_buf_str(out, "\n");
	}
}

void kmln_status_line(const struct kmln_life_view *view, struct kmln_buf *out)
{
	kmln_buf_printf(out, "%s %s: %s", kmln_role_name(view->node->role), view->node->name,
		kmln_life_state_name(view->state));
	if (view->why) {
		kmln_buf_str(out, view->state == KMLN_STATE_STARTING ? ", waits for " : ": ");
		kmln_plan_escape(out, view->why);
	} else if (view->loose) {
		kmln_buf_printf(out, ", but %s", view->loose);
	}
}

static void add_addresses(const struct kmln_life_view *view, struct kmln_json *object)
{
	struct kmln_json *list = kmln_json_set(object, "addresses", kmln_json_array());
	KMLN_STRV struct kmln_strv addresses = {0};

	collect_addresses(view, &addresses);
	for (size_t i = 0; i < addresses.count; i++) {
		struct kmln_json *item = kmln_json_add(list, kmln_json_object());
		char *blank = strchr(addresses.items[i], ' ');

		if (!blank)
			continue;
		*blank = '\0';
		kmln_json_set(item, "interface", kmln_json_text(addresses.items[i]));
		kmln_json_set(item, "address", kmln_json_text(blank + 1));
	}
}

static void add_node(const struct kmln_life_view *view, struct kmln_json *list)
{
	struct kmln_json *object = kmln_json_add(list, kmln_json_object());
	const struct kmln_life_status *s = &view->status;
	const bool host = view->node->role == KMLN_ROLE_HOST;

	kmln_json_set(object, "role", kmln_json_text(kmln_role_name(view->node->role)));
	kmln_json_set(object, "name", kmln_json_text(view->node->name));
	if (host) {
		kmln_json_set(object, "platform", kmln_json_text(view->platform));
		kmln_json_set(object, "platform_why", kmln_json_text(view->platform_why));
	}
	kmln_json_set(object, "state", kmln_json_text(kmln_life_state_name(view->state)));
	kmln_json_set(object, "ready", kmln_json_bool(view->state == KMLN_STATE_READY));
	kmln_json_set(object, "why", kmln_json_text(view->why));
	kmln_json_set(object, "loose", kmln_json_text(view->loose));
	kmln_json_set(object, "known", kmln_json_bool(view->node->known));
	if (s->pid) {
		kmln_json_set(object, "pid", kmln_json_signed(s->pid));
		kmln_json_set(object, "up_ms", kmln_json_signed(s->up_ms));
		kmln_json_set(object, "memory", kmln_json_signed(s->memory));
		kmln_json_set(object, "cpu_ms", kmln_json_signed(s->cpu_ms));
		kmln_json_set(object, "restarts", kmln_json_signed(s->restarts));
	}
	if (host) {
		kmln_json_set(object, "agent", kmln_json_text(s->agent));
		kmln_json_set(object, "last_line", kmln_json_text(s->last_line));
		add_addresses(view, object);
	}
}

struct kmln_json *kmln_status_json(
	const struct kmln_life *life, const struct kmln_life_view *views, size_t count)
{
	struct kmln_json *root = kmln_json_object();
	struct kmln_json *list;

	kmln_json_set(root, "project", kmln_json_text(life->store->project));
	list = kmln_json_set(root, "nodes", kmln_json_array());
	for (size_t i = 0; i < count; i++)
		add_node(&views[i], list);
	return root;
}
