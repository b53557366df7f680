/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent in the guest, as the rest of the node sees it: lanes, which are streams that it serves.
 * Whether one is there, on which of the lines, and how it speaks is known here alone. The guest may
 * be hostile: nothing that it says takes more than bounded memory, reaches another lane, or makes
 * the node wait.
 */
#ifndef KMLN_NODE_AGENT_H
#define KMLN_NODE_AGENT_H

#include "node/line.h"
#include "node/options.h"
#include "node/qga.h"

/* Lanes at a time. */
#define KMLN_LANES 256

struct kmln_node;
struct kmln_agent;
struct kmln_lane;

struct kmln_lane_ops {
	/* DATA, ERROR_DATA, END, and CREDIT_MORE: so many bytes more may be sent. */
	void (*got)(void *owner, const struct kmln_frame *frame);
	/* Its end, with the answer as it came. The lane is gone then. */
	void (*closed)(void *owner, const char *answer, size_t size);
};

struct kmln_lane {
	struct kmln_lane *next;
	struct kmln_agent *agent;
	const struct kmln_lane_ops *ops; /* NULL: nobody wants to know any more */
	void *owner;
	uint32_t number; /* towards the agent */
	bool begun; /* the agent knows of it */
	bool ended; /* the agent sends no more DATA */
	struct kmln_buf queue; /* whole frames towards the agent; of qemu-ga, the request */
	uint32_t credit; /* bytes that the agent may send */
	uint32_t give; /* credit that it was not told of yet */
	uint32_t allowed; /* bytes that the owner may send */
	uint32_t granted; /* credit from the agent that the owner was not told of yet */
	struct kmln_qga_job *job; /* of qemu-ga */
};

struct kmln_agent {
	struct kmln_node *node;
	struct kmln_line lines[KMLN_CHANNELS];
	unsigned count; /* of lines */
	struct kmln_line *active; /* on which an agent answers; NULL: none does */
	struct kmln_lane *lanes;
	unsigned lane_count;
	uint32_t last; /* the last lane's number */
	struct kmln_qga qga;
};

/* The program's ends of its lines are taken over from `channels`. */
void kmln_agent_attach(
	struct kmln_agent *agent, enum kmln_node_channel channel, int channels[KMLN_CHANNELS]);
/* The program has ended: lanes are closed, lines forgotten. */
void kmln_agent_detach(struct kmln_agent *agent);
/* "kmln", "qemu-ga", or NULL where none answers. */
const char *kmln_agent_kind(const struct kmln_agent *agent);

/*
 * Opens a lane into *lane for the request, a JSON object in text. Where no agent answers it is
 * closed at once (ops->closed).
 */
void kmln_agent_open(struct kmln_agent *agent, struct kmln_lane **lane, const char *request,
	size_t size, const struct kmln_lane_ops *ops, void *owner);
/* DATA within what was allowed, END, CONTROL. */
void kmln_lane_send(
	struct kmln_lane *lane, enum kmln_frame_type type, const void *data, size_t size);
/* The agent may send so many bytes more. */
void kmln_lane_credit(struct kmln_lane *lane, uint32_t more);
/* The owner may send so many bytes more. */
void kmln_lane_allow(struct kmln_lane *lane, uint32_t more);
/* Ends it; its owner hears nothing more. */
void kmln_lane_abort(struct kmln_lane *lane);
/* Ends it from the agent's side, with an answer. */
void kmln_lane_close(struct kmln_lane *lane, const char *answer, size_t size);
/* As above, {"error": text, "code": name}. */
void kmln_lane_refuse(struct kmln_lane *lane, int code, const char *text);

/* How an error is called in an answer: "ENOENT". */
const char *kmln_code_name(int code);

/* For line.c: an agent answers on this line; it does not any more; it says this. False for what
 * breaks the line. */
void kmln_agent_found(struct kmln_agent *agent, struct kmln_line *line);
void kmln_agent_lost(struct kmln_agent *agent, struct kmln_line *line);
bool kmln_agent_take(struct kmln_agent *agent, const struct kmln_frame *frame);
/* Hands frames of lanes, in turns, to the line while that wants some; and what else is due. */
void kmln_agent_work(struct kmln_agent *agent);

#endif
