/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real qemu-ga as an agent: it has no streams, and answers one question at a time. A lane is a
 * job here: a few questions in a row.
 */
#ifndef KMLN_NODE_QGA_H
#define KMLN_NODE_QGA_H

#include "channel/frame.h"
#include "text/json.h"

struct kmln_agent;
struct kmln_lane;
struct kmln_qga_job;

struct kmln_qga {
	struct kmln_lane *asking; /* whose question is on its way; NULL: nobody's */
};

void kmln_qga_open(struct kmln_lane *lane, const char *request, size_t size);
void kmln_qga_send(
	struct kmln_lane *lane, enum kmln_frame_type type, const void *data, size_t size);
void kmln_qga_more(struct kmln_lane *lane);
void kmln_qga_forget(struct kmln_lane *lane);
void kmln_qga_heard(struct kmln_agent *agent, const struct kmln_json *answer);
void kmln_qga_work(struct kmln_agent *agent);

#endif
