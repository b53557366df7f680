/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plans as JSON; the keys are documented in kmln-convert(1) and kmln-boot(1). */
#ifndef KMLN_CLI_SHOW_PLAN_H
#define KMLN_CLI_SHOW_PLAN_H

#include "plan/actions.h"
#include "plan/edits.h"

int kmln_show_edits_json(const struct kmln_edits *edits, struct kmln_error *err);
int kmln_show_actions_json(const struct kmln_actions *actions, struct kmln_error *err);

#endif
