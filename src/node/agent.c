// SPDX-License-Identifier: GPL-2.0-or-later
/* The agent in the guest; see agent.h. */
#include "node/agent.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "node/node.h"

/* Bytes on the way towards an agent. UML's serial line stalls for good behind some 4,000. */
#define SERIAL_WINDOW 2048
#define VIRTIO_WINDOW 262144
/* On a slow line several lanes are to move within one window. */
#define SERIAL_PIECE 504
/* QEMU's serial line does not stall, but each acknowledgement costs a slow guest time. */
#define LINE_WINDOW 16384
#define LINE_PIECE 4096
/* The agent is told of credit in no smaller pieces, unless it knows of hardly any. */
#define GIVE 16384u
/* What one lane may have waiting here. */
#define LANE_MAX 262144u
/* Credit is passed on in no smaller pieces, unless the owner has hardly any. */
#define GRANT 8192u

void kmln_agent_attach(
	struct kmln_agent *agent, enum kmln_node_channel channel, int channels[KMLN_CHANNELS])
{
	agent->count = 0;
	if (channel == KMLN_CHANNEL_SERIAL) {
		agent->lines[agent->count++] = (struct kmln_line){
			.agent = agent,
			.fd = channels[1],
			.to = channels[0],
			.window.size = SERIAL_WINDOW,
			.piece = SERIAL_PIECE,
		};
		channels[0] = channels[1] = -1;
	}
	for (unsigned i = 0; i < KMLN_CHANNELS && channels[i] >= 0; i++) {
		const bool port = i == 0;

		agent->lines[agent->count++] = (struct kmln_line){
			.agent = agent,
			.fd = channels[i],
			.to = channels[i],
			.asks = port,
			.window.size = port ? VIRTIO_WINDOW : LINE_WINDOW,
			.piece = port ? KMLN_FRAME_MAX : LINE_PIECE,
		};
		channels[i] = -1;
	}
}

static void free_lane(struct kmln_lane *lane)
{
	struct kmln_lane **link = &lane->agent->lanes;

	while (*link != lane)
		link = &(*link)->next;
	*link = lane->next;
	lane->agent->lane_count--;
	kmln_qga_forget(lane);
	kmln_buf_fini(&lane->queue);
	free(lane);
}

void kmln_lane_close(struct kmln_lane *lane, const char *answer, size_t size)
{
	const struct kmln_lane_ops *ops = lane->ops;
	void *owner = lane->owner;
	KMLN_FREE char *copy = kmln_malloc(size + 1);

	/* the answer may be in what is freed */
	memcpy(copy, answer, size);
	copy[size] = '\0';
	free_lane(lane);
	if (ops)
		ops->closed(owner, copy, size);
}

const char *kmln_code_name(int code)
{
	const char *name = strerrorname_np(code);

	/* the same number has two names */
	return code == ENOTSUP ? "ENOTSUP" : name ? name : "EIO";
}

static void refusal(struct kmln_buf *out, int code, const char *text)
{
	KMLN_JSON struct kmln_json *object = kmln_json_object();

	kmln_json_set(object, "error", kmln_json_text(text));
	kmln_json_set(object, "code", kmln_json_text(kmln_code_name(code)));
	kmln_json_line(object, out);
}

void kmln_lane_refuse(struct kmln_lane *lane, int code, const char *text)
{
	KMLN_BUF struct kmln_buf answer = {0};

	refusal(&answer, code, text);
	kmln_lane_close(lane, answer.data, answer.size);
}

static void close_lanes(struct kmln_agent *agent)
{
	/* an owner that hears of the end may open nothing here: no agent answers */
	agent->active = NULL;
	kmln_qga_reset(agent);
	while (agent->lanes)
		kmln_lane_refuse(
			agent->lanes, ENOTCONN, "the guest's agent does not answer any more");
}

