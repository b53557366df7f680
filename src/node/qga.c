// SPDX-License-Identifier: GPL-2.0-or-later
/* Asking the real qemu-ga; see qga.h. What is asked is in qga-job.c. */
#include "node/qga.h"

#include <stdlib.h>
#include <string.h>

#include "node/node.h"
#include "node/qga-job.h"

/* Milliseconds. */
#define ANSWER_LIMIT 20000
/* A shutdown that is obeyed is not answered. */
#define SILENCE 3000

static const struct {
	const char *name;
	const struct kmln_qga_kind *kind;
} kinds[] = {
	{"exec", &kmln_qga_exec},
	{"get", &kmln_qga_get},
	{"put", &kmln_qga_put},
	{"call", &kmln_qga_call},
};

/* What qemu-ga has no means for. */
static const char *beyond(const struct kmln_json *request)
{
	static const char *const members[] = {"user", "cwd", "share", "uid", "gid", "bytes"};

	for (size_t i = 0; i < KMLN_COUNT(members); i++)
		if (kmln_json_member(request, members[i]))
			return members[i];
	return kmln_json_true(request, "pty") ? "pty" : NULL;
}

void kmln_qga_open(struct kmln_lane *lane, const char *request, size_t size)
{
	struct kmln_json *object = NULL;
	struct kmln_error err = {0};
	const struct kmln_qga_kind *kind = NULL;
	KMLN_FREE char *words = NULL;

	if (kmln_json_parse(request, size, &object, &err) == 0)
		for (size_t i = 0; i < KMLN_COUNT(kinds); i++)
			if (kmln_eq(kmln_json_get(object, "do"), kinds[i].name))
				kind = kinds[i].kind;
	if (kind == &kmln_qga_call && kmln_eq(kmln_json_get(object, "execute"), "kmln-port"))
		kind = &kmln_qga_port;
	if (!kind)
		words = kmln_strdup("the guest's agent is qemu-ga, which cannot do this");
	else if (kind != &kmln_qga_call && beyond(object))
		words = kmln_printf(
			"the guest's agent is qemu-ga, which knows no %s", beyond(object));
	if (words) {
		kmln_json_free(&object);
		kmln_lane_refuse(lane, ENOTSUP, words);
		return;
	}
	lane->job = kmln_malloc(sizeof(*lane->job));
	*lane->job = (struct kmln_qga_job){
		.kind = kind,
		.request = object,
		.status = -1,
		.signal = -1,
	};
}

void kmln_qga_forget(struct kmln_lane *lane)
{
	struct kmln_qga_job *job = lane->job;

	if (lane->agent->qga.asking == lane)
		lane->agent->qga.asking = NULL;
	if (!job)
		return;
	kmln_json_free(&job->request);
	kmln_buf_fini(&job->input);
	kmln_buf_fini(&job->output);
	kmln_buf_fini(&job->errors);
	free(job->temporary);
	free(job);
	lane->job = NULL;
}

bool kmln_qga_abort(struct kmln_lane *lane)
{
	struct kmln_qga_job *job = lane->job;

	if (job->kind == &kmln_qga_end)
		return true;
	job->late = lane->agent->qga.asking == lane;
	if (job->kind == &kmln_qga_call || (job->step == KMLN_QGA_BEGIN && !job->late) ||
		job->step == KMLN_QGA_SHUT || job->step == KMLN_QGA_TELL)
		return false;
	/* a complete file gets its name */
	if (job->kind == &kmln_qga_put && job->step == KMLN_QGA_POLL)
		return false;
	job->was = job->kind;
	job->kind = &kmln_qga_end;
	job->ask_at = 0;
	return true;
}

void kmln_qga_send(struct kmln_lane *lane, enum kmln_frame_type type, const void *data, size_t size)
{
	struct kmln_qga_job *job = lane->job;

	if (type == KMLN_FRAME_END)
		job->whole = job->whole || job->kind == &kmln_qga_put;
	if (type != KMLN_FRAME_DATA || !size)
		return;
	lane->allowed -= (uint32_t)size;
	if (job->kind == &kmln_qga_put)
		kmln_buf_add(&job->input, data, size);
	else
		kmln_lane_refuse(lane, ENOTSUP,
			"the guest's agent is qemu-ga, which gives programs no input");
}

