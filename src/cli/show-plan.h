/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plans on stdout; the JSON's keys are documented in kmln-convert(1) and kmln-boot(1). */
#ifndef KMLN_CLI_SHOW_PLAN_H
#define KMLN_CLI_SHOW_PLAN_H

#include "plan/actions.h"
#include "plan/edits.h"

/* As a text on stdout; of files in a row all only where -v was given. */
int kmln_show_edits_text(const struct kmln_edits *edits, struct kmln_error *err);
int kmln_show_edits_json(const struct kmln_edits *edits, struct kmln_error *err);
/* Adds each action to a list. */
struct kmln_json;
void kmln_actions_json(const struct kmln_actions *actions, struct kmln_json *list);
int kmln_show_actions_json(const struct kmln_actions *actions, struct kmln_error *err);

#endif