void kmln_agent_detach(struct kmln_agent *agent)
{
	close_lanes(agent);
	for (unsigned i = 0; i < agent->count; i++)
		kmln_line_close(&agent->lines[i]);
	agent->count = 0;
}

const char *kmln_agent_kind(const struct kmln_agent *agent)
{
	if (!agent->active)
		return NULL;
	return agent->active->mode == KMLN_LINE_QGA ? "qemu-ga" : "kmln";
}

void kmln_agent_found(struct kmln_agent *agent, struct kmln_line *line)
{
	/* it has changed lines, or is another one */
	if (agent->active)
		close_lanes(agent);
	agent->active = line;
	kmln_node_changed(agent->node);
}

void kmln_agent_lost(struct kmln_agent *agent, struct kmln_line *line)
{
	if (agent->active != line)
		return;
	close_lanes(agent);
	kmln_node_changed(agent->node);
}

/* ---- lanes ---- */

void kmln_agent_open(struct kmln_agent *agent, struct kmln_lane **lane, const char *request,
	size_t size, const struct kmln_lane_ops *ops, void *owner)
{
	KMLN_BUF struct kmln_buf answer = {0};
	struct kmln_lane *made;

	*lane = NULL;
	if (!agent->active || agent->lane_count >= KMLN_LANES) {
		refusal(&answer, agent->active ? EAGAIN : ENOTCONN,
			agent->active ? "the guest's agent has too much to do"
				      : "no agent answers in the guest");
		ops->closed(owner, answer.data, answer.size);
		return;
	}
	made = kmln_malloc(sizeof(*made));
	*made = (struct kmln_lane){
		.next = agent->lanes,
		.agent = agent,
		.ops = ops,
		.owner = owner,
		.number = ++agent->last,
		.credit = KMLN_FRAME_CREDIT,
		.allowed = KMLN_FRAME_CREDIT,
	};
	agent->lanes = made;
	agent->lane_count++;
	*lane = made;
	if (agent->active->mode == KMLN_LINE_QGA)
		kmln_qga_open(made, request, size);
	else
		kmln_frame_put(&made->queue, KMLN_FRAME_OPEN, made->number, request, size);
}

/* The owner is told what it may send, as far as there is room for that here. */
static void grant(struct kmln_lane *lane)
{
	const uint32_t held = lane->allowed + (uint32_t)lane->queue.size;
	uint32_t more = held < LANE_MAX ? LANE_MAX - held : 0;

	if (more > lane->granted)
		more = lane->granted;
	if (!more || !lane->ops || (more < GRANT && lane->allowed >= GRANT))
		return;
	lane->granted -= more;
	lane->allowed += more;
	lane->ops->got(lane->owner, &(struct kmln_frame){
					    .type = KMLN_FRAME_CREDIT_MORE,
					    .data = (const char[]){(char)more, (char)(more >> 8),
						    (char)(more >> 16), (char)(more >> 24)},
					    .size = 4,
				    });
}

void kmln_lane_send(
	struct kmln_lane *lane, enum kmln_frame_type type, const void *data, size_t size)
{
	const char *bytes = data;

	if (lane->job) {
		kmln_qga_send(lane, type, data, size);
		return;
	}
	/* a peer that is ours says no more than that */
	if (lane->queue.size > 2 * LANE_MAX)
		return;
	if (type != KMLN_FRAME_DATA) {
		kmln_frame_put(&lane->queue, type, lane->number, data, size);
		return;
	}
	lane->allowed -= (uint32_t)size;
	while (size) {
		size_t n = lane->agent->active->piece;

		if (n > size)
			n = size;
		kmln_frame_put(&lane->queue, type, lane->number, bytes, n);
		bytes += n;
		size -= n;
	}
}

void kmln_lane_credit(struct kmln_lane *lane, uint32_t more)
{
	lane->credit += more;
	lane->give += more;
}

