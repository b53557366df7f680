/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What kmln status shows of each node, as a table and as JSON. */
#ifndef KMLN_CLI_STATUS_H
#define KMLN_CLI_STATUS_H

#include "cluster/life.h"

/* Appends the table. */
void kmln_status_table(const struct kmln_life_view *views, size_t count, struct kmln_buf *out);
/* The keys are documented in kmln-status(1). */
struct kmln_json *kmln_status_json(
	const struct kmln_life *life, const struct kmln_life_view *views, size_t count);
/* "starting: its agent to answer" */
void kmln_status_line(const struct kmln_life_view *view, struct kmln_buf *out);

#endif
