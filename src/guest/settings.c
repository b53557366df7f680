// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of kinds of settings, and how a plan goes through it; see settings.h and set.h. */
#include "guest/settings.h"

#include <string.h>

#include "guest/set.h"
#include "image/inspect.h"

/* Users before their keys and files; scripts last: they gather what others want run. */
static const struct kmln_setting *const kinds[] = {
	&kmln_set_hostname,
	&kmln_set_hosts,
	&kmln_set_resolver,
	&kmln_set_users,
	&kmln_set_keys,
	&kmln_set_files,
	&kmln_set_swap_file,
	&kmln_set_mounts,
	&kmln_set_modules,
	&kmln_set_network,
	&kmln_set_identity,
	&kmln_set_agent,
	&kmln_set_packages,
	&kmln_set_scripts,
};

/* What the guest's list speaks of. */
static void look_at_notes(const struct kmln_set *set, struct kmln_strv *paths)
{
	for (size_t i = 0; i < set->before.count; i++) {
		const struct kmln_set_note *note = &set->before.items[i];

		kmln_set_look(paths, note->words[0]);
		if (kmln_set_is_path(note->words[0]))
			kmln_set_look(paths, kmln_set_copy_path(set->pool, note->words[0]));
	}
}

void kmln_settings_inspect(
	struct kmln_tree *tree, struct kmln_facts *facts, const struct kmln_settings *settings)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_set set = {.facts = facts, .settings = settings, .pool = pool};
	KMLN_STRV struct kmln_strv paths = {0}, programs = {0};
	size_t known;

	/* what one file says may lead to the next; no kind needs more than three */
	do {
		known = paths.count;
		kmln_set_look(&paths, KMLN_SET_STATE);
		kmln_set_read_notes(&set);
		look_at_notes(&set, &paths);
		for (size_t i = 0; i < KMLN_COUNT(kinds); i++)
			kinds[i]->look(&set, &paths);
		kmln_inspect_paths(tree, facts, &paths);
	} while (paths.count > known);
	kmln_inspect_sums(tree, facts, &paths);
	for (size_t i = 0; i < KMLN_COUNT(kinds); i++)
		for (const char *const *p = kinds[i]->programs; p && *p; p++)
			kmln_set_look(&programs, *p);
	kmln_inspect_paths(tree, facts, &programs);
	if (settings->user_count)
		kmln_inspect_skeleton(tree, facts);
}

/* Lines that kmln exchanged become what they were; the kinds exchange them again. */
static void restore_lines(struct kmln_set *set)
{
	for (size_t i = 0; i < set->before.count; i++) {
		const struct kmln_set_note *note = &set->before.items[i];
		struct kmln_set_text *text;
		KMLN_FREE char *old = NULL;
		ssize_t at;

		if (strcmp(note->kind, "line") != 0 || note->count < 2)
			continue;
		text = kmln_set_text_there(set, note->words[0]);
		at = text ? kmln_text_find(&text->text, note->words[1]) : -1;
		if (at < 0)
			continue;
		old = note->words[2] ? kmln_printf("%s\n", note->words[2]) : kmln_strdup("");
		kmln_text_end_line(&text->text);
		kmln_text_splice(
			&text->text, (size_t)at, strlen(note->words[1]) + 1, old, strlen(old));
	}
}

static int plan(struct kmln_set *set, struct kmln_error *err)
{
	int r = 0;

	kmln_set_read_notes(set);
	set->by = "settings";
	restore_lines(set);
	for (size_t i = 0; r == 0 && i < KMLN_COUNT(kinds); i++) {
		set->by = kinds[i]->name;
		r = kinds[i]->plan(set, err);
	}
	return r < 0 ? r : kmln_set_finish(set, err);
}

int kmln_plan_settings(struct kmln_planning *planning, const struct kmln_settings *settings,
	struct kmln_error *err)
{
	struct kmln_set set = {
		.facts = planning->facts,
		.settings = settings,
		.pool = planning->edits->pool,
		.edits = planning->edits,
	};
	int r = kmln_settings_check(settings, err);

	if (r == 0)
		r = plan(&set, err);
	kmln_set_fini(&set);
	return r;
}