char *kmln_qga_question(const char *name, struct kmln_json *arguments)
{
	KMLN_JSON struct kmln_json *object = kmln_json_object();
	struct kmln_buf text = {0};

	kmln_json_set(object, "execute", kmln_json_text(name));
	if (arguments)
		kmln_json_set(object, "arguments", arguments);
	kmln_json_line(object, &text);
	return text.data;
}

bool kmln_qga_hand_on(struct kmln_lane *lane, struct kmln_buf *bytes, enum kmln_frame_type type)
{
	while (bytes->size && lane->credit) {
		size_t n = bytes->size < KMLN_FRAME_MAX ? bytes->size : KMLN_FRAME_MAX;

		if (n > lane->credit)
			n = lane->credit;
		lane->credit -= (uint32_t)n;
		lane->ops->got(lane->owner,
			&(struct kmln_frame){
				.type = type, .data = bytes->data, .size = (uint16_t)n});
		memmove(bytes->data, bytes->data + n, bytes->size - n);
		bytes->size -= n;
	}
	return !bytes->size;
}

void kmln_qga_return(struct kmln_lane *lane, struct kmln_json *value)
{
	KMLN_JSON struct kmln_json *object = kmln_json_object();
	KMLN_BUF struct kmln_buf text = {0};

	kmln_json_set(object, "return", value);
	kmln_json_line(object, &text);
	if (text.size <= KMLN_FRAME_MAX)
		kmln_lane_close(lane, text.data, text.size);
	else
		kmln_lane_refuse(lane, EMSGSIZE, "the answer is too long");
}

void kmln_qga_heard(struct kmln_agent *agent, const struct kmln_json *answer)
{
	struct kmln_lane *lane = agent->qga.asking;
	const struct kmln_json *error = answer ? kmln_json_member(answer, "error") : NULL;
	const char *words = kmln_json_get(error, "desc");

	/* complaints about what it did not understand have no id */
	if (!agent->qga.busy ||
		(answer && kmln_json_integer(answer, "id", -1) != (int64_t)agent->qga.id))
		return;
	agent->qga.busy = false;
	agent->qga.asking = NULL;
	if (!lane)
		return;
	if (!answer)
		kmln_lane_refuse(lane, EMSGSIZE, "the answer is too long for one of qemu-ga's");
	else if (error)
		kmln_lane_refuse(lane, EIO, words ? words : "qemu-ga failed");
	else
		lane->job->kind->heard(lane, kmln_json_member(answer, "return"));
}

/* The first lane that has a question; it goes to the end of the list. */
static bool ask_next(struct kmln_agent *agent)
{
	struct kmln_node *node = agent->node;
	struct kmln_lane *next;

	for (struct kmln_lane *lane = agent->lanes; lane; lane = next) {
		KMLN_FREE char *question = NULL, *text = NULL;

		next = lane->next;
		if (!lane->job || lane->job->ask_at > node->now) {
			if (lane->job)
				kmln_node_wake(node, lane->job->ask_at);
			continue;
		}
		question = lane->job->kind->ask(lane);
		if (!question)
			continue;
		/* an object's last byte is its bracket */
		text = kmln_printf(
			"%.*s,\"id\":%u}", (int)strlen(question) - 1, question, ++agent->qga.id);
		kmln_line_say(agent->active, text, false);
		agent->qga.busy = true;
		agent->qga.asking = lane;
		agent->qga.deadline =
			node->now +
			(strstr(question, "\"guest-shutdown\"") ? SILENCE : ANSWER_LIMIT);
		return true;
	}
	return false;
}

bool kmln_qga_work(struct kmln_agent *agent)
{
	struct kmln_qga *qga = &agent->qga;

	if (qga->busy && agent->node->now >= qga->deadline) {
		struct kmln_lane *lane = qga->asking;
		const char *name = lane ? kmln_json_get(lane->job->request, "execute") : NULL;

		if (!kmln_eq(name, "guest-shutdown"))
			return false;
		qga->busy = false;
		qga->asking = NULL;
		kmln_qga_return(lane, kmln_json_object());
	}
	if (!qga->busy && !ask_next(agent))
		return true;
	kmln_node_wake(agent->node, qga->deadline);
	return true;
}

void kmln_qga_reset(struct kmln_agent *agent)
{
	/* what was asked before may still be answered */
	agent->qga = (struct kmln_qga){.id = agent->qga.id};
}
