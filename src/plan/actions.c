// SPDX-License-Identifier: GPL-2.0-or-later
/* Actions as data, and their text; see actions.h. */
#include "plan/actions.h"

#include <string.h>

#include "plan/edits.h"
#include "plan/print.h"

#define WIDTH 88

static const char *const kind_names[KMLN_ACTION_KINDS] = {
	[KMLN_ACTION_PREPARE] = "prepare",
	[KMLN_ACTION_OVERLAY] = "overlay",
	[KMLN_ACTION_CREATE] = "create",
	[KMLN_ACTION_EDIT] = "edit",
	[KMLN_ACTION_TAP] = "tap",
	[KMLN_ACTION_RUN] = "run",
	[KMLN_ACTION_READY] = "ready",
	[KMLN_ACTION_SERVE] = "serve",
	[KMLN_ACTION_SPAWN] = "spawn",
	[KMLN_ACTION_EXPECT] = "expect",
	[KMLN_ACTION_SEND] = "send",
	[KMLN_ACTION_ATTACH] = "attach",
	[KMLN_ACTION_WAIT] = "wait",
	[KMLN_ACTION_STOP] = "stop",
};

const char *kmln_action_kind_name(enum kmln_action_kind kind)
{
	return kind_names[kind];
}

struct kmln_action *kmln_actions_add(
	struct kmln_actions *actions, enum kmln_action_kind kind, const char *node)
{
	struct kmln_action *action = kmln_pool_append(
		actions->pool, &actions->items, &actions->count, sizeof(*actions->items));

	action->kind = kind;
	action->node = kmln_pool_strdup(actions->pool, node);
	return action;
}

const char *const *kmln_actions_words(struct kmln_actions *actions, const struct kmln_strv *words)
{
	char **copy = kmln_pool_array(actions->pool, words->count + 1, sizeof(*copy)), *text;
	size_t all = 0;

	for (size_t i = 0; i < words->count; i++)
		all += strlen(words->items[i]) + 1;
	text = kmln_pool_alloc(actions->pool, all);
	for (size_t i = 0; i < words->count; i++) {
		copy[i] = text;
		text = stpcpy(text, words->items[i]) + 1;
	}
	return (const char *const *)copy;
}

static bool is_plain(const char *word)
{
	static const bool plain[256] = {
		['a' ... 'z'] = true,
		['@' ... 'Z'] = true,
		['+' ... ':'] = true,
		['%'] = true,
		['='] = true,
		['_'] = true,
	};
	const unsigned char *c = (const unsigned char *)word;

	while (plain[*c])
		c++;
	return *word && !*c;
}

/* A word as a shell takes it: plain, in quotes, or in $'...' where it has control bytes. */
static void add_quoted(struct kmln_buf *out, const char *word)
{
	bool odd = false;

	if (is_plain(word)) {
		kmln_buf_str(out, word);
		return;
	}
	for (const char *c = word; *c; c++)
		odd = odd || (unsigned char)*c < 0x20 || *c == 0x7f;
	kmln_buf_str(out, odd ? "$'" : "'");
	for (const unsigned char *c = (const unsigned char *)word; *c; c++) {
		const size_t run = odd ? 0 : strcspn((const char *)c, "'");

		if (run) {
			kmln_buf_add(out, c, run);
			c += run - 1;
		} else if (odd && (*c < 0x20 || *c == 0x7f)) {
			kmln_buf_printf(out, "\\%03o", *c);
		} else if (odd && (*c == '\'' || *c == '\\')) {
			kmln_buf_printf(out, "\\%c", *c);
		} else if (*c == '\'') {
			kmln_buf_str(out, "'\\''");
		} else {
			kmln_buf_add(out, c, 1);
		}
	}
	kmln_buf_str(out, "'");
}

#define INDENT "   "

