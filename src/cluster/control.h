/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Speaking to a node that runs (docs/life.md): whether it lives, connecting to it, frames both
 * ways, and the usual single question. Commands and the life of a project use it; nothing here
 * starts or changes anything by itself.
 */
#ifndef KMLN_CLUSTER_CONTROL_H
#define KMLN_CLUSTER_CONTROL_H

#include <sys/types.h>

#include "channel/frame.h"
#include "text/json.h"

/*
 * The process that keeps the node of this folder; 0 where none does. It is the kernel's answer: the
 * holder of the node's lock (1 where that one has no number in our PID namespace).
 */
pid_t kmln_node_keeper(const char *folder);
/*
 * Ends a node at once through its keeper, when all else failed, and waits until it is gone; nothing
 * happens where none lives.
 */
int kmln_node_kill(const char *folder, struct kmln_error *err);

struct kmln_control {
	int fd; /* to poll */
	uint32_t last; /* the last stream that was opened */
	struct kmln_buf out; /* not sent yet */
	struct kmln_frame_reader in;
	char piece[KMLN_FRAME_MAX]; /* received, not looked at */
	const char *rest;
	size_t rest_size;
};
#define KMLN_CONTROL_NONE ((struct kmln_control){.fd = -1})
#define KMLN_CONTROL KMLN_CLEANUP(kmln_control_close)

/* Fills *control; KMLN_ENO where no node lives in that folder. */
int kmln_control_open(struct kmln_control *control, const char *folder, struct kmln_error *err);
void kmln_control_close(struct kmln_control *control);

/* Opens a stream; takes the request over. Returns its number in *stream. Nothing blocks. */
int kmln_control_ask(struct kmln_control *control, struct kmln_json *request, uint32_t *stream,
	struct kmln_error *err);
/* Queues a frame; kmln_control_flush() sends it. */
void kmln_control_put(struct kmln_control *control, enum kmln_frame_type type, uint32_t stream,
	const void *data, size_t size);
/* Sends what it can without blocking: 1 where all is sent, 0 where the rest waits for POLLOUT. */
int kmln_control_flush(struct kmln_control *control, struct kmln_error *err);
/*
 * The next frame without blocking: 1 and *frame (valid until the next call), 0 where there is none
 * yet, -EPIPE where the node is gone.
 */
int kmln_control_take(
	struct kmln_control *control, struct kmln_frame *frame, struct kmln_error *err);

/* What a CLOSE frame of the answering side says: *answer is its `return`, the caller's; its `error`
 * becomes err. */
int kmln_control_answer(
	const struct kmln_frame *frame, struct kmln_json **answer, struct kmln_error *err);
/* The errno value of a name ("ENOENT"); EIO for one that is not known, and for NULL. */
int kmln_control_code(const char *name);

/*
 * One question, one answer: *answer is the member `return` of the CLOSE frame's, the caller's. An
 * `error` of the node's or the agent's becomes err (its code where that is a known one, else EIO).
 * `limit_ms`: ETIMEDOUT after that time; 0: for ever.
 */
int kmln_control_call(const char *folder, struct kmln_json *request, unsigned limit_ms,
	struct kmln_json **answer, struct kmln_error *err);

#endif
