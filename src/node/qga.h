/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real qemu-ga as an agent: it has no streams, and answers one question at a time. A lane is a
 * job here: a few questions in a row, its data in pieces that base64 carries.
 */
#ifndef KMLN_NODE_QGA_H
#define KMLN_NODE_QGA_H

#include "channel/frame.h"
#include "text/json.h"

struct kmln_agent;
struct kmln_lane;
struct kmln_qga_job;

struct kmln_qga {
	bool busy; /* a question is on its way */
	int64_t deadline; /* of its answer */
	uint32_t id; /* of the question, which its answer repeats */
	struct kmln_lane *asking; /* whose it is; NULL: nobody's any more */
};

/* Makes a job of the request, or closes the lane: ENOTSUP for what qemu-ga cannot do. */
void kmln_qga_open(struct kmln_lane *lane, const char *request, size_t size);
/* DATA and END from the lane's owner. */
void kmln_qga_send(
	struct kmln_lane *lane, enum kmln_frame_type type, const void *data, size_t size);
/* Its owner has given it up: false where nothing of it is left in the guest; else the lane goes by
 * itself. */
bool kmln_qga_abort(struct kmln_lane *lane);
/* The lane is being freed; harmless for one that is no job. */
void kmln_qga_forget(struct kmln_lane *lane);
/* An answer of qemu-ga's; NULL: one that was too long. */
void kmln_qga_heard(struct kmln_agent *agent, const struct kmln_json *answer);
/* Asks what is to be asked next; once a turn. False where an answer is overdue: it is gone. */
bool kmln_qga_work(struct kmln_agent *agent);
/* It is gone, with what it was asked. */
void kmln_qga_reset(struct kmln_agent *agent);

#endif
