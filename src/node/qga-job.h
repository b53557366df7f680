/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One thing that qemu-ga does for a lane, and the kinds of it. */
#ifndef KMLN_NODE_QGA_JOB_H
#define KMLN_NODE_QGA_JOB_H

#include "node/agent.h"

/* Bytes of a file in one question. */
#define KMLN_QGA_PIECE 24576u

enum kmln_qga_step {
	KMLN_QGA_BEGIN,
	KMLN_QGA_POLL, /* a program runs */
	KMLN_QGA_MOVE, /* bytes of a file */
	KMLN_QGA_SHUT, /* a file */
	KMLN_QGA_TELL, /* what is left goes to the owner */
};

struct kmln_qga_job {
	const struct kmln_qga_kind *kind;
	struct kmln_json *request;
	enum kmln_qga_step step;
	int64_t ask_at; /* milliseconds: no question before */
	int64_t pause; /* between two looks at a program */
	int64_t number; /* of the file or of the program */
	uint64_t size; /* bytes moved */
	bool whole; /* all of the file was read or written, or the program has ended */
	int64_t status, signal; /* of the program; -1: none */
	struct kmln_buf input, output, errors; /* bytes on their way */
	char *temporary; /* PUT: the file's name until it is complete */
	const struct kmln_qga_kind *was; /* END: what is ended */
	bool late; /* END: a question of before is not answered yet */
	bool shut; /* END: the file is closed */
};

struct kmln_qga_kind {
	/* The next question, a line of JSON; NULL: there is none now. */
	char *(*ask)(struct kmln_lane *lane);
	/* Its answer, the member `return`; the lane may be gone then. */
	void (*heard)(struct kmln_lane *lane, const struct kmln_json *answer);
};
extern const struct kmln_qga_kind kmln_qga_exec, kmln_qga_get, kmln_qga_put, kmln_qga_call,
	kmln_qga_port, kmln_qga_end;

/* {"execute": name, "arguments": arguments}, which are taken over; the caller's text. */
char *kmln_qga_question(const char *name, struct kmln_json *arguments);
/* Starts a program, and looks at it; both for PUT and PORT as well. */
char *kmln_qga_ask_program(struct kmln_lane *lane, struct kmln_json *words, struct kmln_json *env);
void kmln_qga_heard_program(struct kmln_lane *lane, const struct kmln_json *answer);
/* Hands on as much as the owner takes; true once nothing is left. */
bool kmln_qga_hand_on(struct kmln_lane *lane, struct kmln_buf *bytes, enum kmln_frame_type type);
/* Ends the lane with {"return": value}, which is taken over. */
void kmln_qga_return(struct kmln_lane *lane, struct kmln_json *value);

#endif