void kmln_lane_abort(struct kmln_lane *lane)
{
	lane->ops = NULL;
	if (lane->job && kmln_qga_abort(lane))
		return;
	if (!lane->begun || lane->job) {
		free_lane(lane);
		return;
	}
	lane->queue.size = 0;
	lane->give = 0;
	kmln_frame_put(&lane->queue, KMLN_FRAME_CLOSE, lane->number, NULL, 0);
}

void kmln_lane_allow(struct kmln_lane *lane, uint32_t more)
{
	lane->granted += more;
	grant(lane);
}

static struct kmln_lane *find(const struct kmln_agent *agent, uint32_t number)
{
	struct kmln_lane *lane = agent->lanes;

	while (lane && (lane->number != number || !lane->ops || !lane->begun))
		lane = lane->next;
	return lane;
}

bool kmln_agent_take(struct kmln_agent *agent, const struct kmln_frame *frame)
{
	struct kmln_lane *lane = find(agent, frame->stream);
	uint32_t more;

	switch (frame->type) {
	case KMLN_FRAME_DATA:
	case KMLN_FRAME_ERROR_DATA:
		if (!lane || !frame->size)
			return true;
		if (frame->size > lane->credit)
			return false;
		lane->credit -= frame->size;
		lane->ops->got(lane->owner, frame);
		return true;
	case KMLN_FRAME_END:
		if (lane && !lane->ended)
			lane->ops->got(lane->owner, frame);
		if (lane)
			lane->ended = true;
		return true;
	case KMLN_FRAME_CREDIT_MORE:
		more = kmln_frame_number(frame);
		if (!lane)
			return true;
		if (kmln_add_overflow(lane->granted, more, &lane->granted))
			return false;
		grant(lane);
		return true;
	case KMLN_FRAME_CLOSE:
		if (lane)
			kmln_lane_close(lane, frame->data, frame->size);
		return true;
	default:
		return false;
	}
}

/* Moves one frame of the lane to the line. True where there was one; an aborted lane is gone with
 * its last. */
static bool move_one(struct kmln_lane *lane, struct kmln_buf *out)
{
	struct kmln_buf *queue = &lane->queue;
	size_t size;

	if (lane->begun && lane->ops && lane->give &&
		(lane->give >= GIVE || lane->credit - lane->give < GIVE)) {
		kmln_frame_put_number(out, KMLN_FRAME_CREDIT_MORE, lane->number, lane->give);
		lane->give = 0;
		return true;
	}
	if (!queue->size)
		return false;
	size = KMLN_FRAME_HEAD +
	       ((unsigned char)queue->data[2] | (size_t)(unsigned char)queue->data[3] << 8);
	kmln_buf_add(out, queue->data, size);
	memmove(queue->data, queue->data + size, queue->size - size);
	queue->size -= size;
	lane->begun = true;
	if (!lane->ops && !queue->size)
		free_lane(lane);
	else
		grant(lane);
	return true;
}

/* One frame of each lane in turn. The list is turned, so that the first is another one next time.
 */
static void share_line(struct kmln_agent *agent)
{
	unsigned idle = 0;

	while (kmln_line_wants(agent->active) && agent->lanes && idle < agent->lane_count) {
		struct kmln_lane *lane = agent->lanes, **end = &agent->lanes;

		while (*end)
			end = &(*end)->next;
		if (lane->next) {
			agent->lanes = lane->next;
			lane->next = NULL;
			*end = lane;
		}
		idle = move_one(lane, &agent->active->out) ? 0 : idle + 1;
	}
}

void kmln_agent_work(struct kmln_agent *agent)
{
	if (agent->active && agent->active->mode == KMLN_LINE_FRAMES)
		share_line(agent);
	if (agent->active && agent->active->mode == KMLN_LINE_QGA && !kmln_qga_work(agent))
		kmln_line_give_up(agent->active);
	for (unsigned i = 0; i < agent->count; i++)
		kmln_line_work(&agent->lines[i]);
}
