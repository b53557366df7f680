/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plan's edits as JSON; the keys are documented in kmln-convert(1). */
#ifndef KMLN_CLI_SHOW_PLAN_H
#define KMLN_CLI_SHOW_PLAN_H

#include "plan/edits.h"

int kmln_show_edits_json(const struct kmln_edits *edits, struct kmln_error *err);

#endif
