/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a node says of itself: while it lives, and for those who come later. */
#ifndef KMLN_NODE_STATUS_H
#define KMLN_NODE_STATUS_H

#include "text/json.h"

struct kmln_node;

/* The caller's. */
struct kmln_json *kmln_node_status(const struct kmln_node *node);
/* Writes last.json, complete or not at all. */
int kmln_node_last(const struct kmln_node *node, struct kmln_error *err);

#endif
