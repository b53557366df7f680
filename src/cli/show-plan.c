// SPDX-License-Identifier: GPL-2.0-or-later
/* Edits as text and JSON, with the change of a text file as a unified diff; and actions. */
#include "cli/show-plan.h"

#include <stdio.h>

#include "cli/cli.h"
#include "plan/diff.h"
#include "text/json.h"

static void show_content(struct kmln_json *o, const struct kmln_edit *e)
{
	KMLN_BUF struct kmln_buf diff = {0};
	const char *old = e->replaces ? e->replaces : "";
	uint64_t old_size = e->replaces ? e->replaces_size : 0;

	kmln_json_set(o, "size", kmln_json_number(e->size + e->reserve));
	kmln_json_set(o, "replaces", kmln_json_bool(e->replaces != NULL));
	kmln_json_set(o, "from_kernel", kmln_json_text(e->from));
	if (e->shown_by)
		kmln_json_set(o, "as_for", kmln_json_text(e->shown_by));
	if (e->data && !e->unshown && !e->shown_by && kmln_is_text(e->data, e->size) &&
		kmln_is_text(old, old_size)) {
		kmln_diff(&diff, old, old_size, e->data, e->size);
		kmln_json_set(o, "diff", kmln_json_text(diff.data ? diff.data : ""));
	}
}

static struct kmln_json *show_edit(const struct kmln_edit *e)
{
	struct kmln_json *o = kmln_json_object();

	kmln_json_set(o, "edit", kmln_json_text(kmln_edit_kind_name(e->kind)));
	kmln_json_set(o, "step", kmln_json_text(e->by));
	kmln_json_set(o, "why", kmln_json_text(e->why));
	if (e->path)
		kmln_json_set(o, "path", kmln_json_text(e->path));
	switch (e->kind) {
	case KMLN_EDIT_SHIFT:
	case KMLN_EDIT_COLLAPSE:
		kmln_json_set(o, "offset", kmln_json_number(e->offset));
		break;
	case KMLN_EDIT_KEEP:
	case KMLN_EDIT_BYTES:
		kmln_json_set(o, "offset", kmln_json_number(e->offset));
		kmln_json_set(o, "size", kmln_json_number(e->size));
		break;
	case KMLN_EDIT_MERGE:
	case KMLN_EDIT_RESIZE:
	case KMLN_EDIT_EXTEND:
		kmln_json_set(o, "size", kmln_json_number(e->size));
		break;
	case KMLN_EDIT_SYMLINK:
		kmln_json_set(o, "target", kmln_json_text(e->data));
		break;
	case KMLN_EDIT_APPEND:
		kmln_json_set(o, "size", kmln_json_number(e->size));
		break;
	case KMLN_EDIT_PUT:
		show_content(o, e);
		break;
	case KMLN_EDIT_MKDIR:
	case KMLN_EDIT_REMOVE:
	case KMLN_EDIT_KINDS:
		break;
	}
	return o;
}

static struct kmln_json *show_edits(const struct kmln_edits *edits)
{
	struct kmln_json *list = kmln_json_array();

	for (size_t i = 0; i < edits->count; i++)
		kmln_json_add(list, show_edit(&edits->items[i]));
	return list;
}

int kmln_show_edits_text(const struct kmln_edits *edits, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf text = {0};

	(void)err;
	kmln_edits_print(edits, kmln_verbosity > 0, &text);
	printf("%s", text.size ? text.data : "nothing to do\n");
	return 0;
}

int kmln_show_edits_json(const struct kmln_edits *edits, struct kmln_error *err)
{
	struct kmln_json *root = kmln_json_object(), *list;

	kmln_json_set(root, "kernel", kmln_json_text(edits->kit));
	kmln_json_set(root, "edits", show_edits(edits));
	list = kmln_json_set(root, "notes", kmln_json_array());
	for (size_t i = 0; i < edits->note_count; i++)
		kmln_json_add(list, kmln_json_text(edits->notes[i]));
	return kmln_json_print_free(root, stdout, err);
}

static void put_words(struct kmln_json *o, const char *key, const char *const *words)
{
	struct kmln_json *list = kmln_json_set(o, key, kmln_json_array());

	for (; words && *words; words++)
		kmln_json_add(list, kmln_json_text(*words));
}

void kmln_actions_json(const struct kmln_actions *actions, struct kmln_json *list)
{
	for (size_t i = 0; i < actions->count; i++) {
		const struct kmln_action *a = &actions->items[i];
		struct kmln_json *o = kmln_json_add(list, kmln_json_object());

		kmln_json_set(o, "action", kmln_json_text(kmln_action_kind_name(a->kind)));
		kmln_json_set(o, "node", kmln_json_text(a->node));
		kmln_json_set(o, "why", kmln_json_text(a->why));
		kmln_json_set(o, "text", kmln_json_text(a->text));
		kmln_json_set(o, "timeout", kmln_json_number(a->timeout));
		if (a->path)
			kmln_json_set(o, "path", kmln_json_text(a->path));
		if (a->from)
			kmln_json_set(o, "from", kmln_json_text(a->from));
		if (a->size)
			kmln_json_set(o, "size", kmln_json_number(a->size));
		if (a->edits)
			kmln_json_set(o, "edits", show_edits(a->edits));
		if (a->spawn) {
			put_words(o, "argv", a->spawn->argv);
			put_words(o, "env", a->spawn->env);
			put_words(o, "sandbox", a->spawn->sandbox);
		}
	}
}

int kmln_show_actions_json(const struct kmln_actions *actions, struct kmln_error *err)
{
	struct kmln_json *root = kmln_json_object();

	kmln_actions_json(actions, kmln_json_set(root, "actions", kmln_json_array()));
	return kmln_json_print_free(root, stdout, err);
}
