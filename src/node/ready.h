/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a node is ready, by what its command line says. */
#ifndef KMLN_NODE_READY_H
#define KMLN_NODE_READY_H

#include "base/error.h"

struct kmln_node;

int kmln_ready_init(struct kmln_node *node, struct kmln_error *err);
/* The program has started anew. */
void kmln_ready_restart(struct kmln_node *node);
/* Looks whether it is now; once a turn. */
void kmln_ready_work(struct kmln_node *node);
void kmln_ready_fini(struct kmln_node *node);

#endif