/* What is behind `at` goes on in the next line. */
static void break_line(struct kmln_buf *out, struct kmln_buf *line, size_t at)
{
	const size_t rest = line->size - at, indent = strlen(INDENT);
	const char first = line->data[at];

	line->data[at] = '\0';
	kmln_buf_str(out, KMLN_PLAN_DETAIL);
	kmln_plan_escape(out, line->data);
	kmln_buf_str(out, " \\\n");
	line->data[at] = first;
	kmln_buf_grow(line, indent);
	memmove(line->data + indent, line->data + at, rest);
	memcpy(line->data, INDENT, indent);
	line->size = indent + rest;
	line->data[line->size] = '\0';
}

/* The environment and the words, in lines that end in a backslash but the last. */
static void print_command(
	struct kmln_buf *out, const char *before, const char *const *env, const char *const *argv)
{
	const char *const *parts[] = {env, argv};
	KMLN_BUF struct kmln_buf line = {0};

	kmln_buf_printf(&line, "%senv -i", before);
	for (size_t p = 0; p < KMLN_COUNT(parts); p++) {
		for (const char *const *word = parts[p]; *word; word++) {
			const size_t end = line.size;

			kmln_buf_add(&line, " ", 1);
			add_quoted(&line, *word);
			if (line.size > WIDTH)
				break_line(out, &line, end);
		}
	}
	kmln_plan_detail(out, line.data);
}

static void print_spawn(struct kmln_buf *out, const struct kmln_spawn *spawn)
{
	for (const char *const *line = spawn->sandbox; *line; line++)
		kmln_plan_detail(out, *line);
	for (size_t i = 0; i < spawn->link_count; i++) {
		KMLN_BUF struct kmln_buf line = {0};

		kmln_buf_str(&line, "ln -s ");
		add_quoted(&line, spawn->links[i].target);
		kmln_buf_printf(&line, " %s", spawn->links[i].name);
		kmln_plan_detail(out, line.data);
	}
	print_command(out, "", spawn->env, spawn->argv);
	if (spawn->ending)
		print_command(out, "at its end: ", spawn->env, spawn->ending);
}

/* "PATH over FROM, 1.0 GB" */
static void print_paths(struct kmln_buf *object, const struct kmln_action *a)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();

	if (a->path) {
		kmln_buf_str(object, " ");
		add_quoted(object, a->path);
	}
	if (a->from) {
		kmln_buf_str(object, a->kind == KMLN_ACTION_OVERLAY ? " over " : " from ");
		add_quoted(object, a->from);
	}
	if (a->size)
		kmln_buf_printf(object, ", %s", kmln_plan_bytes(pool, a->size));
}

/* The lines of a plan of edits, below the action that carries them out. */
static void print_edits(struct kmln_buf *out, const struct kmln_edits *edits)
{
	KMLN_BUF struct kmln_buf text = {0};

	kmln_edits_print(edits, false, &text);
	for (const char *line = text.data, *end; line && *line; line = end + 1) {
		end = strchr(line, '\n');
		kmln_buf_str(out, KMLN_PLAN_DETAIL);
		kmln_buf_add(out, line, (size_t)(end - line) + 1);
	}
}

void kmln_actions_print(const struct kmln_actions *actions, struct kmln_buf *out)
{
	for (size_t i = 0; i < actions->count; i++) {
		const struct kmln_action *a = &actions->items[i];
		KMLN_BUF struct kmln_buf object = {0}, why = {0};

		kmln_buf_str(&object, a->node);
		if (a->text) {
			kmln_buf_str(&object, " ");
			add_quoted(&object, a->text);
		}
		print_paths(&object, a);
		if (a->why)
			kmln_buf_str(&why, a->why);
		if (a->timeout)
			kmln_buf_printf(
				&why, "%swithin %u s of the start", a->why ? ", " : "", a->timeout);
		kmln_plan_line(out, kind_names[a->kind], object.data, actions->by, why.data);
		if (a->spawn)
			print_spawn(out, a->spawn);
		if (a->edits)
			print_edits(out, a->edits);
	}
}
