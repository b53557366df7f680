/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of a project's life share; see life.h. */
#ifndef KMLN_CLUSTER_LIFE_PRIVATE_H
#define KMLN_CLUSTER_LIFE_PRIVATE_H

#include "cluster/control.h"
#include "cluster/life.h"

/* Milliseconds of a clock that only goes forwards. */
int64_t kmln_life_now(void);
/* True where the user wants no more waiting. */
bool kmln_life_interrupted(const struct kmln_life *life);
void kmln_life_settle(struct kmln_life *life, struct kmln_life_node *node,
	enum kmln_outcome outcome, const char *why);
/* Waits for a keeper that is on its way out; false where it lives after so long. */
bool kmln_life_gone(const char *folder, unsigned limit_ms);

#endif
